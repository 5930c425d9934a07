"""Planning the reduction of rows by key: what segment reductions and scatters have in common (``segments.cu``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY
from tf2trt_core.kernels import Buffer, Call, KernelError, ceil_div
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import RadixSort, sort_entries

SOURCE = Path(__file__).with_name("segments.cu")
_THREADS, _SORT_THREADS = 256, 512
_SHORTEST_CHUNK = 16
#: Threads per multiprocessor that rows are divided among: whole waves of blocks.
_THREADS_AT_ONCE = 768
#: Rows narrower than this are added by atomics, which cost more per element and nothing per row.
_NARROW = 8


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


def sorts(call: Call, data: Buffer, out: Buffer, count: int, segments: int) -> RadixSort | None:
    """The sort of ``count`` keys that are not in order; None where narrow rows are added as they come."""
    narrow = out.size < _NARROW * segments and "add" in call.entries and itemsize(data.dtype) > 2
    if narrow or not count or not out.size:
        return None
    return RadixSort(call, "int32", count, (segments - 1).bit_length())


def clipped(
    call: Call, numbers: Buffer, limit: int, entry: str, sorting: RadixSort | None = None
) -> tuple[Buffer, Buffer | None]:
    """Numbers as unsigned keys, for those that are negative or beyond it ``limit``; and rows, if keys are to be sorted.

    With rows all keys are less than ``limit``: those left out have the last key and no row. Without, numbers of 32
    bits are keys as they are, since negative ones are large without their sign.
    """
    if numbers.dtype == "int32" and limit < 2**31 and not sorting:
        return numbers, None
    return keys(call, numbers, numbers.size, limit, entry, sorting=sorting)


def keys(
    call: Call, numbers: Buffer, count: int, limit: int, entry: str, *more: object, sorting: RadixSort | None
) -> tuple[Buffer, Buffer | None]:
    """As ``clipped``, by an entry that takes ``more``."""
    if not 0 <= limit < 2**32 - 1:
        raise KernelError(f"{limit} rows; a 32-bit key counts to 4294967294")
    made = call.workspace("int32", count)
    picked = call.workspace("int32", count) if sorting else None
    arguments = (numbers, made, picked, *more, limit)
    if sorting:
        sorting.count(entry, *arguments)
    else:  # no pass, no counts
        blocks = call.grid(count, _SORT_THREADS * 4)
        call.launch(entry, blocks, _SORT_THREADS, *arguments, None, count, 0, blocks, np.int32(0))
    return made, picked


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
    other: bool = False,
) -> None:
    """Reduce rows of ``data`` with equal keys into rows of ``out``, which has its initial values.

    ``rows``: which row of ``data`` each key is about, if not in turn; none where that is beyond the last. ``scale``:
    1 divides by the number of rows, 2 by its root. ``combine``: each run begins with what ``out`` has. ``other``: the
    reduction's other kind, see the source.
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
    share = ceil_div(count * lanes, call.device.multiprocessors * _THREADS_AT_ONCE)
    chunk = max(4 * ceil_div(share, 4), _SHORTEST_CHUNK)  # keys are read by fours
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
        *shared, combine, other,
    )  # fmt: skip
    if chunks > 1:
        call.launch(
            f"join{label}", (ceil_div(chunks, 32), height), _THREADS,
            keys, out, count, width, segments, chunk, np.int32(lanes), *shared, other,
        )  # fmt: skip
