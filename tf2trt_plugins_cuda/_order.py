"""Rows by their elements: all of them sorted, the largest k, or the n-th (``sorting.cu``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core.kernels import Buffer, Call, Kernel, KernelError
from tf2trt_core.kernels.declaration import Array
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import RadixSort, count_entries, pass_entries, sort_entries
from tf2trt_plugins_cuda._select import LARGEST, collect, key_dtype, select

SOURCE = Path(__file__).with_name("sorting.cu")
_THREADS = 256
#: Rows longer than this of which a quarter is wanted at most are not sorted: what is wanted is selected first.
_LONG = 1024


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
        keys, values = collect(call, x, k)
        sorting = RadixSort(call, keys.dtype, k, bits, rows=rows)
        sorting.count("sort histogram", keys)
    else:
        keys = call.workspace(key_dtype(x.dtype), x.size)
        sorting = RadixSort(call, keys.dtype, length, bits, rows=rows)
        sorting.count("keys", x, keys, LARGEST)
    sorting.run(keys, values, ("rank pass", x, out, index, length, k, LARGEST))


def _nth_launches(call: Call) -> None:
    (x,), (out,) = call.inputs, call.outputs
    if not out.size:
        return
    descending = bool(call.scalars["reverse"])
    keys, _ = select(call, x, call.number("n") + 1, descending=descending)
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
