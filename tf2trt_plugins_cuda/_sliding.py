"""Windows that slide over images: output extents, borders, and the launch of kernels that use ``channels.cuh``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf2trt_core.dims import ceil_div as dim_ceil_div
from tf2trt_core.dims import floor_div
from tf2trt_core.kernels import Buffer, Call, ceil_div
from tf2trt_core.kernels.signature import itemsize

_THREADS = 256


def reach(taps: Any, rate: int) -> Any:
    """From the first place that a window covers to the last."""
    return (taps - 1) * rate + 1


def extent(size: Any, covered: Any, stride: int, *, same: bool) -> Any:
    """How many windows there are, of whatever dims are given."""
    return dim_ceil_div(size, stride) if same else floor_div(size - covered + stride, stride)


def before(size: int, covered: int, stride: int, *, same: bool) -> np.int32:
    """How far the first window begins before the image; the odd place is at the end."""
    if not same:
        return np.int32(0)
    return np.int32(max((ceil_div(size, stride) - 1) * stride + covered - size, 0) // 2)


def launch(call: Call, entry: str, target: Buffer, source: Buffer, *arguments: Any) -> None:
    """Launch ``entry`` for each element of ``target``, or ``entry, wide`` for packs of channels as in ``source``.

    It gets the inputs, the outputs, how many elements or packs there are, and ``arguments``.
    """
    pack = 2 if itemsize(source.dtype) == 8 else 4  # kChannels in the source
    wide = target.shape[-1] % pack == 0
    count = target.size // pack if wide else target.size
    if wide:
        entry = f"{entry}, wide"
    call.launch(entry, call.grid(count, _THREADS, 64), _THREADS, *call.inputs, *call.outputs, count, *arguments)
