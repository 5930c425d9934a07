"""Special functions of one argument in float64 by other means than the kernels: quadrature and series."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from tf2trt_core.kernels.declaration import Array
from tf2trt_plugins_cuda.references.wide import exp32, integral, wide


@wide
def dawsn(x: Array) -> Array:
    """Rybicki's sum; near zero the series."""
    h = 0.2
    middle = 2 * np.rint(np.minimum(np.abs(x), 1e12) / (2 * h))
    rest = np.minimum(np.abs(x), 1e12) - middle * h
    odd = np.arange(-41, 42, 2)
    y = (np.exp(-((rest[..., None] - odd * h) ** 2)) / (middle[..., None] + odd)).sum(-1) / math.sqrt(math.pi)
    y = np.where(np.abs(x) > 1e6, 0.5 / np.abs(x), y)
    sign = np.where(x < -1e9, 1.0, np.sign(x))  # TensorFlow loses the sign out there
    return np.where(np.abs(x) < 1e-3, x * (1 - 2 / 3 * x * x), y * sign)


@wide
def expint(x: Array) -> Array:
    """Ei: its power series; far out the asymptotic one."""
    near, total = np.clip(x, 0, 45), np.euler_gamma + np.log(x)
    term = np.ones_like(x)
    for k in range(1, 180):
        term = term * near / k
        total = total + term / k
    far, part = np.ones_like(x), np.ones_like(x)
    for k in range(1, 30):
        part = part * k / np.maximum(x, 45)
        far = far + part
    y = np.where(x < 45, total, exp32(x) / x * far)
    return np.where((x >= 0) & (x < 8.5e37), y, np.nan)


def fresnel(*, cosine: bool) -> Callable[[Array], Array]:
    """The integral of cos or sin of pi/2 t^2; far out the asymptotic series."""

    def computed(x: Array) -> Array:
        size = np.abs(x)
        turn = np.cos if cosine else np.sin
        near = integral(lambda t: turn(np.pi / 2 * t * t), np.zeros_like(x), np.minimum(size, 8.0))
        far = np.clip(size, 8.0, 36974.0)
        u = np.pi * far * far
        f = (1 - 3 / u**2 + 105 / u**4 - 10395 / u**6) / (np.pi * far)
        g = (1 - 15 / u**2 + 945 / u**4 - 135135 / u**6) / (np.pi * far * u)
        sine, other = np.sin(u / 2), np.cos(u / 2)
        large = 0.5 + (f * sine - g * other if cosine else -f * other - g * sine)
        y = np.where(size < 8, near, np.where(size > 36974, 0.5, large))
        leading = size if cosine else np.pi / 6 * size**3
        return np.where(np.isnan(x), x, np.copysign(np.where(size < 1e-4, leading, y), x))

    return wide(computed)


def _dilogarithm(u: Array) -> Array:
    """Of 1 - e^-u, by Bernoulli numbers."""
    numbers = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    total, term = u - u * u / 4, u
    for k, number in enumerate(numbers, 1):
        term = term * u * u / (2 * k * (2 * k + 1))
        total = total + number * term
    return total


@wide
def spence(x: Array) -> Array:
    """The dilogarithm of 1 - x."""
    z = np.where(x > 2, 1 / x, x)
    other = np.log1p(-np.minimum(z, 0.5))
    low = math.pi**2 / 6 - np.where(z > 0, np.log(z), 0) * other - _dilogarithm(-other)
    y = np.where(z >= 0.5, _dilogarithm(-np.log(np.maximum(z, 0.5))), low)
    y = np.where(x > 2, -(np.log(x) ** 2 / 2 + y), y)
    return np.where((x >= 0) & (x < np.inf), y, np.nan)


@np.vectorize
def _quantile(p: float) -> float:
    if not 0 < p < 1:
        ends: dict[float, float] = {0.0: -math.inf, 1.0: math.inf}
        return ends.get(float(p), math.nan)
    return float(NormalDist().inv_cdf(p))


@wide
def ndtri(p: Array) -> Array:
    """The quantile of the normal distribution."""
    return np.asarray(_quantile(p)) if p.size else p


@wide
def erfinv(x: Array) -> Array:
    """The quantile, scaled; of small numbers the series."""
    y = np.asarray(_quantile((x + 1) / 2)) / math.sqrt(2) if x.size else x
    return np.where(np.abs(x) < 1e-5, x * math.sqrt(math.pi) / 2, y)
