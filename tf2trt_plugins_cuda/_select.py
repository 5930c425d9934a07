"""Planning the selection of a row's k smallest keys, without a sort (``sorting.cu``)."""

from __future__ import annotations

import numpy as np

from tf2trt_core.kernels import Buffer, Call, KernelError, ceil_div
from tf2trt_core.kernels.signature import itemsize

_THREADS = 256
_DIGIT = 8
#: Elements of a tile of ``collect``, and what a block of ``narrow`` counts at least.
_TILE, _COUNTED = 4096, 8192
#: TopK's order.
LARGEST = True


def key_dtype(dtype: str) -> str:
    """The dtype of ``dtype``'s keys."""
    return "int64" if dtype == "int64" else "int32"


def select(call: Call, x: Buffer, k: int, *, descending: bool) -> tuple[Buffer, Buffer]:
    """The k-th smallest key of each row, and how many of the k have it."""
    length = x.shape[-1]
    if length >= 2**32:
        raise KernelError(f"rows of {length} elements; a sort counts to 4294967295")
    rows, bits = x.size // length, 8 * itemsize(x.dtype)
    state = call.workspace("int32", bits // _DIGIT, rows, (1 << _DIGIT) + 1)
    keys, left = call.workspace(key_dtype(x.dtype), rows), call.workspace("int32", rows)
    call.memset(state, 0)
    blocks = min(ceil_div(length, _COUNTED), max(8 * call.device.multiprocessors // rows, 1))
    for turn, shift in enumerate(range(bits - _DIGIT, -1, -_DIGIT)):
        call.launch(
            "narrow", blocks * rows, _THREADS, x, length, blocks, k, descending, keys, left, state.part(turn),
            np.int32(shift), turn == 0,
        )  # fmt: skip
    return keys, left


def collect(call: Call, x: Buffer, k: int) -> tuple[Buffer, Buffer]:
    """The keys and places of the largest k of each row, not in order but for equal ones."""
    length = x.shape[-1]
    rows, tiles = x.size // length, ceil_div(length, _TILE)
    pivots, left = select(call, x, k, descending=LARGEST)
    counts = call.workspace("int64", rows, tiles)
    keys, places = call.workspace(key_dtype(x.dtype), rows, k), call.workspace("int32", rows, k)
    call.launch("tally", rows * tiles, _THREADS, x, length, tiles, LARGEST, pivots, counts)
    call.launch("place", rows, _THREADS, counts, tiles, None)
    call.launch("collect", rows * tiles, _THREADS, x, length, tiles, k, LARGEST, pivots, left, counts, keys, places)
    return keys, places
