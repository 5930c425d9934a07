"""tf.image.combined_non_max_suppression: for each class by itself, then the best of all classes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.dims import minimum
from tf2trt_core.kernels import Call, Kernel, KernelError
from tf2trt_core.kernels.sorting import sort, sort_entries
from tf2trt_plugins_cuda.references.combined_non_max_suppression import combined_non_max_suppression as reference

SOURCE = Path(__file__).with_suffix(".cu")
_THREADS = 256


def _shape(boxes: Any, scores: Any, per_class: Any, total: Any, pad_per_class: bool) -> list[Any]:
    places = minimum(total, per_class * scores[2]) if pad_per_class else total
    return [(boxes[0], places, 4), (boxes[0], places), (boxes[0], places), (boxes[0],)]


def _launches(call: Call) -> None:
    boxes, scores, similarity, least = call.inputs
    images, number, classes = scores.shape
    size, total = min(call.number("per_class"), number), call.outputs[1].shape[1]
    rows, places = images * classes, classes * size
    if max(number, places) >= 2**31:
        raise KernelError(f"{number} boxes, {places} kept of all classes: kernels number them by int32; keep fewer")
    facts = (number, classes, boxes.shape[2], size)
    keys, sizes = call.workspace("int32", rows, number), call.workspace("int32", rows)
    call.launch("keys", call.grid(keys.size, _THREADS), _THREADS, scores, least, keys, scores.size, number, classes)
    sorted_keys, order = sort(call, keys, number, 32, rows=rows)
    heaps = call.workspace("int64", max(rows * number, images * places))
    corners, areas = call.workspace("float32", rows * size, 4), call.workspace("float32", rows * size)
    kept = call.workspace("int32", rows * size)
    for again in (False, True):
        call.launch(
            "rows", rows, _THREADS, boxes, scores, similarity, sorted_keys, order, heaps, corners, areas, kept, sizes,
            *facts, again,
        )  # fmt: skip
    ranks = call.workspace("int32", images, places)
    grid = call.grid(ranks.size, _THREADS)
    call.launch("places", grid, _THREADS, scores, kept, sizes, ranks, ranks.size, number, classes, size)
    sorted_ranks, order = sort(call, ranks, places, 32, rows=images)
    call.launch(
        "combine", images, _THREADS, boxes, scores, sorted_ranks, order, kept, sizes, heaps, *call.outputs, *facts,
        total, bool(call.scalars["clip"]),
    )  # fmt: skip


def _agree(boxes: Any, scores: Any, similarity: Any, least: Any) -> list[Any]:
    """Boxes are of all classes together or of each."""
    shapes = [(boxes[:2], scores[:2]), (boxes[2:], (1 if boxes[2] == 1 else scores[2], 4))]
    return [*shapes, (similarity, ()), (least, ())]


COMBINED = Kernel(
    "combined_non_max_suppression(boxes: float32, scores: float32, similarity: float32, least: float32,"
    " per_class: dim, total: dim, pad_per_class: bool, clip: bool)"
    " -> best_boxes: float32, best_scores: float32, best_classes: float32, valid: int32",
    SOURCE,
    {},
    {
        "keys": "tf2trt::row_keys",
        "rows": "tf2trt::keep_rows",
        "places": "tf2trt::place_keys",
        "combine": "tf2trt::combine",
        **sort_entries("unsigned"),
    },
    shape=_shape,
    launches=_launches,
    agree=_agree,
    reference=reference,
    fma=False,
)
KERNELS = (COMBINED,)


@op("CombinedNonMaxSuppression", keep_float32=True)
def combined_non_max_suppression(
    ctx: Context,
    boxes: Value,
    scores: Value,
    max_output_size_per_class: Dim,
    max_total_size: Dim,
    iou_threshold: Value,
    score_threshold: Value,
    pad_per_class: bool,
    clip_boxes: bool,
) -> list[Value]:
    """Equal scores come in the order in which libstdc++'s heap and sort leave them, as in TensorFlow.

    That takes one thread per class or image, and is slow; scores that differ are sorted in parallel. A place that no
    box has taken counts as a score of -1 and comes before lower ones, as in TensorFlow 2.21.
    """
    return ctx.launch(
        COMBINED, boxes, scores, iou_threshold, score_threshold, per_class=max_output_size_per_class,
        total=max_total_size, pad_per_class=pad_per_class, clip=clip_boxes,
    )  # fmt: skip


@combined_non_max_suppression.cases
def _(draw: Any, gen: Any) -> Any:
    images, number, classes = draw(gen.integers(1, 2)), draw(gen.integers(1, 20)), draw(gen.integers(1, 4))
    shared = draw(gen.sampled_from([1, classes]))
    high = draw(gen.sampled_from([1.0, 2.0]))
    return gen.case(
        boxes=draw(gen.tensors(shape=(images, number, shared, 4), dtype="float32", low=-0.5, high=high)),
        scores=draw(gen.tensors(shape=(images, number, classes), dtype="float32")),
        max_output_size_per_class=draw(gen.integers(1, 12)),
        max_total_size=draw(gen.integers(1, 30)),
        iou_threshold=draw(gen.sampled_from([0.5, 0.0, 1.0, 0.25])),
        score_threshold=draw(gen.sampled_from([-math.inf, -1.0, 0.0, 0.5])),
        pad_per_class=draw(gen.booleans()),
        clip_boxes=draw(gen.booleans()),
    )
