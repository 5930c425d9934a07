"""tf.math.cumprod and cumulative_logsumexp."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tf2trt_core import Const, Context, Value, op
from tf2trt_core.kernels import Call, Kernel, KernelError, ceil_div
from tf2trt_core.kernels.signature import itemsize
from tf2trt_plugins_cuda._cases import normal
from tf2trt_plugins_cuda.references import cumulative

SOURCE = Path(__file__).with_suffix(".cu")
_THREADS = 256
_WARPS = _THREADS // 32
#: Rows of a tile of columns for each warp; elements per thread of a tile of a row.
_DEPTHS = (8, 16, 32)
_EACH = 16
#: Blocks per multiprocessor with which each can go along its row or 64 columns, waiting for no other.
_WALKS, _WALKS_COLUMNS = 4, 1.5


def _launches(call: Call) -> None:
    (x,) = call.inputs
    axis = call.number("axis") % max(len(x.shape), 1)
    length = x.shape[axis] if x.shape else 1
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    if not x.size:
        return
    flags = (call.scalars["exclusive"], call.scalars["reverse"])
    if inner == 1:
        _rows(call, outer, length, flags)
        return
    _columns(call, outer, length, inner, flags)


def _rows(call: Call, rows: int, length: int, flags: tuple[object, object]) -> None:
    x, y = call.inputs[0], call.outputs[0]
    if rows >= _WALKS * call.device.multiprocessors:
        call.launch("walk rows", rows, _THREADS, x, y, length, *flags)
        return
    tiles = ceil_div(length, _THREADS * _EACH)
    call.launch("rows", rows * tiles, _THREADS, x, y, length, tiles, *flags, *_state(call, x.dtype, rows * tiles, 1))


def _columns(call: Call, outer: int, length: int, inner: int, flags: tuple[object, object]) -> None:
    x, y = call.inputs[0], call.outputs[0]
    blocks = ceil_div(inner, 64)
    if outer * blocks >= _WALKS_COLUMNS * call.device.multiprocessors:
        call.launch("walk columns", outer * blocks, _THREADS, x, y, length, inner, blocks, *flags)
        return
    depths = _DEPTHS if itemsize(x.dtype) < 8 else _DEPTHS[:-1]
    depth = next((one for one in depths if one * _WARPS >= length), depths[-1])
    tiles, blocks = ceil_div(length, depth * _WARPS), ceil_div(inner, 32)
    stripes = outer * blocks
    state = _state(call, x.dtype, stripes * tiles, 32)
    call.launch(f"columns by {depth}", stripes * tiles, _THREADS, x, y, length, inner, blocks, tiles, *flags, *state)


def _state(call: Call, dtype: str, tiles: int, width: int) -> tuple[object, ...]:
    """A ticket and flags, zeroed, and what tiles publish."""
    if tiles >= 2**31:
        raise KernelError(f"{tiles} tiles; a grid has 2147483647 blocks at most")
    value = "float32" if itemsize(dtype) == 2 else dtype
    words = call.workspace("int32", 1 + tiles, 1)
    call.memset(words, 0)
    published = [call.workspace(value, tiles, width) for _ in range(2)]
    return (words.part(0), words.part(1), *published)


def _kernel(name: str, functor: str, types: str) -> Kernel:
    pack = "16 / sizeof({T})"
    return Kernel(
        f"{name}(x: T, axis: int, exclusive: bool, reverse: bool) -> y: T",
        SOURCE,
        {"T": types},
        {
            "rows": f"tf2trt::scan_rows<{{T}}, tf2trt::{functor}, {pack}, {_EACH} / ({pack})>",
            "walk rows": f"tf2trt::walk_rows<{{T}}, tf2trt::{functor}, {pack}, tf2trt::kWalked<{{T}}>>",
            "walk columns": f"tf2trt::walk_columns<{{T}}, tf2trt::{functor}, tf2trt::kWalkedRows<{{T}}>>",
            **{f"columns by {depth}": f"tf2trt::scan_columns<{{T}}, tf2trt::{functor}, {depth}>" for depth in _DEPTHS},
        },
        shape=lambda x: [x],
        launches=_launches,
        reference=cumulative.REFERENCES[name],
    )


KERNELS = {
    "Cumprod": _kernel("cumprod", "Prod", "float32 float16 bfloat16 int32 int64"),
    "CumulativeLogsumexp": _kernel("cumulative_logsumexp", "LogSumExp", "float32 float16 bfloat16"),
}


@op(
    *KERNELS,
    keep_float32=True,
)
def cumulative_op(ctx: Context, x: Value, axis: Const, exclusive: bool, reverse: bool) -> Value:
    """Running products, or logarithms of running sums of exponentials; ``exclusive`` leaves out the element itself."""
    if x.rank == 0:
        return x
    return ctx.launch(KERNELS[ctx.node.op], x, axis=int(axis.item()), exclusive=exclusive, reverse=reverse)[0]


@cumulative_op.cases
def _(draw, gen, op):
    x = normal(draw(gen.tensors(rank=(1, 4))))
    if op == "CumulativeLogsumexp":  # releases of TensorFlow differ in what NaN makes of it
        x = np.where(x == x, x, x.dtype.type(0))  # noqa: PLR0124 - NaN
    axis = draw(gen.axis(x.ndim))
    return gen.case(x=x, axis=axis, exclusive=draw(gen.booleans()), reverse=draw(gen.booleans()))
