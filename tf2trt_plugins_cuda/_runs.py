"""Planning the reduction of rows by key: what segment reductions and scatters have in common (``segments.cu``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY
from tf2trt_core.kernels import Buffer, Call, ceil_div
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import RadixSort, sort_entries

TYPES = "float32 float16 bfloat16 int32 int64"
INDEX = "int32 int64"
SOURCE = Path(__file__).with_name("segments.cu")
_THREADS = 256
_SHORTEST_CHUNK = 16
#: Threads per multiprocessor that rows are divided among: whole waves of blocks.
_THREADS_AT_ONCE = 768


def entries(functor: str) -> dict[str, str]:
    """The entries for one reduction; V is ``kColumns`` of the source, or one."""
    names = {"fill": "tf2trt::fill<{T}>"}
    for label, pack in (("", "1"), (", wide", "tf2trt::kColumns<{T}>")):
        names[f"reduce{label}"] = f"tf2trt::reduce_runs<{{T}}, tf2trt::{functor}, {pack}>"
        names[f"join{label}"] = f"tf2trt::join_runs<{{T}}, tf2trt::{functor}, {pack}>"
    return names | sort_entries("unsigned")


def fill(call: Call, target: Buffer, value: float) -> None:
    """Set every element."""
    if value == 0:
        call.memset(target, 0)
        return
    scalar = CARRIER_NUMPY[target.dtype].type(value)
    call.launch("fill", call.grid(target.size, _THREADS), _THREADS, target, target.size, scalar)


def reduce_by_key(
    call: Call,
    data: Buffer,
    keys: Buffer,
    out: Buffer,
    segments: int,
    *,
    rows: Buffer | None = None,
    sorting: RadixSort | None = None,
    in_order: bool = False,
    scale: int = 0,
    combine: bool = False,
) -> None:
    """Reduce rows of ``data`` with equal keys into rows of ``out``, which has its initial values.

    ``rows``: which row of ``data`` each key is about, if not in turn; none where that is beyond the last. ``scale``:
    1 divides by the number of rows, 2 by its root. ``combine``: each run begins with what ``out`` has.
    """
    count, width = keys.size, out.size // segments if segments else 0
    if not count or not width:
        return
    if not in_order and not sorting:
        call.launch("add", call.grid(count, _THREADS), _THREADS, data, keys, out, count, np.int32(width), segments)
        return
    if sorting:
        keys, rows = sorting.run(keys, rows)
    pack = max(min(16 // itemsize(data.dtype), 4), 2)  # kColumns in the source
    wide = width % pack == 0
    columns = width // pack if wide else width
    lanes = min(1 << (columns - 1).bit_length(), 32)
    chunk = max(ceil_div(count * lanes, call.device.multiprocessors * _THREADS_AT_ONCE), _SHORTEST_CHUNK)
    chunks = ceil_div(count, chunk)
    accumulator = "float32" if data.dtype in ("float16", "bfloat16") else data.dtype
    parts = [call.workspace(accumulator, chunks, width) for _ in range(2)]
    lengths = [call.workspace("int64", chunks) for _ in range(2)]
    height = ceil_div(columns, lanes)
    label = ", wide" if wide else ""
    shared = (*parts, *lengths, np.int32(scale))
    call.launch(
        f"reduce{label}", (ceil_div(chunks * lanes, _THREADS), height), _THREADS,
        data, keys, rows, out, count, width, segments, data.size // width, chunk, np.int32(lanes),
        *shared, combine,
    )  # fmt: skip
    if chunks > 1:
        call.launch(
            f"join{label}", (ceil_div(chunks, 32), height), _THREADS,
            keys, out, count, width, segments, chunk, np.int32(lanes), *shared,
        )  # fmt: skip
