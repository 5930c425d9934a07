"""tf.image.non_max_suppression and its kin: boxes by their scores, without those too similar to a better one.

Full TensorRT has an INMS layer; it looks at the 5,000 best boxes only and orders equal scores as it likes, so the
kernel, which gives what TensorFlow gives, is used everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.dims import minimum
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.kernels import Buffer, Call, Kernel, ceil_div
from tf2trt_core.kernels.sorting import sort, sort_entries
from tf2trt_plugins_cuda.references.non_max_suppression import of_boxes, outputs, suppress

SOURCE = Path(__file__).with_suffix(".cu")
_THREADS = 256
_WALK_THREADS, _QUEUE_THREADS = 512, 256
_TILE = 64
_CHUNK = 128 * _TILE


def _launches(call: Call) -> None:
    data, scores, similarity, least, *sigma = call.inputs
    index, best, valid = call.outputs
    count, limit = scores.size, call.number("limit")
    state, settings = call.workspace("int32", 3), call.workspace("float32", 4)
    keys = call.workspace("int32", count)
    call.memset(state, 0)
    grid = max(call.grid(count, _THREADS, 8), 1)
    spread = sigma[0] if sigma else None
    call.launch("keys", grid, _THREADS, scores, similarity, least, spread, keys, state, settings, count)
    _, order = sort(call, keys, count, 32)
    areas = None
    if "boxes" in call.entries:
        corners, areas = call.workspace("float32", count, 4), call.workspace("float32", count)
        call.launch("boxes", grid, _THREADS, data, order, state, corners, areas)
        data = corners
    kept = call.workspace("int32", min(count, limit))
    pairs = (data, areas, order, count)
    _chunks(call, pairs, settings, state, kept, count, limit)
    queue, current, begins = (call.workspace(dtype, count) for dtype in ("int64", "float32", "int32"))
    call.launch(
        "queue", 1, _QUEUE_THREADS, *pairs, scores, settings, state, queue, current, begins, kept, index, best, valid,
        call.sizes[0] if call.sizes else None, limit, not call.sizes,
    )  # fmt: skip


def _chunks(
    call: Call, pairs: tuple[Any, ...], settings: Buffer, state: Buffer, kept: Buffer, count: int, limit: int
) -> None:
    """The bits of each chunk of candidates, and the walk over them."""
    if not kept.size:
        return
    order, scores = pairs[2], call.inputs[1]
    chunks = ceil_div(count, _CHUNK)
    tiles = ceil_div(min(count, _CHUNK), _TILE)
    masks = call.workspace("int64", tiles * _TILE, tiles)
    removed = call.workspace("int64", chunks, tiles)
    call.memset(removed, 0)
    for chunk in range(chunks):
        begin = chunk * _CHUNK
        fallen = removed.part(chunk)
        if chunk:
            slices = call.grid(min(begin, limit), _TILE, 1)
            call.launch("earlier", (tiles, slices), _TILE, *pairs, settings, state, kept, fallen, begin, limit)
        call.launch("pairs", (tiles, tiles), _TILE, *pairs, settings, state, masks, begin, limit)
        call.launch(
            "walk", 1, _WALK_THREADS, masks, fallen, order, scores, state, kept, *call.outputs[:2], begin,
            np.int32(tiles), limit,
        )  # fmt: skip


def _kernel(name: str, inputs: str, types: dict[str, str], reference: Callable[..., Any], *, pad: bool) -> Kernel:
    boxes = "T" in types
    dtype, given, kind = ("{T}", "{H}, {L}", "tf2trt::Boxes") if boxes else ("float", "float, float", "tf2trt::Given")
    entries = {
        "keys": f"tf2trt::score_keys<{dtype}, {given}>",
        "earlier": f"tf2trt::mark_earlier<{dtype}, {kind}>",
        "pairs": f"tf2trt::mark_pairs<{dtype}, {kind}>",
        "walk": f"tf2trt::walk<{dtype}>",
        "queue": f"tf2trt::one_by_one<{dtype}, {kind}>",
    }
    return Kernel(
        f"{name}({inputs}, limit: dim) -> index: int32, best: {'T' if boxes else 'float32'}, valid: int32",
        SOURCE,
        types,
        {**entries, **({"boxes": "tf2trt::sort_boxes<{T}>"} if boxes else {}), **sort_entries("unsigned")},
        shape=(lambda limit: [(limit,), (limit,), ()]) if pad else (lambda found: [(found,), (found,), ()]),
        launches=_launches,
        sizes={} if pad else {"found": lambda scores, limit: minimum(scores[0], limit)},
        reference=reference,
        fma=False,
    )


def _of_boxes(*, pad: bool) -> Callable[..., Any]:
    def reference(boxes: Any, scores: Any, similarity: Any, least: Any, sigma: Any, limit: int) -> Any:
        kept = suppress(lambda i, j: of_boxes(boxes, np.array(i), j), scores, limit, similarity, least, sigma)
        return outputs(kept, limit, pad=pad)

    return reference


def _of_overlaps(overlaps: Any, scores: Any, similarity: Any, least: Any, limit: int) -> Any:
    kept = suppress(lambda i, j: overlaps[i, j], scores, limit, similarity, least, np.array(0))
    return outputs(kept, limit, pad=False)


_INPUTS = "boxes: T, scores: T, similarity: H, least: L, sigma: T"
_TYPES = dict.fromkeys("THL", "float32 float16")
NMS = _kernel("non_max_suppression", _INPUTS, _TYPES, _of_boxes(pad=False), pad=False)
PADDED = _kernel("non_max_suppression_padded", _INPUTS, _TYPES, _of_boxes(pad=True), pad=True)
OVERLAPS = _kernel(
    "non_max_suppression_overlaps",
    "overlaps: float32, scores: float32, similarity: float32, least: float32",
    {},
    _of_overlaps,
    pad=False,
)
KERNELS = (NMS, PADDED, OVERLAPS)


def _kept(
    ctx: Context,
    boxes: Value,
    scores: Value,
    limit: Dim,
    similarity: Value,
    least: Value | None = None,
    sigma: Value | None = None,
    *,
    pad: bool = False,
) -> list[Value]:
    """[numbers, scores, how many]."""
    dtype = DTYPES[scores.dtype].numpy
    if least is None:
        least = Value.of(np.array(ml_dtypes.finfo(dtype).min, dtype))
    if sigma is None:
        sigma = Value.of(np.zeros((), dtype))
    return ctx.launch(PADDED if pad else NMS, boxes, scores, similarity, least, sigma, limit=limit)


@op("NonMaxSuppression", keep_float32=True)
def non_max_suppression(ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: float) -> Value:
    """Boxes may have their corners the wrong way round; a score that is NaN is no candidate."""
    return _kept(ctx, boxes, scores, max_output_size, Value.of(np.array(iou_threshold, np.float32)))[0]


@op("NonMaxSuppressionV2", keep_float32=True)
def non_max_suppression_v2(
    ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: Value
) -> Value:
    """Thresholds may be computed at run time; TensorFlow refuses ``iou_threshold`` outside [0, 1], this does not."""
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold)[0]


@op("NonMaxSuppressionV3", keep_float32=True)
def non_max_suppression_v3(
    ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: Value, score_threshold: Value
) -> Value:
    """Scores must be above ``score_threshold``."""
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold)[0]


@op("NonMaxSuppressionV4", keep_float32=True)
def non_max_suppression_v4(
    ctx: Context,
    boxes: Value,
    scores: Value,
    max_output_size: Dim,
    iou_threshold: Value,
    score_threshold: Value,
    pad_to_max_output_size: bool,
) -> list[Value]:
    """With ``pad_to_max_output_size`` the result's extent does not depend on data; box 0 fills it up."""
    pad = pad_to_max_output_size
    index, _, valid = _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold, pad=pad)
    return [index, valid]


