"""The logarithm of the gamma function and its derivatives in float64: recurrences and series."""

from __future__ import annotations

import math

import numpy as np

from tf2trt_core.kernels.declaration import Array
from tf2trt_plugins_cuda.references.wide import wide


@np.vectorize
def _lgamma(x: float) -> float:
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


@wide
def lgamma(x: Array) -> Array:
    """The logarithm of |gamma|."""
    return np.asarray(_lgamma(x)) if x.size else x


@wide
def digamma(x: Array) -> Array:
    """Reflection, recurrence up to 10, asymptotic series."""
    z = np.where(x > 0, x, 1 - x)
    shift = np.zeros_like(x)
    for _ in range(10):
        small = z < 10
        shift = shift - np.where(small, 1 / z, 0)
        z = np.where(small, z + 1, z)
    w = 1 / (z * z)
    series = w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))))
    y = np.log(z) - 1 / (2 * z) - series + shift
    rest = x - np.rint(x)
    y = np.where(x > 0, y, y - math.pi / np.tan(math.pi * rest))
    return np.where((x <= 0) & (x == np.floor(x)), np.nan, y)


@wide
def zeta(x: Array, q: Array) -> Array:
    """The sum of (q + k)^-x: term by term, then Euler-Maclaurin."""
    x, q = np.broadcast_arrays(x, q)
    good = (x > 1) & (x < np.inf) & ~((q <= 0) & ((q == np.floor(q)) | (x != np.floor(x)))) & (q > -1e6)
    s, z = np.where(good, x, 2.0), np.where(good, q, 1.0)
    total = np.zeros_like(s)
    while np.any(z < 30):
        small = z < 30
        total = total + np.where(small, z**-s, 0)
        z = np.where(small, z + 1, z)
    power = z**-s
    total = total + power * (z / (s - 1) + 0.5)
    factor = power * s / z
    for j, number in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)):
        total = total + factor * number
        factor = factor * (s + 2 * j + 1) * (s + 2 * j + 2) / (z * z)
    pole = np.where((q <= 0) & (q == np.floor(q)) & (x % 2 == 0), np.inf, np.nan)
    far = np.where(q < 1, np.inf, np.where(q == 1, 1.0, 0.0))
    edge = np.where(x == 1, np.inf, np.where((x == np.inf) & ~np.isnan(q), far, np.where(x > 1, pole, np.nan)))
    return np.where(good, total, edge)


@wide
def polygamma(a: Array, x: Array) -> Array:
    """(-1)^(n + 1) n! zeta(n + 1, x); the digamma function for n = 0."""
    n = np.where((a >= 0) & (a == np.floor(a)), a, np.nan)
    sign = np.where(n % 2 == 0, -1.0, 1.0)
    y = sign * np.exp(lgamma(np.where(np.isnan(n), 1.0, n) + 1)) * zeta(n + 1, x)
    return np.where(n == 0, digamma(x), np.where(np.isnan(n), np.nan, y))
