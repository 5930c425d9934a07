"""tf.scatter_nd and tf.tensor_scatter_nd_update where every element is written once at most.

Of duplicate indices TensorFlow promises a sum, or the last update; TensorRT's Scatter promises nothing. So
the indices must be constant, in range and unique, or be a single one. A single run-time index that is out of
range raises in TensorFlow on a CPU and is ignored on a GPU; here -1, -2, ... count from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Dims, Limit, Value, op
from tf2trt_core.dims import Dim, product

_COMPUTED = Limit(
    "the indices are computed at run time: of duplicates TensorRT promises nothing",
    when=lambda indices: not indices.is_known and product(indices.shape[:-1]) != 1,
    hint="make the indices constant",
)
_POLICY = Limit(
    "bad_indices_policy='IGNORE' drops negative indices, which TensorRT counts from the end",
    when=lambda bad_indices_policy: bad_indices_policy == "IGNORE",
)
_REPEATED = Limit(
    "the indices name an element twice: of duplicates TensorRT promises nothing",
    when=lambda indices: indices.is_known and _repeats(indices.array),
    unseen=True,
)
_NO_DEPTH = Limit(
    "the indices address nothing, or how many address an element is decided at run time",
    when=lambda indices: indices.shape[-1] == 0 or not isinstance(indices.shape[-1], int),
)
_LIMITS = (_COMPUTED, _POLICY, _REPEATED, _NO_DEPTH)


@op("ScatterNd", carries=NARROW, limits=_LIMITS)
def scatter_nd(ctx: Context, indices: Value, updates: Value, shape: Dims) -> Value:
    """``updates`` written into zeros of ``shape``."""
    zeros = ctx.fill(Value.of(0, updates.dtype), shape)
    return _scattered(ctx, zeros, indices, updates, shape)


@scatter_nd.cases
def _(draw: Any, gen: Any) -> Any:
    shape, indices, updates = _unique(draw, gen)
    return gen.case(indices=indices, updates=updates, shape=np.array(shape, indices.dtype), constant=["indices"])


@op("TensorScatterUpdate", carries=NARROW, limits=_LIMITS)
def tensor_scatter_update(ctx: Context, tensor: Value, indices: Value, updates: Value) -> Value:
    """``updates`` written over elements or slices of ``tensor``."""
    return _scattered(ctx, tensor, indices, updates, tensor.shape)


@tensor_scatter_update.cases
def _(draw: Any, gen: Any) -> Any:
    shape, indices, updates = _unique(draw, gen)
    static = ["indices"] * draw(gen.booleans())
    tensor = draw(gen.tensors(shape=shape))
    return gen.case(tensor=tensor, indices=indices, updates=updates, constant=["indices"], static=static)


def _scattered(ctx: Context, data: Value, indices: Value, updates: Value, shape: Sequence[Dim]) -> Value:
    if not indices.is_known:
        return ctx.scatter(data, indices, updates, "ND")
    depth = indices.array.shape[-1]
    rows = indices.array.reshape(-1, depth)
    for axis, extent in enumerate(shape[:depth]):
        column = rows[:, axis]
        if column.size and (column.min() < 0 or (isinstance(extent, int) and column.max() >= extent)):
            raise ctx.refuse(f"index {column.min()} or {column.max()} of axis {axis} is out of range: {extent!r}")
    if not rows.size:
        return data
    return ctx.scatter(data, indices, updates, "ND")


def _repeats(indices: np.ndarray[Any, Any]) -> bool:
    rows = indices.reshape(-1, indices.shape[-1])
    return len(np.unique(rows, axis=0)) < len(rows)


def _unique(draw: Any, gen: Any) -> tuple[Any, Any, Any]:
    """A shape, indices (seldom one twice), and updates."""
    shape = draw(gen.shapes(rank=(1, 3), low=1))
    depth = draw(gen.integers(1, len(shape)))
    places = [list(np.unravel_index(place, shape[:depth])) for place in range(int(np.prod(shape[:depth])))]
    chosen = [places[number] for number in draw(gen.permutations(len(places)))[: draw(gen.integers(0, len(places)))]]
    if chosen and draw(gen.integers(0, 19)) == 7:  # the refusal
        chosen.append(chosen[0])
    indices = np.array(chosen, draw(gen.sampled_from(["int32", "int64"]))).reshape(-1, depth)
    updates = draw(gen.tensors(shape=(len(chosen), *shape[depth:]), special=False))  # -0.0 added to 0.0 is 0.0
    return shape, indices, updates
