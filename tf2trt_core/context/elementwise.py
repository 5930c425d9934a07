"""Elementwise layers: ranks broadcast, layouts kept, constants folded into open weights, narrow integers wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf2trt_core.context.tensors import TensorContext
from tf2trt_core.dims import Dim, equal, floor_div, maximum, minimum
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.errors import LayerError
from tf2trt_core.open_weights import OpenWeights
from tf2trt_core.value import Array, Axes, Base, Value

Operand = Value | float | int | bool

#: Integer operations on run-time dimensions that need no layer.
_SYMBOLIC = {
    "SUM": np.frompyfunc(lambda a, b: a + b, 2, 1),
    "SUB": np.frompyfunc(lambda a, b: a - b, 2, 1),
    "PROD": np.frompyfunc(lambda a, b: a * b, 2, 1),
    "FLOOR_DIV": np.frompyfunc(floor_div, 2, 1),
    "MAX": np.frompyfunc(maximum, 2, 1),
    "MIN": np.frompyfunc(minimum, 2, 1),
}
_COMPARISONS = frozenset({"EQUAL", "GREATER", "LESS"})
_NO_OVERFLOW = frozenset({"MAX", "MIN", *_COMPARISONS})
#: Lower bounds of activations, used where a border of zeros may become padding.
_LEAST = {"RELU": 0.0, "SIGMOID": 0.0, "SOFTPLUS": 0.0, "HARD_SIGMOID": 0.0, "TANH": -1.0}


class ElementwiseContext(TensorContext):
    """Unary, activation, elementwise, select and cast layers, by TensorRT's names for the operations."""

    def value(self, operand: Operand, like: Value) -> Value:
        """A number as a value of ``like``'s dtype; a value as it is."""
        return operand if isinstance(operand, Value) else Value.of(operand, like.dtype)

    def cast(self, x: Value, dtype: str) -> Value:
        """``tf.cast``: truncates toward zero, to bool is ``!= 0``, to a narrow integer keeps the low bits."""
        if x.dtype == dtype:
            return x
        if x.known is not None:
            return Value.of(x.array.astype(DTYPES[dtype].numpy))
        if x.elements is not None and DTYPES[dtype].integer:
            return x.copy(dtype=dtype)
        carrier = self.carrier(dtype)
        base, axes = self.layout(x)
        least = base.least
        base = self._cast(base, carrier)
        base.least = least
        return self._narrow(Value(dtype, base=base, axes=axes))

    def unary(self, x: Value, operation: str, *, dtype: str = "") -> Value:
        """A Unary layer; ``operation`` names a ``tensorrt.UnaryOperation`` (ISINF, ISNAN give bool)."""
        base, axes = self.layout(x)
        layer = self.add("add_unary", base.tensor, getattr(self.trt.UnaryOperation, operation))
        result = self.base(layer, dims=base.dims, sources=[base])
        dtype = dtype or ("bool" if operation in ("ISINF", "ISNAN") else x.dtype)
        return self._narrow(Value(dtype, base=result, axes=axes))

    def activation(self, x: Value, type: str, *, alpha: float | None = None, beta: float | None = None) -> Value:
        """An Activation layer; ``type`` names a ``tensorrt.ActivationType``."""
        base, axes = self.layout(x)
        layer = self.add("add_activation", base.tensor, getattr(self.trt.ActivationType, type))
        given = {"alpha": alpha, "beta": beta}
        self.set(layer, **{name: number for name, number in given.items() if number is not None})
        result = self.base(layer, dims=base.dims, sources=[base])
        least = _LEAST.get(type, -np.inf) if type != "CLIP" or alpha is None else alpha
        result.least = max(least, base.least if type in ("RELU", "CLIP") else -np.inf)
        return Value(x.dtype, base=result, axes=axes)

    def elementwise(self, input1: Operand, input2: Operand, op: str) -> Value:
        """An ElementWise layer with NumPy's broadcasting; ``op`` names a ``tensorrt.ElementWiseOperation``.

        Both operands have one TensorFlow dtype; a Python number takes the other's. Comparisons give bool.
        """
        a, b = self._pair(input1, input2)
        symbolic = self._symbolic(a, b, op)
        if symbolic is not None:
            return symbolic
        folded = self._fold(a, b, op)
        if folded is not None:
            return folded
        (left, right), axes, dims = self.aligned([a, b])
        layer = self.add("add_elementwise", left.tensor, right.tensor, getattr(self.trt.ElementWiseOperation, op))
        sources = [base for value, base in ((a, left), (b, right)) if not value.is_known]
        result = self.base(layer, dims=dims, sources=sources)
        value = Value("bool" if op in _COMPARISONS else a.dtype, base=result, axes=axes)
        if op == "MAX":
            result.least = max(left.least, right.least, *(_least(v) for v in (a, b)))
        elif op == "SUM":
            result.least = max(left.least, _least(a)) + max(right.least, _least(b))
        return value if op in _NO_OVERFLOW else self._narrow(value)

    def logical_not(self, x: Value) -> Value:
        """True where ``x`` is false."""
        return Value.of(np.logical_not(x.array)) if x.is_known else self.unary(x, "NOT")

    def select(self, condition: Value, then_input: Operand, else_input: Operand) -> Value:
        """A Select layer with broadcasting: ``then_input`` where ``condition`` holds, else ``else_input``."""
        a, b = self._pair(then_input, else_input)
        (mask, left, right), axes, dims = self.aligned([condition, a, b])
        layer = self.add("add_select", mask.tensor, left.tensor, right.tensor)
        pairs = ((condition, mask), (a, left), (b, right))
        sources = [base for value, base in pairs if not value.is_known]
        return Value(a.dtype, base=self.base(layer, dims=dims, sources=sources), axes=axes)

    # -- layouts ------------------------------------------------------------------------------
    def aligned(self, values: Sequence[Value]) -> tuple[list[Base], Axes, list[Dim | None]]:
        """Tensors of one rank and one layout that broadcast against each other, at the least cost.

        Returns them with where each TensorFlow axis lies, and the extents of the broadcast result.
        """
        rank = max(value.rank for value in values)
        ranked = [self.unpadded(value).with_rank(rank) for value in values]
        order = self.common_order(ranked)
        bases = [self.in_order(value.transpose(order)) for value in ranked]
        axes = tuple(order.index(axis) for axis in range(rank))
        dims = [_broadcast([base.dims[place] for base in bases]) for place in range(rank)]
        return bases, axes, dims

    @staticmethod
    def common_order(values: Sequence[Value]) -> tuple[int, ...]:
        """The axis order, of the given values' layouts, in which most run-time values lie as they are."""
        votes: dict[tuple[int, ...], int] = {}
        for value in values:
            if value.base is not None and any(axis is not None for axis in value.axes):
                order = _natural_order(value.axes)
                real = sum(axis is not None for axis in value.axes)
                votes[order] = votes.get(order, 0) + 1 + 1000 * real
        if not votes:
            return tuple(range(values[0].rank))
        return max(votes, key=votes.__getitem__)

    # -- what needs no layer ---------------------------------------------------------------------
    def _pair(self, a: Operand, b: Operand) -> tuple[Value, Value]:
        if isinstance(a, Value):
            b = self.value(b, a)
        elif isinstance(b, Value):
            a = self.value(a, b)
        else:
            raise LayerError("two Python numbers need no layer")
        if a.dtype != b.dtype:
            raise LayerError(f"operands of two dtypes: {a.describe()} and {b.describe()}", hint="ctx.cast one of them")
        return a, b

    @staticmethod
    def _symbolic(a: Value, b: Value, op: str) -> Value | None:
        if a.is_known and b.is_known:
            return None
        if a.base is not None or b.base is not None or op not in _SYMBOLIC:
            return None
        left, right = (v.elements if v.elements is not None else v.array.astype(object) for v in (a, b))
        return Value.of_elements(_SYMBOLIC[op](left, right), a.dtype)

    def _fold(self, a: Value, b: Value, op: str) -> Value | None:
        """Put a scale or shift by constants into the producer's open weights, or open a Scale layer for it."""
        if op == "SUB" and b.is_known and DTYPES[a.dtype].floating:
            return self._fold(a, Value.of(np.negative(b.array)), "SUM")
        if op not in ("SUM", "PROD") or not DTYPES[a.dtype].floating:
            return None
        x, c = (a, b) if b.is_known else (b, a)
        if not c.is_known or x.base is None or x.pads is not None:
            return None
        place = _channel_axis(x, c.array)
        if place is None or not np.isfinite(c.array.astype(np.float64)).all():
            return None
        weights = x.open
        if weights is not None and x.uses == 1 and weights.version == x.version and place in (weights.axis, -1):
            version = weights.multiply(c.array) if op == "PROD" else weights.add(c.array)
            return x.copy(version=version, uses=0, name="")
        if op != "PROD" or not 2 <= len(x.tensor_base.dims) <= 8 or place == -1:
            return None
        return self.scale(x, place, c.array)

    def scale(self, x: Value, channel_axis: int, scale: Array) -> Value | None:
        """A Scale layer whose per-channel weights stay open; None where the channels are unknown or none."""
        base, axes = self.layout(x)
        channels = base.dims[channel_axis]
        if not isinstance(channels, int) or channels == 0 or base.carrier == "bfloat16":
            return None
        weights = self.opened_scale(base, channel_axis, channels)
        layer, opened = weights
        version = opened.multiply(scale)
        result = self.base(layer, dims=base.dims, sources=[base])
        return Value(x.dtype, base=result, axes=axes, open=opened, version=version)

    def opened_scale(self, base: Base, axis: int, channels: int) -> tuple[Any, OpenWeights]:
        """The Scale layer and its open weights."""
        factors = np.ones(channels, _numpy(base.carrier))
        terms = np.zeros(channels, factors.dtype)
        mode = self.trt.ScaleMode.CHANNEL
        layer = self.add("add_scale_nd", base.tensor, mode, terms, factors, self.weights(None, base.carrier), axis)

        def write(scale: Array | None, shift: Array | None) -> None:
            factors[...] = 1 if scale is None else scale
            terms[...] = 0 if shift is None else shift

        opened = OpenWeights(axis, channels, write)
        self.open.append(opened)
        return layer, opened

    # -- narrow integers ---------------------------------------------------------------------------
    def _narrow(self, value: Value) -> Value:
        """Wrap an int32 result to the 8 or 16 bits of its TensorFlow dtype."""
        dtype = DTYPES[value.dtype]
        if not dtype.integer or dtype.exact:
            return value
        span = 1 << dtype.bits
        offset = 0 if dtype.name.startswith("u") else span // 2
        wide = value.copy(dtype="int32")
        turns = self.elementwise(self.elementwise(wide, offset, "SUM") if offset else wide, span, "FLOOR_DIV")
        wrapped = self.elementwise(wide, self.elementwise(turns, span, "PROD"), "SUB")
        return wrapped.copy(dtype=value.dtype)


