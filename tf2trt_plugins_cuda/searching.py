"""tf.searchsorted: where values belong in sorted rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Limit, Value, op
from tf2trt_core.kernels import Call, Kernel, KernelError, ceil_div
from tf2trt_core.kernels.declaration import Array
from tf2trt_core.kernels.signature import itemsize

SOURCE = Path(__file__).with_suffix(".cu")
_THREADS = 512
#: Values that a block searches for at once.
_SHARE = _THREADS * 4
#: The functor holds nothing.
_EMPTY = np.uint8(0)


def _launches(call: Call) -> None:
    (rows, values), (out,) = call.inputs, call.outputs
    length, (height, count) = rows.shape[1], values.shape
    if length >= 2**31 and out.dtype == "int32":
        raise KernelError(f"rows of {length} elements have places that int32 does not hold: ask for int64")
    room = max(call.device.shared_bytes // 2 // itemsize(rows.dtype), 2).bit_length() - 1
    levels = min(max(length, 1).bit_length(), room)
    if not 0 < length < 2**31 or count < 2 << levels:
        grid = call.grid(out.size, _THREADS, 16)
        call.launch("rows", grid, _THREADS, rows, values, out, height, length, count, _EMPTY)
        return
    stride = 1 << (ceil_div(length, (1 << levels) - 1) - 1).bit_length()
    call.launch(
        "tree", (call.grid(count, _SHARE, 3), min(height, 65535)), _THREADS,
        rows, values, out, height, np.int32(length), count, np.int32(levels), np.int32(stride), _EMPTY,
        shared=itemsize(rows.dtype) << levels,
    )  # fmt: skip


def _kernel(name: str, functor: str) -> Kernel:
    def reference(rows: Array, values: Array) -> list[Array]:
        """Plain bisection, all values at once."""
        low, high = np.zeros(values.shape, np.int64), np.full(values.shape, rows.shape[1], np.int64)
        while np.any(low < high):
            middle = (low + high) // 2
            element = np.take_along_axis(rows, np.minimum(middle, rows.shape[1] - 1), 1)
            behind = (low < high) & (element < values if functor == "Lower" else ~(values < element))
            low, high = np.where(behind, middle + 1, low), np.where(behind | (low == high), high, middle)
        return [low]

    return Kernel(
        f"{name}(rows: T, values: T, O: type) -> out: O",
        SOURCE,
        {"T": "float32 float16 bfloat16 int32 int64", "O": "int32 int64"},
        {
            "rows": f"tf2trt::search_rows<{{T}}, {{O}}, tf2trt::{functor}>",
            "tree": f"tf2trt::search_tree<{{T}}, {{O}}, tf2trt::{functor}>",
        },
        shape=lambda values: [values],
        launches=_launches,
        agree=lambda rows, values: [(values[:1], rows[:1])],
        reference=reference,
    )


KERNELS = {"LowerBound": _kernel("lower_bound", "Lower"), "UpperBound": _kernel("upper_bound", "Upper")}


@op(
    *KERNELS,
    carries=NARROW,
    limits=[Limit("bools have no order in TensorFlow's kernels", when=lambda T: T == "bool")],
)
def search_sorted(ctx: Context, sorted_inputs: Value, values: Value, out_type: str) -> Value:
    """The first place that keeps a row sorted, or the last one. Of rows that are not sorted it is some place."""
    return ctx.launch(KERNELS[ctx.node.op], sorted_inputs, values, O=out_type)[0]


@search_sorted.cases
def _(draw: Any, gen: Any) -> Any:
    height = draw(gen.integers(1, 3))
    rows = draw(gen.tensors(shape=(height, draw(gen.integers(0, 40))), low=-8, high=8))
    rows.sort(axis=1)
    values = draw(gen.tensors(shape=(height, draw(gen.sampled_from([0, 1, 7, 300]))), low=-10, high=10))
    return gen.case(sorted_inputs=rows, values=values, out_type=draw(gen.sampled_from(["int32", "int64"])))
