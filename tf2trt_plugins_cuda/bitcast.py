"""tf.bitcast: the bytes of numbers as those of another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Limit, Value, op
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.kernels import Call, Kernel
from tf2trt_plugins_cuda.bitwise import INTEGERS, SOURCE, width
from tf2trt_plugins_cuda.references import bits

_THREADS = 256
_ANY = f"{INTEGERS} float32 float16 bfloat16"


def _bitcast_shape(x: Any, source: int, target: int) -> list[Any]:
    if abs(source) > abs(target):
        return [(*x, abs(source) // abs(target))]
    return [x[:-1] if abs(source) < abs(target) else x]


def _bitcast(call: Call) -> None:
    (x,), (y,) = call.inputs, call.outputs
    widths = [np.int32(call.number(name)) for name in ("source", "target")]
    call.launch("bitcast", call.grid(y.size, _THREADS), _THREADS, x, y, y.size, *widths)


BITCAST = Kernel(
    "bitcast(x: T, Y: type, source: int, target: int) -> y: Y",
    SOURCE,
    {"T": _ANY, "Y": _ANY},
    {"bitcast": "tf2trt::bitcast<{T}, {Y}>"},
    shape=_bitcast_shape,
    launches=_bitcast,
    reference=lambda x, Y, source, target: [bits.bitcast(x, Y, source, target)],
)
KERNELS = (BITCAST,)


@op(
    "Bitcast",
    carries=NARROW,
    limits=[
        Limit("float64 is carried in float32 and has no bytes of its own", when=lambda T: T == "float64"),
        Limit("float64 is carried in float32: bytes do not become one", when=lambda type: type == "float64"),  # noqa: A006 - the OpDef's name
    ],
)
def bitcast(ctx: Context, input: Value, type: str) -> Value:
    """The same bytes as elements of another dtype; the last axis appears or goes where the sizes differ."""
    return ctx.launch(BITCAST, input, Y=type, source=width(input.dtype), target=width(type))[0]


@bitcast.cases
def _(draw, gen):
    x = draw(gen.tensors(special=False))
    # to floats: tests/kernels; the float64 by which conformance measures errors has other bytes
    type = draw(gen.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "int64"]))
    grown = DTYPES[type].bits // (8 * x.itemsize)
    if grown > 1:
        x = draw(gen.tensors(shape=(*x.shape, grown), special=False))
    return gen.case(input=x, type=type)
