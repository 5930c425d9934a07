"""tf.sparse.segment_*: rows picked by index and reduced by segment in one pass; the core of embedding look-ups."""

from __future__ import annotations

from typing import Any

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.kernels import Call, Kernel
from tf2trt_plugins_cuda._keys import clipped
from tf2trt_plugins_cuda._runs import SOURCE, entries, fill, reduce_by_key
from tf2trt_plugins_cuda.references import rows

INDEX = "int32 int64"
#: Reduction → what the sum is divided by: nothing, the number of rows, its root.
_SCALE = {"Sum": 0, "Mean": 1, "SqrtN": 2}
_FLOATS = "float32 float16 bfloat16"


def _shape(data: Any, segments: Any) -> list[Any]:
    return [(segments, *data[1:])]


def _kernel(name: str, *, counted: bool) -> Kernel:
    def launches(call: Call) -> None:
        (data, indices, ids), (out,) = call.inputs, call.outputs
        fill(call, out, 0)
        keys, _ = clipped(call, ids, out.shape[0], "keys")
        picked, _ = clipped(call, indices, data.shape[0], "rows")
        for size in call.sizes:
            call.launch("count", 1, 1, ids, ids.size, size)
        reduce_by_key(call, data, keys, out, out.shape[0], rows=picked, in_order=True, scale=_SCALE[name])

    given = "" if counted else ", segments: dim"
    return Kernel(
        f"sparse_segment_{name.lower()}{'_counted' * counted}(data: T, indices: J, ids: I{given}) -> out: T",
        SOURCE,
        {"T": _FLOATS + " int32 int64" if name == "Sum" else _FLOATS, "I": INDEX, "J": INDEX},
        {
            **entries("Sum"),
            "keys": "tf2trt::clip_keys<{I}, unsigned>",
            "rows": "tf2trt::clip_keys<{J}, unsigned>",
            "count": "tf2trt::count_segments<{I}>",
        },
        shape=_shape,
        launches=launches,
        agree=lambda indices, ids: [(indices, ids)],
        sizes={"segments": lambda ids: ids[0]} if counted else {},
        reference=rows.sparse_segments(_SCALE[name]),
    )


FIXED = {f"SparseSegment{name}WithNumSegments": _kernel(name, counted=False) for name in _SCALE}
COUNTED = {f"SparseSegment{name}": _kernel(name, counted=True) for name in _SCALE}
KERNELS = (*FIXED.values(), *COUNTED.values())


@op(*FIXED)
def sparse_segment_fixed(ctx: Context, data: Value, indices: Value, segment_ids: Value, num_segments: Dim) -> Value:
    """Empty segments are 0. Indices and segments out of range are left out; TensorFlow's CPU kernel refuses them."""
    return ctx.launch(FIXED[ctx.node.op], data, indices, segment_ids, segments=num_segments)[0]


@sparse_segment_fixed.cases
def _(draw, gen):
    data, indices, ids = _rows(draw, gen)
    last = int(ids[-1]) if ids.size else 0
    count = draw(gen.integers(last + 1, last + 3))
    return gen.case(data=data, indices=indices, segment_ids=ids, num_segments=count)


@op(*COUNTED)
def sparse_segment(ctx: Context, data: Value, indices: Value, segment_ids: Value) -> Value:
    """As many segments as the last id says; empty ones are 0."""
    if segment_ids.is_known:
        count = int(segment_ids.array[-1]) + 1 if segment_ids.array.size else 0
        kernel = FIXED[f"{ctx.node.op}WithNumSegments"]
        return ctx.launch(kernel, data, indices, segment_ids, segments=count)[0]
    return ctx.launch(COUNTED[ctx.node.op], data, indices, segment_ids)[0]


@sparse_segment.cases
def _(draw, gen):
    data, indices, ids = _rows(draw, gen)
    return gen.case(data=data, indices=indices, segment_ids=ids)


def _rows(draw: Any, gen: Any) -> tuple[Any, Any, Any]:
    """Data, and which of its rows belong to which segment."""
    data = draw(gen.tensors(rank=(1, 3), shape=draw(gen.shapes(rank=(1, 3), low=1))))
    count = draw(gen.integers(0, 8))
    ids = draw(gen.tensors(shape=(count,), attr="Tsegmentids", low=0, high=max(count, 1)))
    ids.sort()
    return data, draw(gen.tensors(shape=(count,), attr="Tidx", low=0, high=data.shape[0] - 1)), ids
