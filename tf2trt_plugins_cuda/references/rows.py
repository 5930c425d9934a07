"""Rows reduced by key, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY, from_numpy
from tf2trt_core.kernels.declaration import Array

Combine = Callable[[Array, Array], Array]

#: How each reduction takes the next row; scatters with NaN as TensorFlow's CPU kernels do.
COMBINE: dict[str, Combine] = {
    "Sum": np.add,
    "Prod": np.multiply,
    "Max": np.maximum,
    "Min": np.minimum,
    "ScatterMax": lambda a, b: np.where(a < b, b, a),
    "ScatterMin": lambda a, b: np.where(b < a, b, a),
    "ScatterAdd": np.add,
    "ScatterSub": np.subtract,
}


def wide(array: Array) -> Array:
    """Halves are summed as float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array.copy()


def reduce_rows(combine: Combine, out: Array, keys: Array, rows: Array) -> Array:
    """``out[key] = combine(out[key], row)`` in turn; keys out of range are left out."""
    made = wide(out)
    for key, row in zip(keys.ravel().tolist(), wide(rows), strict=True):
        if 0 <= key < len(made):
            made[key] = combine(made[key], row)
    return made


def lengths(keys: Array, count: int) -> Array:
    """How many rows each key has."""
    return np.bincount(keys[(keys >= 0) & (keys < count)].ravel(), minlength=count)[:count]


def empty(name: str, dtype: str, *, in_order: bool) -> Any:
    """What a segment without rows is: in order 0, else the reduction's own start among finite numbers."""
    if name == "Prod":
        return 1
    if in_order or name not in ("Max", "Min"):
        return 0
    lowest, highest = ends(CARRIER_NUMPY[dtype])
    return lowest if name == "Max" else highest


def ends(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The smallest and the largest finite value."""
    info: Any = np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.finfo(dtype)
    return info.min, info.max


def segments(name: str, *, in_order: bool) -> Callable[..., list[Array]]:
    """The reference of SegmentX and UnsortedSegmentX."""
    functor = "Sum" if name == "Mean" else name

    def reference(data: Array, ids: Array, segments: int | None = None) -> list[Array]:
        count = (int(ids[-1]) + 1 if ids.size else 0) if segments is None else segments
        taken = data.reshape(ids.size, *data.shape[ids.ndim :])
        out = np.full((count, *taken.shape[1:]), empty(functor, from_numpy(data.dtype), in_order=in_order), data.dtype)
        present = lengths(ids, count) > 0
        if in_order and name in ("Max", "Min"):
            sign = -1 if name == "Max" else 1
            out[present] = sign * np.inf if data.dtype.kind not in "iu" else ends(data.dtype)[(sign + 1) // 2]
        made = reduce_rows(COMBINE[functor], out, ids, taken)
        return [divided(made, lengths(ids, count), int(name == "Mean"))]

    return reference


def sparse_segments(scale: int) -> Callable[..., list[Array]]:
    """The reference of SparseSegmentX."""

    def reference(data: Array, indices: Array, ids: Array, segments: int | None = None) -> list[Array]:
        count = (int(ids[-1]) + 1 if ids.size else 0) if segments is None else segments
        inside = (indices >= 0) & (indices < len(data))
        taken = np.zeros((ids.size, *data.shape[1:]), data.dtype)
        taken[inside] = data[indices[inside]]
        made = reduce_rows(np.add, np.zeros((count, *data.shape[1:]), data.dtype), ids, taken)
        return [divided(made, lengths(ids, count), scale)]

    return reference


def divided(sums: Array, counts: Array, scale: int) -> Array:
    """By nothing, by the number of rows, by its root."""
    by = np.maximum(counts, 1).reshape(-1, *[1] * (sums.ndim - 1))
    if not scale:
        return sums
    if sums.dtype.kind in "iu":
        return (sums - np.fmod(sums, by)) // by
    return sums / (by if scale == 1 else np.sqrt(by)).astype(np.float32)


def scatter(functor: str, tensor: Array, indices: Array, updates: Array) -> Array:
    """Updates into slices of ``tensor``; out of range left out."""
    depth = indices.shape[-1]
    outer = tensor.shape[:depth]
    flat = indices.reshape(-1, depth)
    inside = np.asarray(((flat >= 0) & (flat < np.array(outer))).all(-1))
    keys = np.where(inside, np.ravel_multi_index(tuple(np.where(inside[:, None], flat, 0).T), outer), -1)
    inner = tensor.shape[depth:]
    rows = tensor.reshape(int(np.prod(outer)), *inner)
    return reduce_rows(COMBINE[functor], rows, keys, updates.reshape(len(keys), *inner)).reshape(tensor.shape)
