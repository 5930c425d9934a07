"""Declarations of elementwise kernels: a functor in CUDA, applied to one tensor or to several that broadcast."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.dims import Dim, equal, select
from tf2trt_core.kernels.declaration import Array, Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, ceil_div, extents, strides
from tf2trt_core.kernels.signature import itemsize

FLOATS = "float32 float16 bfloat16"
_THREADS = 256
#: An empty functor as an argument passed by value.
_EMPTY = np.uint8(0)


def broadcast(*shapes: Sequence[Dim]) -> tuple[Dim, ...]:
    """The shape that tensors of these shapes broadcast to."""
    made: list[Dim] = []
    for dims in itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        extent: Dim = 1
        for dim in dims:
            if isinstance(dim, int) and dim != 1:
                extent = dim
                break
            extent = dim if extent == 1 else select(equal(extent, 1), dim, extent)
        made.append(extent)
    return tuple(reversed(made))


def agree(*shapes: Sequence[int]) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Pairs that are the same if tensors of these shapes broadcast together."""
    for dims in itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        wide = [dim for dim in dims if dim != 1]
        yield from (((dim,), (wide[0],)) for dim in wide)


def unary(
    name: str,
    source: Path,
    functor: str,
    types: str = FLOATS,
    *,
    out: str = "T",
    out_types: str = "",
    option: bool = False,
    unroll: int = 1,
    reference: Callable[..., Array] | None = None,
) -> Kernel:
    """``y = functor(x)``; ``out`` and ``out_types`` if y has a dtype of its own. ``option``: the functor holds an int.

    ``unroll``: accesses in flight per thread; more than one pays where the functor is a few instructions.
    """
    scalars = ", option: int" if option else ""
    given = f", {out}: type" if out_types else ""

    def launches(call: Call) -> None:
        (x,), (y,) = call.inputs, call.outputs
        functor_value = np.int32(call.number("option")) if option else _EMPTY
        call.launch("map", vector_grid(x.size, unroll, x, y), _THREADS, x, y, x.size, functor_value)

    return Kernel(
        f"{name}(x: T{given}{scalars}) -> y: {out}",
        source,
        {"T": types, **({out: out_types} if out_types else {})},
        {"map": f"tf2trt::map1<{functor}, {{{out}}}, {{T}}, {unroll}>"},
        shape=lambda x: [x],
        launches=launches,
        reference=_one(reference),
    )


def binary(
    name: str,
    source: Path,
    functor: str,
    types: str = FLOATS,
    *,
    option: bool = False,
    unroll: int = 1,
    reference: Callable[..., Array] | None = None,
) -> Kernel:
    """``z = functor(x, y)`` with broadcasting. See ``unary`` for the options."""

    def launches(call: Call) -> None:
        (x, y), (z,) = call.inputs, call.outputs
        functor_value = np.int32(call.number("option")) if option else _EMPTY
        scalars = sum(1 << place for place, one in enumerate((x, y)) if one.size == 1)
        if all(one.size in (z.size, 1) for one in (x, y)):
            call.launch(
                "map", vector_grid(z.size, unroll, x, y, z), _THREADS, x, y, z, z.size, np.int32(scalars), functor_value
            )
            return
        shape, first, second = collapse(z.shape, x.shape, y.shape)
        call.launch(
            "broadcast", grid(z.size), _THREADS, x, y, z, z.size, np.int32(len(shape)),
            extents(shape), strides(first, shape), strides(second, shape), functor_value,
        )  # fmt: skip

    return Kernel(
        f"{name}(x: T, y: T{', option: int' if option else ''}) -> z: T",
        source,
        {"T": types},
        {
            "map": f"tf2trt::map2<{functor}, {{T}}, {{T}}, {{T}}, {unroll}>",
            "broadcast": f"tf2trt::broadcast2<{functor}, {{T}}, {{T}}, {{T}}>",
        },
        shape=lambda x, y: [broadcast(x, y)],
        agree=lambda x, y: agree(x, y),  # noqa: PLW0108 - the names count
        launches=launches,
        reference=_one(reference),
    )


def ternary(
    name: str,
    source: Path,
    functor: str,
    types: str = FLOATS,
    *,
    reference: Callable[..., Array] | None = None,
) -> Kernel:
    """``w = functor(x, y, z)``, each operand of the result's shape or of one element."""

    def launches(call: Call) -> None:
        (x, y, z), (w,) = call.inputs, call.outputs
        scalars = sum(1 << place for place, one in enumerate((x, y, z)) if one.size == 1)
        call.launch("map", grid(w.size), _THREADS, x, y, z, w, w.size, np.int32(scalars), _EMPTY)

    return Kernel(
        f"{name}(x: T, y: T, z: T) -> w: T",
        source,
        {"T": types},
        {"map": f"tf2trt::map3<{functor}, {{T}}, {{T}}>"},
        shape=lambda x, y, z: [broadcast(x, y, z)],
        agree=lambda x, y, z: agree(x, y, z),  # noqa: PLW0108 - the names count
        launches=launches,
        reference=_one(reference),
    )


def _one(reference: Callable[..., Array] | None) -> Callable[..., Sequence[Array]] | None:
    """A reference that returns one array as a declaration's, which returns several."""

    def wrapped(*arrays: Array, **scalars: Any) -> list[Array]:
        return [reference(*arrays, **scalars)] if reference is not None else []

    return wrapped if reference is not None else None


def vector_grid(count: int, unroll: int, *buffers: Buffer) -> int:
    """Blocks for a kernel whose threads take ``unroll`` accesses of 16 bytes each."""
    widest = max(itemsize(one.dtype) for one in buffers)
    return grid(ceil_div(count * widest, 16 * unroll))


def grid(count: int) -> int:
    """Blocks with a thread for each of ``count``, as many as a grid can have at most."""
    return min(ceil_div(count, _THREADS), 2**31 - 1)


def collapse(shape: Sequence[int], *operands: Sequence[int]) -> tuple[list[int], ...]:
    """The same broadcast with neighbouring axes joined where every operand has both or neither: fewer divisions."""
    wide = [[1] * (len(shape) - len(one)) + list(one) for one in operands]
    made: tuple[list[int], ...] = tuple([] for _ in range(1 + len(operands)))
    pattern: Any = None
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        here = tuple(one[axis] == extent for one in wide)
        if any(one[axis] not in (1, extent) for one in wide):
            raise KernelError(f"{[list(one) for one in operands]} do not broadcast to {list(shape)}")
        for target, full in zip(made, (True, *here), strict=True):
            if here == pattern:
                target[-1] *= extent if full else 1
            else:
                target.append(extent if full else 1)
        pattern = here
    return made
