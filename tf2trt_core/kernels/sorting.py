"""Planning the radix sort of ``tf2trt/sort.cuh`` as part of a kernel's launches."""

from __future__ import annotations

import numpy as np

from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, ceil_div

_THREADS = 256
_DIGIT = 8
#: From so many elements a row's tiles are large.
_LARGE = 1 << 18
#: Elements of a row that a block counts at least.
_COUNTED = 32 * _THREADS


def sort_entries(key: str) -> dict[str, str]:
    """What a declaration's ``entries`` needs for ``sort``; ``key``: "unsigned" or "unsigned long long"."""
    large = 16 if key == "unsigned" else 8
    return {
        "sort histogram": f"tf2trt::radix_histogram<{key}>",
        "sort pass": f"tf2trt::radix_pass<{key}, 4>",
        "sort pass, large": f"tf2trt::radix_pass<{key}, {large}>",
    }


def sort(
    call: Call, keys: Buffer, count: int, bits: int, *, rows: int = 1, values: Buffer | None = None
) -> tuple[Buffer, Buffer]:
    """Sort rows of unsigned keys by their lowest ``bits``, stably: (sorted keys, ``values`` in the same order).

    ``values``: 32 bits each; where each key is in its row if not given.
    """
    if count >= 2**32:
        raise KernelError(f"{count} elements in a row; a sort counts to 4294967295")
    passes = max(ceil_div(bits, _DIGIT), 1)
    large = count >= _LARGE
    entry = "sort pass, large" if large else "sort pass"
    tiles = ceil_div(count, _THREADS * ((8 if keys.dtype == "int64" else 16) if large else 4))
    record = (1 << _DIGIT) + 1 + tiles * (1 << _DIGIT)
    state = call.workspace("int64", passes, rows, record)
    call.memset(state, 0)
    blocks = min(ceil_div(count, _COUNTED), 4 * call.device.multiprocessors)
    call.launch("sort histogram", blocks * rows, _THREADS, keys, state, count, record, blocks, np.int32(passes))
    buffers = [
        (call.workspace(keys.dtype, rows, count), call.workspace("int32", rows, count)) for _ in range(min(passes, 2))
    ]
    source = (keys, values or buffers[0][1])
    for turn in range(passes):
        target = buffers[turn % 2]
        call.launch(
            entry, tiles * rows, _THREADS, *source, *target, count,
            state.part(turn), record, tiles, np.int32(_DIGIT * turn), np.int32(turn == 0 and values is None),
        )  # fmt: skip
        source = target
    return source
