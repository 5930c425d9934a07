"""The incomplete gamma and beta functions in float64: power series and continued fractions."""

from __future__ import annotations

import numpy as np

from tf2trt_core.kernels.declaration import Array
from tf2trt_plugins_cuda.references.gamma import lgamma
from tf2trt_plugins_cuda.references.wide import wide

_LONGEST = 3000


def _lower(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function by its power series."""
    total, term, n = np.ones_like(x), np.ones_like(x), a
    for _ in range(_LONGEST):
        n = n + 1
        term = term * x / n
        total = total + term
        if not np.any(term > total * 1e-17):
            break
    return np.asarray(np.exp(a * np.log(x) - x - lgamma(a + 1)) * total)


def _upper(a: Array, x: Array) -> Array:
    """The regularised upper one by its continued fraction."""
    b, c = x + 1 - a, np.full_like(x, 1e300)
    d = 1 / b
    fraction = d
    for i in range(1, _LONGEST):
        n = -i * (i - a)
        b = b + 2
        d = 1 / (n * d + b)
        c = b + n / c
        fraction = fraction * c * d
        if not np.any(np.abs(c * d - 1) > 1e-16):
            break
    return np.asarray(np.exp(a * np.log(x) - x - lgamma(a)) * fraction)


def _incomplete(a: Array, x: Array, *, upper: bool) -> Array:
    good = (a > 0) & (x > 0) & (a < np.inf) & (x < np.inf)
    a, x = np.where(good, a, 1.0), np.where(good, x, 1.0)
    low = (x <= 1) | (x <= a)
    below, above = _lower(a, np.where(low, x, a / 2)), _upper(a, np.where(low, a + 2, x))
    return np.where(low, 1 - below, above) if upper else np.where(low, below, 1 - above)


@wide
def igamma(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function, with TensorFlow's edges."""
    a, x = np.broadcast_arrays(a, x)
    y = np.where(a == np.inf, 0.0, np.where(x == np.inf, 1.0, _incomplete(a, x, upper=False)))
    return np.where(x == 0, 0.0, np.where((x > 0) & (a > 0), y, np.nan))


@wide
def igammac(a: Array, x: Array) -> Array:
    """The regularised upper incomplete gamma function, with TensorFlow's edges."""
    a, x = np.broadcast_arrays(a, x)
    y = np.where(x == np.inf, 0.0, np.where(a == np.inf, 1.0, _incomplete(a, x, upper=True)))
    return np.where((x >= 0) & (a > 0), np.where(x == 0, 1.0, y), np.nan)


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    c, d = np.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _LONGEST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for part in (even, odd):
            d, c = 1 / (1 + part * d), 1 + part / c
            fraction = fraction * d * c
        if not np.any(np.abs(d * c - 1) > 1e-16):
            break
    return np.asarray(fraction)


@wide
def betainc(a: Array, b: Array, x: Array) -> Array:
    """The regularised incomplete beta function."""
    a, b, x = np.broadcast_arrays(a, b, x)
    good = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    p, q, z = np.where(good, a, 1.0), np.where(good, b, 1.0), np.where(good, x, 0.5)
    density = np.exp(p * np.log(z) + q * np.log1p(-z) + lgamma(p + q) - lgamma(p) - lgamma(q))
    near = z < (p + 1) / (p + q + 2)
    first = density * _beta_fraction(p, q, np.where(near, z, 0.0)) / p
    second = 1 - density * _beta_fraction(q, p, np.where(near, 0.0, 1 - z)) / q
    edge = np.where((a <= 0) | (b <= 0), np.nan, np.where((x == 0) | (x == 1), x, np.nan))
    return np.where(good, np.where(near, first, second), edge)
