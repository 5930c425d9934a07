"""Planning rows by their elements: all of them sorted, the largest k, or the n-th (``sorting.cu``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core.kernels import Buffer, Call, Kernel, KernelError, ceil_div
from tf2trt_core.kernels.declaration import Array
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import RadixSort, count_entries, pass_entries, sort_entries

SOURCE = Path(__file__).with_name("sorting.cu")
_THREADS = 256
_DIGIT = 8
#: Elements of a tile of ``collect``, and what a block of ``narrow`` counts at least.
_TILE, _COUNTED = 4096, 8192
#: Rows longer than this of which a quarter is wanted at most are not sorted: what is wanted is selected first.
_LONG = 1024
#: TopK's order.
_LARGEST = True


def _key(dtype: str) -> str:
    """The dtype of ``dtype``'s keys."""
    return "int64" if dtype == "int64" else "int32"


def _select(call: Call, x: Buffer, k: int, *, descending: bool) -> tuple[Buffer, Buffer]:
    """The k-th smallest key of each row, and how many of the k have it."""
    length = x.shape[-1]
    if length >= 2**32:
        raise KernelError(f"rows of {length} elements; a sort counts to 4294967295")
    rows, bits = x.size // length, 8 * itemsize(x.dtype)
    state = call.workspace("int32", bits // _DIGIT, rows, (1 << _DIGIT) + 1)
    keys, left = call.workspace(_key(x.dtype), rows), call.workspace("int32", rows)
    call.memset(state, 0)
    blocks = min(ceil_div(length, _COUNTED), max(8 * call.device.multiprocessors // rows, 1))
    for turn, shift in enumerate(range(bits - _DIGIT, -1, -_DIGIT)):
        call.launch(
            "narrow", blocks * rows, _THREADS, x, length, blocks, k, descending, keys, left, state.part(turn),
            np.int32(shift), turn == 0,
        )  # fmt: skip
    return keys, left


def _collect(call: Call, x: Buffer, k: int) -> tuple[Buffer, Buffer]:
    """The keys and places of the largest k of each row, not in order but for equal ones."""
    length = x.shape[-1]
    rows, tiles = x.size // length, ceil_div(length, _TILE)
    pivots, left = _select(call, x, k, descending=_LARGEST)
    counts = call.workspace("int64", rows, tiles)
    keys, places = call.workspace(_key(x.dtype), rows, k), call.workspace("int32", rows, k)
    call.launch("tally", rows * tiles, _THREADS, x, length, tiles, _LARGEST, pivots, counts)
    call.launch("place", rows, _THREADS, counts, tiles, None)
    call.launch("collect", rows * tiles, _THREADS, x, length, tiles, k, _LARGEST, pivots, left, counts, keys, places)
    return keys, places


def _top_launches(call: Call) -> None:
    (x,), (out, index) = call.inputs, call.outputs
    length, k = x.shape[-1], out.shape[-1]
    if length > 2**31 and index.dtype == "int32":
        raise KernelError(f"rows of {length} elements have places that int32 does not hold: ask for int64")
    if not out.size:
        return
    rows, bits = x.size // length, 8 * itemsize(x.dtype)
    values: Buffer | None = None
    if length > _LONG and 4 * k <= length:
        keys, values = _collect(call, x, k)
        sorting = RadixSort(call, keys.dtype, k, bits, rows=rows)
        sorting.count("sort histogram", keys)
    else:
        keys = call.workspace(_key(x.dtype), x.size)
        sorting = RadixSort(call, keys.dtype, length, bits, rows=rows)
        sorting.count("keys", x, keys, _LARGEST)
    sorting.run(keys, values, ("rank pass", x, out, index, length, k, _LARGEST))


def _nth_launches(call: Call) -> None:
    (x,), (out,) = call.inputs, call.outputs
    if not out.size:
        return
    descending = bool(call.scalars["reverse"])
    keys, _ = _select(call, x, call.number("n") + 1, descending=descending)
    call.launch("pick", call.grid(out.size, _THREADS), _THREADS, keys, out, out.size, descending)


def _kernels(dtypes: str, suffix: str) -> tuple[Kernel, Kernel]:
    """TopK and NthElement for dtypes with keys of one size."""
    key = "unsigned long long" if dtypes == "int64" else "unsigned"
    narrow = {"narrow": "tf2trt::narrow<{T}>"}
    top = Kernel(
        f"top_k{suffix}(x: T, k: dim, I: type) -> values: T, indices: I",
        SOURCE,
        {"T": dtypes, "I": "int32 int64"},
        {
            **narrow,
            **{name: f"tf2trt::{name}<{{T}}>" for name in ("tally", "collect")},
            "place": "tf2trt::place_tiles",
            **count_entries("keys", "tf2trt::make_keys<{T}, {W}>"),
            **pass_entries("rank pass", "tf2trt::rank_pass<{T}, {I}, {W}, {N}>", key),
            **sort_entries(key),
        },
        shape=lambda x, k: [(*x[:-1], k), (*x[:-1], k)],
        launches=_top_launches,
        reference=_top_k,
    )
    nth = Kernel(
        f"nth_element{suffix}(x: T, n: int, reverse: bool) -> values: T",
        SOURCE,
        {"T": dtypes},
        {**narrow, "pick": "tf2trt::pick<{T}>"},
        shape=lambda x: [x[:-1]],
        launches=_nth_launches,
        reference=lambda x, n, reverse: [np.sort(x, axis=-1)[..., -1 - n if reverse else n]],
    )
    return top, nth


def _top_k(x: Array, k: int) -> list[Array]:
    # backwards, so that of equal elements the later one comes first; then backwards again
    ascending = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")
    places = ascending[..., ::-1][..., :k]
    return [np.take_along_axis(x, places, -1), places]


TOP, NTH = _kernels("float32 float16 bfloat16 int32", "")
TOP_LONG, NTH_LONG = _kernels("int64", "_long")
