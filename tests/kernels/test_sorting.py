"""The radix sort that kernels share, on the CPU: rows of several tiles, of each kind of tile and of count."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from kernels.test_edges import KERNELS
from tf2trt_core.kernels import DeviceFacts, sorting
from tf2trt_plugins_cuda import _runs

DTYPES = (np.float32, np.float16, ml_dtypes.bfloat16, np.int32, np.int64)
#: Rows from which on tiles are large, and counts have 64 bits.
KINDS = {"small": (1 << 40, 1 << 40), "large": (1, 1 << 40), "huge": (1, 1)}


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    long, huge = KINDS[request.param]
    monkeypatch.setattr(sorting, "_LONG", long)
    monkeypatch.setattr(sorting, "_HUGE", huge)
    return request.param


def numbers(random, dtype, *shape):
    """Many equal ones, both zeros, infinities."""
    if np.dtype(dtype).kind == "i":
        return random.integers(-50, 50, shape).astype(dtype) * dtype(2**20 + 1)
    made = random.integers(-30, 30, shape) * random.choice([-0.25, 1.0, 1e3], shape)
    return np.where(abs(made) > 25e3, np.copysign(np.inf, made), made).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("seed", [0, 3])
def test_rows_of_several_tiles(host, kind, dtype, seed):
    random = np.random.default_rng(seed)
    data = numbers(random, dtype, 2, 18_000)
    kernel = KERNELS["top_k_long" if dtype is np.int64 else "top_k"]
    scalars = {"k": data.shape[1] - 700, "I": "int32"}
    right = kernel.reference(data, scalars["k"])
    facts = DeviceFacts(multiprocessors=1 + 3 * seed)
    values, places = host.run(kernel, [data], scalars, seed=seed, shift=seed % 4, device=facts)
    np.testing.assert_array_equal(places, right[1])
    np.testing.assert_array_equal(values.view(np.uint8), right[0].view(np.uint8))  # the zeros' signs, too


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("seed", [0, 3])
def test_the_largest_of_long_rows_are_selected(host, dtype, seed):
    """Rows of several tiles; their k-th element is one of many, of all, or alone."""
    random = np.random.default_rng(seed)
    length = 9_000 + seed
    data = np.concatenate([
        numbers(random, dtype, 1, length),
        np.full((1, length), 3, dtype),
        random.permutation(length).astype(dtype)[None],
    ])  # fmt: skip
    long = "_long" if dtype is np.int64 else ""
    facts = DeviceFacts(multiprocessors=1 + 7 * seed)
    for k in (1, 700, length // 4):
        right = KERNELS[f"top_k{long}"].reference(data, k)
        made = host.run(KERNELS[f"top_k{long}"], [data], {"k": k, "I": "int32"}, seed=seed, device=facts)
        np.testing.assert_array_equal(made[1], right[1])
        np.testing.assert_array_equal(made[0].view(np.uint8), right[0].view(np.uint8))
        scalars = {"n": k - 1, "reverse": seed > 0}
        right = KERNELS[f"nth_element{long}"].reference(data, **scalars)[0]
        (one,) = host.run(KERNELS[f"nth_element{long}"], [data], scalars, seed=seed, device=facts)
        np.testing.assert_array_equal(one, right)


@pytest.mark.parametrize("width", [3, 16, 64])
def test_reductions_sort_their_rows(host, kind, width):
    random = np.random.default_rng(width)
    ids = random.integers(-3, 300, 9_000)
    data = random.integers(-9, 9, (len(ids), width)).astype(np.float32)
    right = np.zeros((290, width), np.float32)
    inside = (ids >= 0) & (ids < len(right))
    np.add.at(right, ids[inside], data[inside])
    made = host.run(
        KERNELS["unsorted_segment_sum"], [data, ids], {"segments": len(right)}, seed=1, device=DeviceFacts(2)
    )
    np.testing.assert_array_equal(made[0], right)
    indices = ids.astype(np.int32)[:, None]
    np.testing.assert_array_equal(
        host.run(KERNELS["scatter_nd"], [indices, data], {"shape": right.shape}, seed=2, device=DeviceFacts(1))[0],
        right,
    )


@pytest.mark.parametrize("chunk", [4, 64, 1000])
def test_runs_of_all_lengths(host, chunk, monkeypatch):
    """Runs shorter and longer than chunks, and runs of no segment between them."""
    random = np.random.default_rng(chunk)
    lengths = random.choice([1, 2, 3, 5, 40, 150, 1200], 60)
    ids = np.repeat(np.arange(60), lengths)[:9000].astype(np.int32)
    data = random.integers(-9, 9, (len(ids), 8)).astype(np.float32)
    monkeypatch.setattr(_runs, "_SHORTEST_CHUNK", chunk)
    monkeypatch.setattr(_runs, "_THREADS_AT_ONCE", 1 << 20)
    for name, reduce in (("sum", np.add), ("max", np.maximum)):
        right = reduce.reduceat(data, np.flatnonzero(np.diff(ids, prepend=-1)))
        for shift in range(4):
            made = host.run(KERNELS[f"segment_{name}"], [data, ids], {"segments": len(right)}, seed=shift, shift=shift)
            np.testing.assert_array_equal(made[0], right)