@op("NonMaxSuppressionV5", keep_float32=True)
def non_max_suppression_v5(
    ctx: Context,
    boxes: Value,
    scores: Value,
    max_output_size: Dim,
    iou_threshold: Value,
    score_threshold: Value,
    soft_nms_sigma: Value,
    pad_to_max_output_size: bool,
) -> list[Value]:
    """``soft_nms_sigma`` above 0: scores decay instead, and ``iou_threshold`` says nothing."""
    pad = pad_to_max_output_size
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, pad=pad)


@op("NonMaxSuppressionWithOverlaps", keep_float32=True)
def non_max_suppression_with_overlaps(
    ctx: Context,
    overlaps: Value,
    scores: Value,
    max_output_size: Dim,
    overlap_threshold: Value,
    score_threshold: Value,
) -> Value:
    """``overlaps[i, j]``: whether box i falls to box j; any numbers, and not the same both ways round."""
    return ctx.launch(OVERLAPS, overlaps, scores, overlap_threshold, score_threshold, limit=max_output_size)[0]


def _drawn(draw: Any, gen: Any, dtype: str = "", **more: Any) -> Any:
    count = draw(gen.integers(0, 12))
    low = draw(gen.sampled_from([None, 0.0]))  # small integers, so that boxes and scores tie; or all over
    high = None if low is None else draw(gen.sampled_from([1.0, 4.0]))
    return {
        "boxes": draw(gen.tensors(shape=(count, 4), dtype=dtype, low=low, high=high)),
        "scores": draw(gen.tensors(shape=(count,), dtype=dtype)),
        "max_output_size": draw(gen.integers(0, 14)),
        "iou_threshold": draw(gen.sampled_from([0.5, 0.0, 1.0, 1 / 3, 0.25])),
        **more,
    }


def _least(draw: Any, gen: Any) -> Any:
    return draw(gen.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]))


@non_max_suppression.cases
def _(draw: Any, gen: Any) -> Any:
    return gen.case(**_drawn(draw, gen, "float32"))


@non_max_suppression_v2.cases
def _(draw: Any, gen: Any) -> Any:
    return gen.case(**_drawn(draw, gen))


@non_max_suppression_v3.cases
def _(draw: Any, gen: Any) -> Any:
    return gen.case(**_drawn(draw, gen, score_threshold=_least(draw, gen)))


@non_max_suppression_v4.cases
def _(draw: Any, gen: Any) -> Any:
    more = {"score_threshold": _least(draw, gen), "pad_to_max_output_size": draw(gen.booleans())}
    return gen.case(**_drawn(draw, gen, **more))


@non_max_suppression_v5.cases
def _(draw: Any, gen: Any) -> Any:
    more = {"score_threshold": _least(draw, gen), "pad_to_max_output_size": draw(gen.booleans())}
    sigma = draw(gen.sampled_from([0.0, 0.5, 0.125, 4.0]))
    return gen.case(**_drawn(draw, gen, soft_nms_sigma=sigma, **more))


@non_max_suppression_with_overlaps.cases
def _(draw: Any, gen: Any) -> Any:
    count = draw(gen.integers(0, 12))
    return gen.case(
        overlaps=draw(gen.tensors(shape=(count, count), dtype="float32")),
        scores=draw(gen.tensors(shape=(count,), dtype="float32")),
        max_output_size=draw(gen.integers(0, 14)),
        overlap_threshold=draw(gen.sampled_from([0.5, 0.0, -1.0, 2.0])),
        score_threshold=_least(draw, gen),
    )
