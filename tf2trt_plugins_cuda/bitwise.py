"""tf.bitwise and its kin: and, or, xor, shifts, population count, the next float."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core import NARROW, Context, Limit, Value, op
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.kernels.elementwise import binary, unary
from tf2trt_plugins_cuda.references import bits

SOURCE = Path(__file__).with_suffix(".cu")
INTEGERS = "int32 int64"


PAIRS = {
    "BitwiseAnd": binary("bitwise_and", SOURCE, "tf2trt::BitwiseAnd", INTEGERS, unroll=2, reference=np.bitwise_and),
    "BitwiseOr": binary("bitwise_or", SOURCE, "tf2trt::BitwiseOr", INTEGERS, unroll=2, reference=np.bitwise_or),
    "BitwiseXor": binary("bitwise_xor", SOURCE, "tf2trt::BitwiseXor", INTEGERS, unroll=2, reference=np.bitwise_xor),
}
SHIFTS = {
    "LeftShift": binary("left_shift", SOURCE, "tf2trt::LeftShift", INTEGERS, option=True, reference=bits.left_shift),
    "RightShift": binary(
        "right_shift", SOURCE, "tf2trt::RightShift", INTEGERS, option=True, reference=bits.right_shift
    ),
}
POPULATION_COUNT = unary(
    "population_count", SOURCE, "tf2trt::PopulationCount", INTEGERS, out="Y", out_types="int32", option=True,
    reference=bits.population_count,
)  # fmt: skip
NEXT_AFTER = binary("next_after", SOURCE, "tf2trt::NextAfter", "float32", reference=np.nextafter)
KERNELS = (*PAIRS.values(), *SHIFTS.values(), POPULATION_COUNT, NEXT_AFTER)


def width(dtype: str) -> int:
    """Bits of a dtype, negative for an unsigned integer."""
    return -DTYPES[dtype].bits if dtype.startswith("u") else DTYPES[dtype].bits


@op("BitwiseAnd", "BitwiseOr", "BitwiseXor", carries=NARROW)
def bitwise(ctx: Context, x: Value, y: Value) -> Value:
    """Bit by bit, with broadcasting."""
    return ctx.launch(PAIRS[ctx.node.op], x, y)[0]


@bitwise.cases
def _(draw, gen):
    x = draw(gen.tensors())
    return gen.case(x=x, y=draw(gen.tensors(shape=draw(gen.broadcastable(x.shape)))))


@op("LeftShift", "RightShift", carries=NARROW)
def shift(ctx: Context, x: Value, y: Value) -> Value:
    """By ``y`` bits, at least 0 and at most the width less one; to the right by the sign of the dtype."""
    return ctx.launch(SHIFTS[ctx.node.op], x, y, option=width(x.dtype))[0]


@shift.cases
def _(draw, gen):
    x = draw(gen.tensors())
    return gen.case(x=x, y=draw(gen.tensors(shape=draw(gen.broadcastable(x.shape)))))


@op("PopulationCount", carries=NARROW)
def population_count(ctx: Context, x: Value) -> Value:
    """How many bits are set."""
    return ctx.launch(POPULATION_COUNT, x, Y="uint8", option=width(x.dtype))[0]


@population_count.cases
def _(draw, gen):
    return gen.case(x=draw(gen.tensors()))


@op(
    "NextAfter",
    limits=[Limit("float64 is carried in float32, whose next number is another", when=lambda T: T == "float64")],
)
def next_after(ctx: Context, x1: Value, x2: Value) -> Value:
    """The next float32 from ``x1`` in the direction of ``x2``."""
    return ctx.launch(NEXT_AFTER, x1, x2)[0]


@next_after.cases
def _(draw, gen):
    x1 = draw(gen.tensors())
    return gen.case(x1=x1, x2=draw(gen.tensors(shape=draw(gen.broadcastable(x1.shape)))))
