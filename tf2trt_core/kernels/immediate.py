"""``Immediate``: a context that computes kernel ops at once, on known values; for tests, and for replaying cases.

An op's function runs in it as in a conversion; ``launch`` is the only layer that it has. Who computes is a function:
the CPU run of the source, the NumPy reference, or a GPU.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf2trt_core.dims import leaf
from tf2trt_core.dtypes import CARRIER_NUMPY, DTYPES
from tf2trt_core.errors import LimitError
from tf2trt_core.kernels.declaration import Array, Kernel
from tf2trt_core.kernels.dtyping import carried, carrier, output_dtypes
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.node import Node
from tf2trt_core.value import Value

if TYPE_CHECKING:
    from tf2trt_core.op import Op

Execute = Callable[[Kernel, Sequence[Array], Mapping[str, Any]], Sequence[Array]]


class Immediate:
    """See the module. ``execute(kernel, arrays, scalars)`` gets and gives arrays of the carriers."""

    def __init__(self, execute: Execute, op: str = "", attributes: Mapping[str, Any] | None = None) -> None:
        self._execute = execute
        self.node = Node(op or "node", op, (), dict(attributes or {}))

    def launch(self, kernel: Kernel, *tensors: Value, **scalars: Any) -> list[Value]:
        """As ``Context.launch``."""
        dtypes = [value.dtype for value in tensors]
        given = [into_carrier(value.array, value.dtype) for value in tensors]
        made = self._execute(kernel, given, carried(kernel, scalars))
        names = output_dtypes(kernel, dtypes, scalars)
        return [Value.of(out_of_carrier(array, dtype)) for array, dtype in zip(made, names, strict=True)]

    def dims(self, value: Value) -> tuple[int, ...]:
        """The elements of a vector."""
        return tuple(int(one) for one in value.array.ravel())

    def refuse(self, reason: str, *, hint: str = "") -> LimitError:
        """As ``Context.refuse``."""
        return LimitError(reason, hint=hint)


def play(op: Op, inputs: Mapping[str, Any], attributes: Mapping[str, Any], execute: Execute) -> list[Array]:
    """The outputs of an op whose inputs are arrays, or lists of arrays. Raises ``LimitError`` where a limit applies."""
    ctx: Any = Immediate(execute, op.name, attributes)
    values = {
        name: [Value.of(one) for one in given] if isinstance(given, list) else Value.of(np.asarray(given))
        for name, given in inputs.items()
    }
    made = op.function(**op.bind(ctx, {**values, **attributes}))
    return [value.array for value in ([made] if isinstance(made, Value) else made)]


def into_carrier(array: Array, dtype: str) -> Array:
    """An array of a TensorFlow dtype as its carrier holds it."""
    with np.errstate(over="ignore"):
        return array.astype(CARRIER_NUMPY[carrier(dtype)], copy=False)


def out_of_carrier(array: Array, dtype: str) -> Array:
    """The TensorFlow dtype again."""
    target = DTYPES[dtype].numpy
    if target is None:
        raise KernelError(f"no arrays of {dtype}")
    return array.astype(target, copy=False)


def numpy_reference(kernel: Kernel, arrays: Sequence[Array], scalars: Mapping[str, Any]) -> Sequence[Array]:
    """An ``execute`` for ``Immediate``: the declaration's NumPy reference, its results in the declared dtypes."""
    if kernel.reference is None:
        raise KernelError(f"kernel {kernel.name} has no NumPy reference")
    kernel.check_shapes([array.shape for array in arrays], scalars)
    dtypes = kernel.output_dtypes(kernel.bind([_name(array) for array in arrays], scalars))
    asked = inspect.signature(kernel.reference).parameters
    numbers = {name: scalars[name] for name in scalars if name in asked or name not in kernel.signature.types}
    with np.errstate(all="ignore"):
        made = kernel.reference(*arrays, **numbers)
        return [np.asarray(one).astype(CARRIER_NUMPY[dtype]) for one, dtype in zip(made, dtypes, strict=True)]


def found_sizes(
    kernel: Kernel, shapes: Sequence[tuple[int, ...]], scalars: Mapping[str, Any], outputs: Sequence[Array]
) -> list[int]:
    """The data-dependent sizes of a call, which its outputs have as extents. Raises ``KernelError`` if none has one."""
    marks = {name: leaf(name, 0) for name in kernel.sizes}
    marked = kernel.output_shapes(shapes, scalars, marks)
    found = {
        dim: array.shape[axis]
        for array, shape in zip(outputs, marked, strict=True)
        for axis, dim in enumerate(shape)
        if not isinstance(dim, int)
    }
    if missing := [name for name, mark in marks.items() if mark not in found]:
        raise KernelError(f"kernel {kernel.name}: no output has an extent that is {', '.join(missing)} itself")
    return [int(found[mark]) for mark in marks.values() if not isinstance(mark, int)]


def _name(array: Array) -> str:
    return next(name for name, dtype in CARRIER_NUMPY.items() if dtype == array.dtype)
