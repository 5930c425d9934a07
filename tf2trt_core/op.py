"""``@op``: turns an op author's function into a plugin, and its annotations into bound arguments.

The parameters are the OpDef's inputs and attributes, by their own names; any subset will do. What an
input is bound to follows from its annotation:

==================  =======================================================================
``Value``           the tensor, known or computed at run time
``list[Value]``     the tensors of a list input
``Const``           the contents as an array; ``NotConstantError`` if they are not known
``Dims``            the elements of an integer vector, each an int or a run-time dimension
``Dim``             one such integer
==================  =======================================================================

Attributes are bound as plain Python values: dtypes by TensorFlow's name, shapes as tuples with -1.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from tf2trt_core import dims, opdefs
from tf2trt_core.context import Context
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.errors import LimitError, NotConstantError, RegistryError
from tf2trt_core.node import Node
from tf2trt_core.opdefs import ArgDef, OpDef
from tf2trt_core.value import Array, Value

#: An input whose contents must be known.
Const = Annotated[Array, "const"]
#: The elements of an integer vector: ints, or dimensions that the run decides.
Dims = Annotated[tuple[dims.Dim, ...], "dims"]
#: One integer: an int, or a dimension that the run decides.
Dim = Annotated[dims.Dim, "dim"]

#: Attribute kinds and the annotations that fit them.
_FITS: dict[str, tuple[Any, ...]] = {
    "int": (int,),
    "float": (float,),
    "bool": (bool,),
    "string": (str, bytes),
    "type": (str,),
    "shape": (tuple, type(None)),
    "tensor": (Any,),
    "func": (Any,),
}


@dataclass(frozen=True)
class Limit:
    """Something that the op does not convert, declared once: an error, a test filter and a line of the docs.

    ``when`` takes any of the op's arguments by name, as the op's own function gets them; a limit on the
    op as a whole has none. ``unseen``: conformance sees no difference without it (NumPy keeps an order that TensorRT
    does not promise, or the difference is below the tolerance), so it is not reported as perhaps stale.
    """

    reason: str
    when: Callable[..., bool] | None = None
    hint: str = ""
    unseen: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """What ``when`` asks for."""
        return () if self.when is None else tuple(inspect.signature(self.when).parameters)


Binder = Callable[[Context, Any], Any]


def _bind_value(ctx: Context, given: Any) -> Any:
    del ctx
    return given


def _bind_const(ctx: Context, given: Value) -> Any:
    del ctx
    if not given.is_known:
        raise NotConstantError(
            f"{given.describe()} must be a constant and is computed at run time",
            hint="make it a constant of the model, or cut the graph behind this node with outputs=",
        )
    return given.array


def _bind_dims(ctx: Context, given: Value) -> Any:
    return ctx.dims(given)


def _bind_dim(ctx: Context, given: Value) -> Any:
    return ctx.dims(given)[0]


_BINDERS: dict[Any, Binder] = {Const: _bind_const, Dims: _bind_dims, Dim: _bind_dim}


@dataclass(eq=False)
class Op:
    """One TensorFlow op's converter: a plugin. Made by ``@op``; calling it calls the author's function.

    ``carries`` are dtypes that the op computes on their carrier as TensorFlow does on them; ``partial``
    lets another third party convert the same op; ``wrap`` makes the function a generator around the
    other implementations.
    """

    name: str
    function: Callable[..., Any]
    schema: OpDef
    limits: tuple[Limit, ...] = ()
    carries: frozenset[str] = frozenset()
    partial: bool = False
    wrap: bool = False
    keep_float32: bool | None = None
    library: str | None = None
    custom: bool = False
    family: Family | None = None
    plugin: str = ""
    package: str = ""
    arguments: tuple[str, ...] = ()
    binders: dict[str, Binder] = field(default_factory=dict)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the author's function directly."""
        return self.function(*args, **named)

    @property
    def location(self) -> str:
        """file:line of the author's function."""
        code = inspect.unwrap(self.function).__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @property
    def doc(self) -> str:
        """The first line of the function's docstring, else of its file's."""
        text = self.function.__doc__ or sys.modules[self.function.__module__].__doc__ or ""
        return text.strip().partition("\n")[0]

    def bind(self, ctx: Context, given: dict[str, Any]) -> dict[str, Any]:
        """The author's arguments for a node, limits checked. ``given`` has every argument of the OpDef."""
        self._check_dtypes(ctx.node, given)
        bound = {}
        for name in self.arguments:
            binder = self.binders.get(name)
            bound[name] = ctx if name == "ctx" else given[name] if binder is None else binder(ctx, given[name])
        for limit in self.limits:
            if limit.when is not None:
                asked = {name: bound[name] if name in bound else given[name] for name in limit.arguments}
                if not limit.when(**asked):
                    continue
            raise LimitError(limit.reason, hint=limit.hint)
        return bound

    def _check_dtypes(self, node: Node, given: dict[str, Any]) -> None:
        for arg in self.schema.inputs:
            entry = given[arg.name]
            for value in entry if isinstance(entry, list) else (entry,):
                if value.dtype not in self.carries and not value.is_known and not supported(value.dtype):
                    raise LimitError(
                        f"input {arg.name!r} is {value.dtype}, which TensorRT does not compute on, and "
                        f"{self.plugin} does not declare it",
                        hint=f"cast to float32 or int32 before {node.name!r}",
                    )


