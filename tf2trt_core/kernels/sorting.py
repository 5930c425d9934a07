"""Planning the radix sort of ``tf2trt/sort.cuh`` as part of a kernel's launches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, ceil_div
from tf2trt_core.kernels.signature import itemsize

#: The threads of a block that counts or sorts (``kSortThreads``).
THREADS = 512
_DIGIT = 8
#: Elements per thread of a tile: of long rows, by the key's bytes, and of others.
_LARGE, _SMALL = {4: 16, 8: 8}, 4
#: Rows of so many elements have large tiles, and rows of so many counts of 64 bits.
_LONG, _HUGE = 1 << 18, 1 << 30
#: Elements of a row that a block counts at least.
_COUNTED = 8 * THREADS


def count_entries(name: str, function: str) -> dict[str, str]:
    """The entries of a kernel that counts digits; ``function`` has {W} for the type of its counts."""
    return {
        name: function.replace("{W}", "unsigned"),
        f"{name}, huge": function.replace("{W}", "unsigned long long"),
    }


def pass_entries(name: str, function: str, key: str) -> dict[str, str]:
    """The entries of a kernel that sorts by a digit; ``function`` has {W}, and {N} for a thread's elements."""
    large = function.replace("{N}", str(_LARGE[4 if key == "unsigned" else 8]))
    small = function.replace("{N}", str(_SMALL)).replace("{W}", "unsigned")
    return {f"{name}, small": small, **count_entries(f"{name}, large", large)}


def sort_entries(key: str) -> dict[str, str]:
    """What a declaration's ``entries`` needs for a sort; ``key``: "unsigned" or "unsigned long long"."""
    return {
        **count_entries("sort histogram", f"tf2trt::radix_histogram<{key}, {{W}}>"),
        **pass_entries("sort pass", f"tf2trt::radix_pass<{key}, {{W}}, {{N}}>", key),
    }


class RadixSort:
    """A stable sort of rows of unsigned keys by their lowest ``bits``: first ``count``, then ``run``.

    ``dtype``: the keys', "int32" or "int64". Raises ``KernelError`` for rows of 2^32 elements and more.
    """

    def __init__(self, call: Call, dtype: str, count: int, bits: int, *, rows: int = 1) -> None:
        if count >= 2**32:
            raise KernelError(f"{count} elements in a row; a sort counts to 4294967295")
        self._call, self._dtype, self._count, self._rows = call, dtype, count, rows
        size, each = ("large", _LARGE[itemsize(dtype)]) if count >= _LONG else ("small", _SMALL)
        self._huge = ", huge" * (count >= _HUGE)
        self._label = f"{size}{self._huge}"
        self._passes = max(ceil_div(bits, _DIGIT), 1)
        self._tiles = ceil_div(count, THREADS * each)
        self._record = (1 << _DIGIT) + 1 + self._tiles * (1 << _DIGIT)
        self._state = call.workspace("int64" if self._huge else "int32", self._passes, rows, self._record)
        call.memset(self._state, 0)

    def count(self, entry: str, *arguments: Any) -> None:
        """Launch a kernel that counts the digits of keys (``count_digits``), and may make them; ``arguments`` first."""
        blocks = min(ceil_div(self._count, _COUNTED), 4 * self._call.device.multiprocessors)
        self._call.launch(
            f"{entry}{self._huge}", blocks * self._rows, THREADS, *arguments,
            self._state, self._count, self._record, blocks, np.int32(self._passes),
        )  # fmt: skip

    def run(self, keys: Buffer, values: Buffer | None = None, last: Sequence[Any] = ()) -> tuple[Buffer, Buffer]:
        """The sorted keys, and ``values``, 32 bits each, in the same order; if none, where each key was in its row.

        ``last``: a kernel's entry and its last arguments, which takes the place of the last pass (``sort_digit``);
        what is returned is then what it gets.
        """
        call, passes = self._call, self._passes
        shape = (self._rows, self._count)
        kept = [
            (call.workspace(self._dtype, *shape), call.workspace("int32", *shape))
            for _ in range(min(passes - bool(last), 2))
        ]
        source = (keys, values or (kept[0][1] if kept else keys))
        for turn in range(passes):
            target = kept[turn % 2] if not last or turn + 1 < passes else ()
            entry, arguments = ("sort pass", ()) if target else (last[0], last[1:])
            call.launch(
                f"{entry}, {self._label}", self._tiles * self._rows, THREADS, *source, *target, self._count,
                self._state.part(turn), self._record, self._tiles, np.int32(_DIGIT * turn),
                np.int32(turn == 0 and values is None), *arguments,
            )  # fmt: skip
            source = target or source
        return source


def sort(call: Call, keys: Buffer, count: int, bits: int, *, rows: int = 1) -> tuple[Buffer, Buffer]:
    """Sort rows of ``count`` keys by their lowest ``bits``: the sorted keys, and where each was in its row."""
    made = RadixSort(call, keys.dtype, count, bits, rows=rows)
    made.count("sort histogram", keys)
    return made.run(keys)
