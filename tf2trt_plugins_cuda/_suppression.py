"""Planning non-maximum suppression (``non_max_suppression.cu``): of boxes, or by similarities that are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.dims import minimum
from tf2trt_core.kernels import Buffer, Call, Kernel, KernelError, ceil_div
from tf2trt_core.kernels.sorting import sort, sort_entries

SOURCE = Path(__file__).with_name("non_max_suppression.cu")
_THREADS = 256
_WALK_THREADS, _QUEUE_THREADS = 512, 256
_TILE = 64
_CHUNK = 128 * _TILE


def _launches(call: Call) -> None:
    data, scores, similarity, least, *sigma = call.inputs
    index, best, valid = call.outputs
    count, limit = scores.size, call.number("limit")
    if count >= 2**31:
        raise KernelError(f"{count} boxes have numbers that int32 does not hold: keep the best by top_k first")
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


def _agree_boxes(boxes: Any, scores: Any, similarity: Any, least: Any, sigma: Any) -> list[Any]:
    return [(boxes, (*scores, 4)), *((one, ()) for one in (similarity, least, sigma))]


def _agree_given(overlaps: Any, scores: Any, similarity: Any, least: Any) -> list[Any]:
    return [(overlaps, (*scores, *scores)), (similarity, ()), (least, ())]


def kernel(name: str, inputs: str, types: dict[str, str], reference: Callable[..., Any], *, pad: bool) -> Kernel:
    """One with boxes if it has ``types``, else with the similarity of each pair; ``pad``: outputs of fixed extents."""
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
        agree=_agree_boxes if boxes else _agree_given,
        sizes={} if pad else {"found": lambda scores, limit: minimum(scores[0], limit)},
        reference=reference,
        fma=False,
    )
