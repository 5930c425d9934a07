"""``Kernel``: an operation's CUDA source and all that is needed to run it anywhere, declared once.

From it come the plugin layer (IPluginV2DynamicExt or IPluginV3), the call between two engines, the run on the CPU
under the sanitizers, and the NumPy reference.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.dims import Dim, is_static
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, DeviceFacts
from tf2trt_core.kernels.signature import CXX, Signature

Array = np.ndarray[Any, Any]
Shape = tuple[Dim, ...]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel operation.

    ``text``        the signature: see ``tf2trt_core.kernels.signature``.
    ``source``      the ``.cu`` file.
    ``types``       letter → the dtypes it can be, ``{"T": "float32 float16"}``.
    ``entries``     name → C++ name expression, ``{"sum": "segment_sum<{T}, {I}>"}``.
    ``shape``       of input shapes and ``dim``/``int`` scalars by name, any subset → the outputs' shapes.
    ``launches``    records the steps of one call on a ``Call``.
    ``sizes``       data-dependent extents, which ``shape`` gets by name too: name → upper bound, a function as
                    ``shape``. The kernel writes each into ``call.sizes`` as an int64.
    ``agree``       of input shapes and scalars by name, any subset → pairs of shapes, or of parts of shapes, that must
                    be the same for the kernel to stay within its inputs; checked when a call is planned.
    ``reference``   the same in NumPy, of arrays and scalars by name → list of arrays.
    ``fma``         whether the compiler may contract ``a * b + c``; off where a comparison decides on the last bit.
    """

    text: str
    source: Path
    types: Mapping[str, str]
    entries: Mapping[str, str]
    shape: Callable[..., Sequence[Shape]]
    launches: Callable[[Call], None]
    sizes: Mapping[str, Callable[..., Dim]] = field(default_factory=dict)
    agree: Callable[..., Iterable[tuple[Sequence[int], Sequence[int]]]] | None = None
    reference: Callable[..., Sequence[Array]] | None = None
    fma: bool = True

    def __post_init__(self) -> None:
        for letter, dtypes in self.types.items():
            if letter not in self.signature.letters:
                raise KernelError(f"kernel {self.name}: types= has {letter!r}, which the signature does not mention")
            if unknown := set(dtypes.split()) - set(CXX):
                raise KernelError(f"kernel {self.name}: no dtype: {', '.join(sorted(unknown))}")
        if missing := set(self.signature.letters) - set(self.types):
            raise KernelError(f"kernel {self.name}: types= does not say what {', '.join(sorted(missing))} can be")
        given = {one.name for one in (*self.signature.inputs, *self.signature.scalars)} | set(self.sizes)
        for function in (self.shape, *self.sizes.values(), *([self.agree] if self.agree else [])):
            if unknown := set(inspect.signature(function).parameters) - given:
                raise KernelError(f"kernel {self.name}: a shape function asks for {', '.join(sorted(unknown))}")

    @functools.cached_property
    def signature(self) -> Signature:
        """The parsed signature."""
        return Signature.parse(self.text)

    @property
    def name(self) -> str:
        """The signature's name."""
        return self.signature.name

    # -- dtypes -------------------------------------------------------------------------------
    def bind(self, dtypes: Sequence[str], scalars: Mapping[str, Any]) -> dict[str, str]:
        """Letters to dtypes. Raises ``KernelError`` for dtypes that the kernel does not take."""
        types = {name: scalars[name] for name in self.signature.types}
        return self.signature.bind(dtypes, types, self.types)

    def bindings(self) -> list[dict[str, str]]:
        """Every combination of dtypes."""
        choices = [self.types[letter].split() for letter in self.signature.letters]
        return [dict(zip(self.signature.letters, chosen, strict=True)) for chosen in itertools.product(*choices)]

    def expressions(self, bound: Mapping[str, str]) -> dict[str, str]:
        """Entry → its C++ name expression under a binding."""
        types = {letter: CXX[dtype] for letter, dtype in bound.items()}
        return {entry: expression.format_map(types) for entry, expression in self.entries.items()}

    def output_dtypes(self, bound: Mapping[str, str]) -> tuple[str, ...]:
        """The outputs' carriers."""
        return tuple(self.signature.dtype(one, bound) for one in self.signature.outputs)

    # -- shapes -------------------------------------------------------------------------------
    def output_shapes(
        self, shapes: Sequence[Shape], scalars: Mapping[str, Any], sizes: Mapping[str, Dim]
    ) -> list[Shape]:
        """The outputs' shapes, of whatever dims are given: ints or run-time dimensions."""
        made: Sequence[Shape] = _called(self.shape, {**self._named(shapes, scalars), **sizes})
        if len(made) != len(self.signature.outputs):
            wanted = len(self.signature.outputs)
            raise KernelError(f"kernel {self.name}: shape gives {len(made)} shapes for {wanted} outputs")
        return [tuple(one) for one in made]

    def bounds(self, shapes: Sequence[Shape], scalars: Mapping[str, Any]) -> dict[str, Dim]:
        """The upper bound of each data-dependent size."""
        named = self._named(shapes, scalars)
        return {name: _called(function, named) for name, function in self.sizes.items()}

    def check_shapes(self, shapes: Sequence[Shape], scalars: Mapping[str, Any]) -> None:
        """Raises ``KernelError`` unless the inputs' shapes, all of ints, agree."""
        if self.agree is None:
            return
        for one, other in _called(self.agree, self._named(shapes, scalars)):
            if tuple(one) != tuple(other):
                names = [given.name for given in self.signature.inputs]
                said = ", ".join(f"{name} {list(shape)}" for name, shape in zip(names, shapes, strict=True))
                raise KernelError(
                    f"kernel {self.name}: shapes that do not go together: {said}; "
                    f"{list(one)} should be {list(other)}: look at what computes them"
                )

    def _named(self, shapes: Sequence[Shape], scalars: Mapping[str, Any]) -> dict[str, Any]:
        names = [one.name for one in self.signature.inputs]
        return {**dict(zip(names, shapes, strict=True)), **scalars}

    def check(self, scalars: Mapping[str, Any]) -> None:
        """Raises ``KernelError`` unless these are the signature's scalars and types."""
        wanted = {*self.signature.types, *(one.name for one in self.signature.scalars)}
        if set(scalars) != wanted:
            raise KernelError(
                f"kernel {self.name} takes the scalars {', '.join(sorted(wanted)) or 'none'}; "
                f"given: {', '.join(sorted(scalars)) or 'none'}"
            )

    # -- a call -------------------------------------------------------------------------------
    def plan(
        self,
        dtypes: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
        scalars: Mapping[str, Any],
        device: DeviceFacts | None = None,
        *,
        largest: bool = False,
    ) -> Call:
        """The steps of a call with inputs of these dtypes and shapes; outputs have their largest extents.

        ``largest``: the shapes are upper bounds, each by itself, which need not agree. Raises ``KernelError``.
        """
        self.check(scalars)
        if not largest:
            self.check_shapes(shapes, scalars)
        bound = self.bind(dtypes, scalars)
        outputs = self.output_shapes(shapes, scalars, self.bounds(shapes, scalars))
        if not all(is_static(shape) for shape in outputs):
            raise KernelError(f"kernel {self.name}: a plan needs extents that are known")
        kinds = self.output_dtypes(bound)
        call = Call(
            _buffers("input", dtypes, shapes),
            _buffers("output", kinds, outputs),
            tuple(Buffer("size", i, "int64", ()) for i in range(len(self.sizes))),
            {name: value for name, value in scalars.items() if name not in self.signature.types},
            device or DeviceFacts(),
            self.entries,
        )
        self.launches(call)
        return call


def _buffers(role: str, dtypes: Sequence[str], shapes: Sequence[Shape]) -> tuple[Buffer, ...]:
    pairs = enumerate(zip(dtypes, shapes, strict=True))
    return tuple(Buffer(role, place, dtype, _ints(shape)) for place, (dtype, shape) in pairs)


def _ints(shape: Shape) -> tuple[int, ...]:
    made = tuple(dim for dim in shape if isinstance(dim, int))
    if any(dim < 0 for dim in made):
        raise KernelError(f"a shape function gave {made}")
    return made


def _called(function: Callable[..., Any], named: Mapping[str, Any]) -> Any:
    return function(**{name: named[name] for name in _parameters(function)})


@functools.cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def volume(shape: Sequence[int]) -> int:
    """Elements of a shape."""
    return math.prod(shape)
