"""tf.nn.max_pool_with_argmax: the largest element of each window, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Limit, Value, op
from tf2trt_core.kernels import Call, Kernel, KernelError
from tf2trt_plugins_cuda._sliding import before, extent, launch
from tf2trt_plugins_cuda.references.windows import max_pool_with_argmax as reference

SOURCE = Path(__file__).with_suffix(".cu")


def _shape(x: Any, rows: int, columns: int, row_stride: int, column_stride: int, same: bool) -> list[Any]:
    height, width = extent(x[1], rows, row_stride, same=same), extent(x[2], columns, column_stride, same=same)
    return [(x[0], height, width, x[3])] * 2


def _launches(call: Call) -> None:
    (x,), (y, _) = call.inputs, call.outputs
    window = [call.number(name) for name in ("rows", "columns")]
    stride = [call.number(name) for name in ("row_stride", "column_stride")]
    same = bool(call.scalars["same"])
    places = min(window[0], x.shape[1]) * x.shape[2]
    if places >= 2**31:
        raise KernelError(f"the rows of a window have {places} places; they are counted in 32 bits")
    border = [before(*numbers, same=same) for numbers in zip(x.shape[1:3], window, stride, strict=True)]
    numbers = map(np.int32, (*window, *stride))
    launch(call, "pool", y, x, *x.shape[1:], *y.shape[1:3], *numbers, *border, bool(call.scalars["batch"]))


MAX_POOL_WITH_ARGMAX = Kernel(
    "max_pool_with_argmax(x: T, I: type, rows: int, columns: int, row_stride: int, column_stride: int, same: bool,"
    " batch: bool) -> y: T, argmax: I",
    SOURCE,
    {"T": "float32 float16 bfloat16 int32 int64", "I": "int32 int64"},
    {
        "pool": "tf2trt::max_pool_with_argmax<{T}, {I}, 1>",
        "pool, wide": "tf2trt::max_pool_with_argmax<{T}, {I}, tf2trt::kChannels<{T}>>",
    },
    shape=_shape,
    launches=_launches,
    reference=reference,
)
KERNELS = (MAX_POOL_WITH_ARGMAX,)
_OUTER = Limit(
    "pooling over the batch or the channels",
    when=lambda ksize, strides: any(sizes[axis] != 1 for sizes in (ksize, strides) for axis in (0, 3)),
)


@op("MaxPoolWithArgmax", carries=NARROW, limits=[_OUTER])
def max_pool_with_argmax(
    ctx: Context,
    input: Value,
    ksize: list[int],
    strides: list[int],
    Targmax: str,
    padding: str,
    include_batch_in_index: bool,
) -> list[Value]:
    """The first of equal elements; NaN is the largest where it comes first, and else never."""
    scalars = {"rows": ksize[1], "columns": ksize[2], "row_stride": strides[1], "column_stride": strides[2]}
    same, batch = padding == "SAME", include_batch_in_index
    return ctx.launch(MAX_POOL_WITH_ARGMAX, input, I=Targmax, **scalars, same=same, batch=batch)


@max_pool_with_argmax.cases
def _(draw: Any, gen: Any) -> Any:
    window, stride = ([draw(gen.integers(1, most)) for _ in range(2)] for most in (5, 3))
    height, width = (size + draw(gen.integers(0, 4)) for size in window)
    shape = (draw(gen.integers(1, 3)), height, width, draw(gen.sampled_from([1, 2, 3, 4, 8])))
    return gen.case(
        input=draw(gen.tensors(shape=shape)),
        ksize=[1, *window, 1],
        strides=[1, *stride, 1],
        Targmax=draw(gen.sampled_from(["int32", "int64"])),
        padding=draw(gen.sampled_from(["SAME", "VALID"])),
        include_batch_in_index=draw(gen.booleans()),
    )
