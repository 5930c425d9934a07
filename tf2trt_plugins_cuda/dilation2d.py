"""tf.nn.dilation2d, and tf.nn.erosion2d, which is one of negated numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Value, op
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.kernels import Call, Kernel
from tf2trt_plugins_cuda._sliding import before, extent, launch, reach
from tf2trt_plugins_cuda.references.windows import dilation2d as reference

SOURCE = Path(__file__).with_suffix(".cu")


def _shape(
    x: Any, filter: Any, row_stride: int, column_stride: int, row_rate: int, column_rate: int, same: bool
) -> list[Any]:
    height = extent(x[1], reach(filter[0], row_rate), row_stride, same=same)
    width = extent(x[2], reach(filter[1], column_rate), column_stride, same=same)
    return [(x[0], height, width, x[3])]


def _agree(x: Any, filter: Any) -> list[Any]:
    return [(filter[2:], x[3:])]


def _launches(call: Call) -> None:
    (x, taps), (y,) = call.inputs, call.outputs
    stride = [call.number(name) for name in ("row_stride", "column_stride")]
    rate = [call.number(name) for name in ("row_rate", "column_rate")]
    same = bool(call.scalars["same"])
    covered = map(reach, taps.shape[:2], rate)
    border = [before(*numbers, same=same) for numbers in zip(x.shape[1:3], covered, stride, strict=True)]
    numbers = [np.int32(one) for one in (*taps.shape[:2], *stride, *rate)]
    launch(call, "dilate", y, x, *x.shape[1:], *y.shape[1:3], *numbers, *border, np.int32(call.number("bits")))


DILATION2D = Kernel(
    "dilation2d(x: T, filter: T, row_stride: int, column_stride: int, row_rate: int, column_rate: int, same: bool,"
    " bits: int) -> y: T",
    SOURCE,
    {"T": "float32 float16 bfloat16 int32 int64"},
    {"dilate": "tf2trt::dilation2d<{T}, 1>", "dilate, wide": "tf2trt::dilation2d<{T}, tf2trt::kChannels<{T}>>"},
    shape=_shape,
    launches=_launches,
    agree=_agree,
    reference=reference,
)
KERNELS = (DILATION2D,)


@op("Dilation2D", carries=NARROW)
def dilation2d(ctx: Context, input: Value, filter: Value, strides: list[int], rates: list[int], padding: str) -> Value:
    """What lies outside the image, and NaN, are never the largest; the lowest number of the dtype where nothing is."""
    dtype = DTYPES[input.dtype]
    bits = dtype.bits * (-1 if dtype.name.startswith("uint") else 1) if dtype.integer and dtype.bits < 32 else 0
    scalars = {"row_stride": strides[1], "column_stride": strides[2], "row_rate": rates[1], "column_rate": rates[2]}
    return ctx.launch(DILATION2D, input, filter, **scalars, same=padding == "SAME", bits=bits)[0]


@dilation2d.cases
def _(draw: Any, gen: Any) -> Any:
    taps, stride, rate = ([draw(gen.integers(1, 3)) for _ in range(2)] for _ in range(3))
    height, width = ((size - 1) * step + 1 + draw(gen.integers(0, 4)) for size, step in zip(taps, rate, strict=True))
    depth = draw(gen.sampled_from([1, 2, 3, 4, 8]))
    return gen.case(
        input=draw(gen.tensors(shape=(draw(gen.integers(1, 3)), height, width, depth))),
        filter=draw(gen.tensors(shape=(*taps, depth))),
        strides=[1, *stride, 1],
        rates=[1, *rate, 1],
        padding=draw(gen.sampled_from(["SAME", "VALID"])),
    )