def _numpy(carrier: str) -> Any:
    return {"float16": np.float16}.get(carrier, np.float32)


def _natural_order(axes: Axes) -> tuple[int, ...]:
    """The order of a value's axes in which its base lies as it is; new axes stay beside their neighbour."""
    keys: list[tuple[int, int]] = []
    last = -1
    for place, axis in enumerate(axes):
        last = axis if axis is not None else last
        keys.append((last, place))
    return tuple(sorted(range(len(axes)), key=lambda place: keys[place]))


def _channel_axis(x: Value, constant: Array) -> int | None:
    """The base axis along which a broadcast constant varies; -1 for a single number; None if it does not fit."""
    if constant.ndim > x.rank:
        return None
    if constant.size == 1:
        return -1
    varying = [place for place, extent in enumerate(constant.shape, x.rank - constant.ndim) if extent != 1]
    if len(varying) != 1:
        return None
    axis = x.axes[varying[0]]
    if axis is None or x.tensor_base.dims[axis] != constant.size:
        return None
    return axis


def _least(value: Value) -> float:
    """The smallest element of a small float constant."""
    if value.known is None or value.array.size == 0 or value.array.size > 1 << 16:
        return -np.inf
    return float(np.min(value.array.astype(np.float64))) if DTYPES[value.dtype].floating else -np.inf


def _broadcast(dims: Sequence[Dim]) -> Dim | None:
    """The extent of a broadcast axis; None where only the run knows."""
    rest = [dim for dim in dims if dim != 1]
    if not rest:
        return 1
    fixed = [dim for dim in rest if isinstance(dim, int)]
    if fixed:
        return fixed[0]
    first = rest[0]
    return first if all(equal(dim, first) is True for dim in rest) else None
