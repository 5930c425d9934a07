"""What references of special functions share: float64, quadrature, and the exponential's range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf2trt_core.kernels.declaration import Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(300)


def wide(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function in float64, of arrays of any float."""

    def called(*arrays: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*(array.astype(np.float64) for array in arrays)))

    return called


def exp32(x: Array) -> Array:
    """e^x, infinite from where it is so in float32, as in TensorFlow's kernels."""
    return np.where(x > 88.7228, np.inf, np.exp(x))


def integral(function: Callable[[Array], Array], low: Any, high: Any) -> Array:
    """Gauss-Legendre on [low, high]; the integration axis is the last."""
    low, half = np.asarray(low)[..., None], (np.asarray(high) - low)[..., None] / 2
    return np.asarray((function(low + half * (_NODES + 1)) * _WEIGHTS * half).sum(-1))
