"""Running products and sums over many warps and tiles, on the CPU: rows walked, rows in tiles, columns."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.test_edges import KERNELS
from tf2trt_core.kernels import DeviceFacts

#: Shape, axis and multiprocessors: which kernels a plan takes depends on them.
PATHS = {
    "rows walked": ((5, 9001), 1, 1),
    "rows walked, aligned": ((4, 13_000), 1, 1),
    "rows in tiles": ((2, 9001), 1, 132),
    "rows in tiles, aligned": ((2, 8200), 1, 132),
    "columns walked": ((2, 300, 70), 1, 1),
    "columns walked, aligned": ((3, 700, 36), 1, 1),
    "columns, many tiles": ((5000, 3), 0, 132),
    "columns, one tile of 16": ((120, 70), 0, 4),
    "columns, two tiles": ((300, 70), 0, 4),
    "columns, one tile of 8": ((2, 60, 40), 1, 4),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seed", [0, 1, 3, 6])
def test_products(host, path, seed):
    shape, axis, multiprocessors = PATHS[path]
    random = np.random.default_rng(seed)
    # products are exact in any order: signs, and some powers of two
    data = random.choice([1, -1], shape).astype(np.float32)
    data *= np.where(random.random(shape) < 30 / shape[axis], random.choice([0.5, 2.0], shape), 1).astype(np.float32)
    for exclusive in (False, True):
        scalars = {"axis": axis, "exclusive": exclusive, "reverse": seed % 3 == 1}
        right = KERNELS["cumprod"].reference(data, **scalars)[0]
        facts = DeviceFacts(multiprocessors=multiprocessors)
        (made,) = host.run(KERNELS["cumprod"], [data], scalars, seed=seed, shift=4 * (seed // 6), device=facts)
        np.testing.assert_array_equal(made, right)


def test_sums_of_exponentials(host):
    data = np.random.default_rng(0).normal(0, 3, (4, 9000)).astype(np.float32)
    right = np.logaddexp.accumulate(data.astype(np.float64), axis=1)
    for seed, multiprocessors in ((1, 1), (3, 132)):
        scalars = {"axis": 1, "exclusive": False, "reverse": False}
        facts = DeviceFacts(multiprocessors=multiprocessors)
        (made,) = host.run(KERNELS["cumulative_logsumexp"], [data], scalars, seed=seed, device=facts)
        np.testing.assert_allclose(made, right, rtol=2e-5, atol=1e-5)
