"""tf.unique and its kin: what is distinct, in the order of first occurrence, which of it everything is, how often."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import Const, Context, Limit, Value, op
from tf2trt_core.kernels import Call, Kernel, KernelError
from tf2trt_core.kernels.scanning import THREADS, choose, choose_entries
from tf2trt_plugins_cuda._cases import normal
from tf2trt_plugins_cuda.references.unique import unique as reference

SOURCE = Path(__file__).with_suffix(".cu")
_TYPES = "float32 float16 bfloat16 int32 int64 bool"
#: Drawn cases are no longer along the axis.
_LONGEST = 40


def _launches(call: Call) -> None:
    (x,), (y, index, *counts), (found,) = call.inputs, call.outputs, call.sizes
    axis = call.number("axis")
    count, outer, inner = x.shape[axis], math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    if count > 1 << 31:
        raise KernelError(f"{count} slices; a table of them has 2147483648 at most")
    table = call.workspace("int32", 1 << max(2 * count - 1, 1).bit_length())
    slots, numbers, leaders = (call.workspace("int32", count) for _ in range(3))
    call.memset(table, 0xFF)
    for one in counts:
        call.memset(one, 0)
    grid = call.grid(count, THREADS)
    call.launch("enter", grid, THREADS, x, count, outer, inner, table, np.uint32(table.size - 1), slots)
    choose(call, count, found, (table, slots), (numbers, leaders))
    call.launch("look up", grid, THREADS, slots, numbers, index, counts[0] if counts else None, count)
    call.launch("gather", call.grid(x.size, THREADS), THREADS, x, leaders, found, y, count, outer, inner)


def _shape(x: Any, axis: int, found: Any) -> list[Any]:
    return [(*x[:axis], found, *x[axis + 1 :]), (x[axis],)]


def _kernel(name: str, outputs: str, *, counts: bool) -> Kernel:
    return Kernel(
        f"{name}(x: T, I: type, axis: int) -> {outputs}",
        SOURCE,
        {"T": _TYPES, "I": "int32 int64"},
        {
            "enter": "tf2trt::enter_rows<{T}>",
            **choose_entries("tf2trt::mark_firsts", "tf2trt::number_firsts"),
            "look up": "tf2trt::look_up<{I}>",
            "gather": "tf2trt::gather_rows<{T}>",
        },
        shape=lambda x, axis, found: [*_shape(x, axis, found), *([(found,)] * counts)],
        launches=_launches,
        sizes={"found": lambda x, axis: x[axis]},
        reference=lambda x, axis: reference(x, axis)[: 2 + counts],
    )


UNIQUE = _kernel("unique", "y: T, index: I", counts=False)
WITH_COUNTS = _kernel("unique_with_counts", "y: T, index: I, counts: I", counts=True)
KERNELS = (UNIQUE, WITH_COUNTS)


@op("Unique", "UniqueWithCounts")
def unique(ctx: Context, x: Value, out_idx: str) -> list[Value]:
    """Both zeros are one number; every NaN is a number of its own."""
    return ctx.launch(UNIQUE if ctx.node.op == "Unique" else WITH_COUNTS, x, I=out_idx, axis=0)


@unique.cases
def _(draw, gen):
    shape = draw(gen.shapes(rank=1, high=_LONGEST))
    x = normal(draw(_values(draw, gen, shape) | gen.tensors(shape=shape)))
    return gen.case(x=x, out_idx=draw(_index(gen)))


@op(
    "UniqueV2", "UniqueWithCountsV2",
    limits=[Limit("without an axis TensorFlow takes vectors only", when=lambda x, axis: not axis.size and x.rank != 1)],
)  # fmt: skip
def unique_along(ctx: Context, x: Value, axis: Const, out_idx: str) -> list[Value]:
    """Distinct slices along an axis."""
    along = int(axis.ravel()[0]) % x.rank if axis.size else 0
    return ctx.launch(UNIQUE if ctx.node.op == "UniqueV2" else WITH_COUNTS, x, I=out_idx, axis=along)


@unique_along.cases
def _(draw, gen):
    shape = list(draw(gen.shapes(rank=(1, 3))))
    along = draw(gen.axis(len(shape)))
    shape[along] = draw(gen.just(shape[along]) | gen.integers(1, _LONGEST))
    x = draw(_values(draw, gen, shape))
    axis = [along] if x.ndim > 1 or draw(gen.booleans()) else []
    return gen.case(x=x, axis=np.array(axis, gen.dtype("Taxis")), out_idx=draw(_index(gen)))


def _values(draw: Any, gen: Any, shape: Any) -> Any:
    """Few values that come often, or many, or one; or none twice."""
    low = draw(gen.integers(-20, 20))
    few = gen.tensors(shape=shape, low=low, high=low + draw(gen.integers(0, 3)))
    return few | gen.tensors(shape=shape, low=low, high=low + _LONGEST) | gen.tensors(shape=shape, unique=True)


def _index(gen: Any) -> Any:
    return gen.sampled_from(["int32", "int64"])
