"""Bessel functions in float64 by other means than the kernels: quadrature, and far out Hankel's expansion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tf2trt_core.kernels.declaration import Array
from tf2trt_plugins_cuda.references.wide import exp32, integral, wide


def _trapezoid(function: Callable[[Array], Array], end: Array) -> Array:
    """From 0 to ``end``, where the function is even and has died away or is periodic: exponentially exact."""
    step = end[..., None] / 600
    values = function(step * np.arange(601))
    return np.asarray((values.sum(-1) - (values[..., 0] + values[..., -1]) / 2) * step[..., 0])


def i(n: int, *, scaled: bool) -> Callable[[Array], Array]:
    """The integral of e^(x cos t) cos(n t)."""

    def computed(x: Array) -> Array:
        size = np.abs(x)
        end = np.minimum(np.pi, 45 / np.sqrt(size))
        sides = 1 if n == 0 else np.sign(x)
        y = _trapezoid(lambda t: np.exp(-2 * size[..., None] * np.sin(t / 2) ** 2) * np.cos(n * t), end) / np.pi * sides
        y = np.where(np.isinf(x), 0.0, np.where((n == 1) & (size < 1e-8), x / 2, y))
        return y if scaled else y * exp32(size)

    return wide(computed)


def k(n: int, *, scaled: bool) -> Callable[[Array], Array]:
    """The integral of e^(-x cosh t) cosh(n t)."""

    def computed(x: Array) -> Array:
        end = 2 * np.arcsinh(np.sqrt(745 / (2 * x)))
        end = np.where(np.isfinite(end) & (end > 0), end, 1.0)
        y = _trapezoid(lambda t: np.exp(-2 * x[..., None] * np.sinh(t / 2) ** 2 + n * t), end)
        if n:
            y = (y + _trapezoid(lambda t: np.exp(-2 * x[..., None] * np.sinh(t / 2) ** 2 - n * t), end)) / 2
        y = np.where(x > 0, np.where(np.isinf(x), 0.0, y), np.where(np.isnan(x), x, np.inf))
        return y if scaled else y * np.where(x > 0, np.exp(-x), 1.0)

    return wide(computed)


def _hankel(n: int, x: Array) -> tuple[Array, Array]:
    """The amplitudes of the asymptotic expansion, for large x."""
    p, q, term = np.ones_like(x), np.zeros_like(x), np.ones_like(x)
    for k in range(1, 16):
        term = term * (4 * n * n - (2 * k - 1) ** 2) / (8 * k * x)
        if k % 2:
            q += term * (-1) ** (k // 2)
        else:
            p += term * (-1) ** (k // 2)
    return p, q


def j(n: int) -> Callable[[Array], Array]:
    """The integral of cos(n t - x sin t); far out Hankel's expansion."""

    def computed(x: Array) -> Array:
        size = np.minimum(np.abs(x), 1e300)
        near = np.minimum(size, 40.0)
        small = integral(lambda t: np.cos(n * t - near[..., None] * np.sin(t)), np.zeros_like(x), np.pi) / np.pi
        p, q = _hankel(n, np.maximum(size, 40.0))
        angle = size - np.pi / 4 * (1 + 2 * n)
        large = np.sqrt(2 / np.pi / size) * (p * np.cos(angle) - q * np.sin(angle))
        y = np.where(size < 40, small, large) * (1 if n == 0 else np.sign(x))
        tiny = 1.0 if n == 0 else x / 2
        return np.where(np.isfinite(x), np.where(size < 1e-8, tiny, y), np.nan)

    return wide(computed)


def y(n: int) -> Callable[[Array], Array]:
    """Schläfli's integrals; far out Hankel's expansion."""

    def computed(x: Array) -> Array:
        good = np.where((x > 0) & (x < np.inf), x, 1.0)
        near = np.minimum(good, 40.0)[..., None]
        first = integral(lambda t: np.sin(near * np.sin(t) - n * t), np.zeros_like(x), np.pi)
        end = np.arcsinh(745 / near[..., 0])
        parts = [
            integral(lambda t: (np.exp(n * t) + (-1) ** n * np.exp(-n * t)) * np.exp(-near * np.sinh(t)), low, high)
            for low, high in zip(_steps(end)[:-1], _steps(end)[1:], strict=True)
        ]
        small = (first - sum(parts)) / np.pi
        p, q = _hankel(n, np.maximum(good, 40.0))
        angle = good - np.pi / 4 * (1 + 2 * n)
        large = np.sqrt(2 / np.pi / good) * (p * np.sin(angle) + q * np.cos(angle))
        edge = np.where(np.isnan(x) | (x > 0) | ((x == 0) & (n == 1)), np.nan, -np.inf)
        return np.where(good == x, np.where(good < 40, small, large), edge)

    return wide(computed)


def _steps(end: Array) -> list[Array]:
    return [end * k / 12 for k in range(13)]
