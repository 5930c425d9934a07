"""Planning how numbers of segments and indices become sorted keys (``segments.cu``)."""

from __future__ import annotations

import numpy as np

from tf2trt_core.kernels import Buffer, Call, KernelError
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import THREADS, RadixSort

#: Rows narrower than this are added by atomics, which cost more per element and nothing per row.
_NARROW = 8


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
        blocks = call.grid(count, THREADS * 4)
        call.launch(entry, blocks, THREADS, *arguments, None, count, 0, blocks, np.int32(0))
    return made, picked
