"""tf.math.segment_* and unsorted_segment_*: rows reduced by the segment that each belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.kernels import Call, Kernel
from tf2trt_core.kernels.sorting import count_entries
from tf2trt_plugins_cuda._cases import normal
from tf2trt_plugins_cuda._keys import clipped, sorts
from tf2trt_plugins_cuda._runs import INDEX, SOURCE, TYPES, entries, fill, reduce_by_key
from tf2trt_plugins_cuda.references import rows

_KEYS = count_entries("keys", "tf2trt::clip_keys<{I}, {W}>")
#: Floating elements drawn are no larger, or infinite.
_LARGE = 1e4


def _shape(data: Any, ids: Any, segments: Any) -> list[Any]:
    return [(segments, *data[len(ids) :])]


def _launches(name: str, *, in_order: bool) -> Callable[[Call], None]:
    functor = "Sum" if name == "Mean" else name
    # an unsorted maximum begins with the lowest number, not with nothing
    combine = not in_order and name in ("Max", "Min")

    def launches(call: Call) -> None:
        (data, ids), (out,) = call.inputs, call.outputs
        fill(call, out, rows.empty(functor, out.dtype, in_order=in_order))
        sorting = None if in_order else sorts(call, data, out, ids.size, out.shape[0])
        keys, picked = clipped(call, ids, out.shape[0], "keys", sorting)
        for size in call.sizes:
            call.launch("count", 1, 1, ids, ids.size, size)
        reduce_by_key(
            call, data, keys, out, out.shape[0],
            rows=picked, sorting=sorting, in_order=in_order, scale=int(name == "Mean"), combine=combine,
        )  # fmt: skip

    return launches


def _kernel(name: str, *, in_order: bool, counted: bool = False) -> Kernel:
    """``counted``: the number of segments comes from the last id.

    A row can open no more than one segment, so where ids have gaps they can number more segments than there are
    rows: a run then ends with an error.
    """
    functor = "Sum" if name == "Mean" else name
    given = "" if counted else ", segments: dim"
    narrow = {"add": "tf2trt::add_rows<{T}>"} if functor == "Sum" and not in_order else {}
    return Kernel(
        f"{'' if in_order else 'unsorted_'}segment_{name.lower()}{'_counted' * counted}"
        f"(data: T, ids: I{given}) -> out: T",
        SOURCE,
        {"T": TYPES, "I": INDEX},
        {**entries(functor), **narrow, **_KEYS, "count": "tf2trt::count_segments<{I}>"},
        shape=_shape,
        launches=_launches(name, in_order=in_order),
        agree=lambda data, ids: [(data[: len(ids)], ids)],
        sizes={"segments": lambda ids: ids[0]} if counted else {},
        reference=rows.segments(name, in_order=in_order),
    )


_ALL = ("Sum", "Mean", "Max", "Min", "Prod")
UNSORTED = {f"UnsortedSegment{name}": _kernel(name, in_order=False) for name in ("Sum", "Max", "Min", "Prod")}
SORTED = {f"Segment{name}": _kernel(name, in_order=True) for name in _ALL}
COUNTED = {f"Segment{name}": _kernel(name, in_order=True, counted=True) for name in _ALL}
KERNELS = (*UNSORTED.values(), *SORTED.values(), *COUNTED.values())


@op(*UNSORTED)
def unsorted_segment(ctx: Context, data: Value, segment_ids: Value, num_segments: Dim) -> Value:
    """Rows of negative segments are left out, and those beyond the last, which TensorFlow's CPU kernel refuses.

    An empty segment is 0 (Sum), 1 (Prod), the lowest (Max) or the highest number (Min). Of a segment with NaN the
    maximum and minimum are NaN, where TensorFlow's CPU kernels go by its place in memory.
    """
    return ctx.launch(UNSORTED[ctx.node.op], data, segment_ids, segments=num_segments)[0]


@unsorted_segment.cases
def _(draw, gen, op):
    data = normal(draw(gen.tensors(rank=(1, 4))))
    # What depends on the order: the largest of numbers and NaN, and whether a sum or product overflows on the way.
    if data.dtype.kind not in "iu":
        size = abs(data.astype("float64"))
        data[np.isnan(size) if op.endswith(("Max", "Min")) else np.isfinite(size) & (size > _LARGE)] = 0
    prefix = data.shape[: draw(gen.integers(0, data.ndim))]
    count = draw(gen.integers(1, 6))
    ids = draw(gen.tensors(shape=prefix, attr="Tindices", low=-1, high=count - 1))
    return gen.case(data=data, segment_ids=ids, num_segments=count)


@op(*SORTED)
def segment(ctx: Context, data: Value, segment_ids: Value) -> Value:
    """As many segments as the last id says; empty ones are 0 (Prod: 1). Ids must be in order, as in TensorFlow.

    Of a segment with NaN the maximum and minimum are NaN, where TensorFlow's CPU kernels go by its place in memory.
    """
    if segment_ids.is_known:
        count = int(segment_ids.array[-1]) + 1 if segment_ids.array.size else 0
        return ctx.launch(SORTED[ctx.node.op], data, segment_ids, segments=count)[0]
    return ctx.launch(COUNTED[ctx.node.op], data, segment_ids)[0]


@segment.cases
def _(draw, gen, op):
    data = draw(gen.tensors(rank=(1, 4)))
    if op in ("SegmentMax", "SegmentMin"):  # what TensorFlow does with NaN depends on its place in memory
        data = np.where(data == data, data, data.dtype.type(0))  # noqa: PLR0124 - NaN
    ids = draw(gen.tensors(shape=data.shape[:1], attr="Tindices", low=0, high=max(data.shape[0], 1)))
    ids.sort()
    return gen.case(data=data, segment_ids=ids)