def supported(dtype: str) -> bool:
    """Whether any op may get this dtype: its carrier computes as TensorFlow does (float64 with a warning)."""
    entry = DTYPES.get(dtype)
    return entry is not None and (entry.exact or dtype == "float64")


class Family(Sequence[Op]):
    """The plugins that one ``@op("A", "B")`` made; ``.cases`` attaches the conformance cases to all of them."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self._ops = tuple(ops)
        self.case: Callable[..., Any] | None = None
        for one in self._ops:
            one.family = self

    def __getitem__(self, index: Any) -> Any:
        return self._ops[index]

    def __len__(self) -> int:
        return len(self._ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self._ops)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the author's function directly."""
        return self._ops[0].function(*args, **named)

    def cases(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator for a function of ``(draw, gen)`` that returns one drawn ``gen.case(...)``.

        A third parameter ``op`` gets the op's name where a family's ops differ.
        """
        self.case = draw
        return draw


def op(
    *names: str,
    schema: str = "",
    limits: Sequence[Limit] = (),
    carries: str = "",
    partial: bool = False,
    wrap: bool = False,
    keep_float32: bool | None = None,
    library: str | None = None,
) -> Callable[[Callable[..., Any]], Family]:
    """Make a function the converter of these TensorFlow ops, each a plugin of its own.

    ``schema`` brings the signature of a custom op: ``"MyOp(x: T, k: int = 1) -> y: T"``; ``library`` is the
    shared library with its TensorFlow kernel, for the oracle. ``carries`` are dtypes such as
    ``tf2trt_core.NARROW`` that the op handles on their carrier. In half precision an op computes in the widest
    float that comes in; ``keep_float32=True`` makes it float32 always (sums, exponentials), ``False`` the
    precision that was asked for (products of matrices).

    Raises ``RegistryError`` for a misspelt op, argument, or an annotation that the OpDef contradicts.
    """

    def decorate(function: Callable[..., Any]) -> Family:
        made = []
        for name in names:
            found = opdefs.parse(schema) if schema else opdefs.find(name)
            where = f"{function.__module__}.{function.__qualname__}"
            if found is None or found.name != name:
                raise RegistryError(
                    f"{where}: TensorFlow has no op {name!r}{_nearest(name)}; a custom op needs schema="
                )
            unknown = set(carries.split()) - set(DTYPES)
            if unknown:
                raise RegistryError(f"{where}: carries= names no dtype: {', '.join(sorted(unknown))}")
            one = Op(
                name,
                function,
                found,
                tuple(limits),
                frozenset(carries.split()),
                partial,
                wrap,
                keep_float32,
                library,
                custom=bool(schema),
                plugin=f"{function.__module__}:{name}",
                package=function.__module__.partition(".")[0],
            )
            _bind_arguments(one, where)
            made.append(one)
        if not made:
            raise RegistryError("@op needs the name of an op")
        return Family(made)

    return decorate


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415 - only for a message

    near = difflib.get_close_matches(name, opdefs.names(), n=2)
    return f" (nearest: {', '.join(near)})" if near else ""


def _bind_arguments(one: Op, where: str) -> None:
    """Check the author's signature against the OpDef and choose the binders."""
    hints = typing.get_type_hints(one.function, include_extras=True)
    inputs = {arg.name: arg for arg in one.schema.inputs}
    for name, parameter in inspect.signature(one.function).parameters.items():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.default is not parameter.empty:
            raise RegistryError(
                f"{where} ({one.name}): parameter {name!r} must have no default; defaults come from the OpDef"
            )
        if name == "ctx":
            continue
        if name not in one.schema.arguments:
            listed = ", ".join(one.schema.arguments)
            raise RegistryError(f"{where}: {one.name} has no argument {name!r}; it has {listed}")
        if name not in hints:
            raise RegistryError(f"{where} ({one.name}): parameter {name!r} needs an annotation: it decides the binding")
        if name in inputs:
            one.binders[name] = _input_binder(hints[name], inputs[name], f"{where} ({one.name})")
        else:
            _check_attribute(hints[name], one.schema.attributes[name], f"{where} ({one.name})")
    for limit in one.limits:
        for name in limit.arguments:
            if name not in one.schema.arguments:
                raise RegistryError(f"{where} ({one.name}): a Limit asks for {name!r}, which is no argument of the op")
    one.arguments = tuple(inspect.signature(one.function).parameters)


def _input_binder(hint: Any, arg: ArgDef, where: str) -> Binder:
    if hint in _BINDERS:
        if arg.several:
            raise RegistryError(f"{where}: {arg.name!r} is a list of tensors; annotate it list[Value]")
        return _BINDERS[hint]
    wanted: Any = list[Value] if arg.several else Value
    if hint != wanted:
        choices = "list[Value]" if arg.several else "Value, Const, Dims or Dim"
        raise RegistryError(f"{where}: input {arg.name!r} is annotated {hint!r}; it can be {choices}")
    return _bind_value


def _check_attribute(hint: Any, attr: opdefs.AttrDef, where: str) -> None:
    if attr.kind.startswith("list["):
        fits: tuple[Any, ...] = (list,)
        found = (typing.get_origin(hint) or hint,)
    else:
        fits = _FITS[attr.kind]
        union = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        found = tuple(typing.get_origin(part) or part for part in union)
    if Any not in fits and hint is not Any and not set(found) & set(fits):
        raise RegistryError(
            f"{where}: attribute {attr.name!r} is {attr.kind} in the OpDef; the annotation says {hint!r}"
        )
