"""What one call of a kernel does: launches, fills and copies over named buffers, planned from plain ints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.signature import itemsize

Scalar = int | float | bool | tuple[int, ...]
#: A buffer's address, a null pointer, a number, or a struct passed by value.
Argument = Any
#: Workspace buffers start at multiples of this, as allocations of CUDA do.
_ALIGNMENT = 256
_LARGEST_GRID = (2**31 - 1, 65535, 65535)
_LARGEST_BLOCK = (1024, 1024, 64)


@dataclass(frozen=True)
class DeviceFacts:
    """What the geometry of a launch may depend on; the defaults are the least that any device of ours has."""

    multiprocessors: int = 2
    capability: int = 75
    shared_bytes: int = 48 << 10


@dataclass(frozen=True, eq=False)
class Buffer:
    """A tensor of a call: an input, an output, a data-dependent size, or a piece of the workspace.

    ``index`` is its place among the buffers of its ``role``; ``offset`` where it lies in the workspace. A part of
    another buffer has that as ``whole``, and begins ``start`` bytes into it.
    """

    role: str
    index: int
    dtype: str
    shape: tuple[int, ...]
    offset: int = 0
    whole: Buffer | None = None
    start: int = 0

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes."""
        return self.size * itemsize(self.dtype)

    @property
    def root(self) -> Buffer:
        """The buffer that this is, or is a part of."""
        return self if self.whole is None else self.whole

    def part(self, index: int) -> Buffer:
        """``self[index]``, as a launch's argument."""
        inner = self.shape[1:]
        begin = self.start + index * math.prod(inner) * itemsize(self.dtype)
        return Buffer(self.role, self.index, self.dtype, inner, self.offset, self.root, begin)


@dataclass(frozen=True)
class Launch:
    """One launch; ``arguments`` are buffers, None for null pointers, and NumPy scalars or arrays (structs by value)."""

    entry: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arguments: tuple[Argument, ...]
    shared: int


@dataclass(frozen=True)
class Memset:
    """Set every byte of a buffer."""

    target: Buffer
    byte: int


@dataclass(frozen=True)
class Copy:
    """Copy a buffer onto another of the same bytes."""

    target: Buffer
    source: Buffer


Step = Launch | Memset | Copy


@dataclass
class Call:
    """What a declaration's ``launches`` function gets: the buffers and scalars of one call; it records the steps.

    ``inputs``, ``outputs`` and ``sizes`` are buffers in the signature's order; data-dependent extents of outputs
    have their upper bounds. Everything is known but the contents.
    """

    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    sizes: tuple[Buffer, ...]
    scalars: Mapping[str, Scalar]
    device: DeviceFacts
    entries: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)
    pieces: list[Buffer] = field(default_factory=list)
    workspace_bytes: int = 0

    def number(self, name: str) -> int:
        """An integer scalar."""
        value = self.scalars[name]
        if isinstance(value, tuple):
            raise KernelError(f"{name!r} is several numbers")
        return int(value)

    def real(self, name: str) -> np.float32:
        """A floating-point scalar."""
        value = self.scalars[name]
        if isinstance(value, tuple):
            raise KernelError(f"{name!r} is several numbers")
        return np.float32(value)

    def workspace(self, dtype: str, *shape: int) -> Buffer:
        """Scratch memory for this call; its contents are garbage."""
        made = Buffer("workspace", len(self.pieces), dtype, shape, self.workspace_bytes)
        self.pieces.append(made)
        self.workspace_bytes += -(-made.nbytes // _ALIGNMENT) * _ALIGNMENT
        return made

    def memset(self, target: Buffer, byte: int) -> None:
        """Set every byte."""
        if target.nbytes:
            self.steps.append(Memset(target, byte))

    def copy(self, target: Buffer, source: Buffer) -> None:
        """Copy all bytes."""
        if target.nbytes != source.nbytes:
            raise KernelError(f"a copy of {source.nbytes} bytes onto {target.nbytes}")
        if target.nbytes:
            self.steps.append(Copy(target, source))

    def grid(self, count: int, share: int, most: int = 32) -> int:
        """Blocks for a grid-stride loop over ``count`` elements: one for each ``share``, 0 for no elements.

        ``share`` is the block's threads, or a multiple where each takes several elements. There are at most ``most``
        blocks a multiprocessor, which fill it; for further elements their threads take further strides.
        """
        return min(ceil_div(count, share), most * self.device.multiprocessors)

    def launch(
        self, entry: str, grid: int | Sequence[int], block: int | Sequence[int], *arguments: Any, shared: int = 0
    ) -> None:
        """Launch an entry of the declaration; nothing happens for an empty grid.

        An argument is a buffer (its address), None (a null pointer), an int (``long long``), a bool (``int``), a
        float (``float``), a NumPy scalar (itself) or an array (a struct by value: see ``extents`` and ``strides``).
        """
        if entry not in self.entries:
            raise KernelError(f"no entry {entry!r}; the declaration has {', '.join(self.entries)}")
        threads = _three(block, _LARGEST_BLOCK, "block")
        if math.prod(threads) > 1024:
            raise KernelError(f"{entry}: {math.prod(threads)} threads in a block; 1024 are the most")
        blocks = _three(grid, _LARGEST_GRID, "grid")
        if shared > self.device.shared_bytes:
            raise KernelError(f"{entry}: {shared} bytes of shared memory; the device has {self.device.shared_bytes}")
        if math.prod(blocks):
            self.steps.append(Launch(entry, blocks, threads, tuple(map(_argument, arguments)), shared))


def _three(given: int | Sequence[int], largest: tuple[int, int, int], what: str) -> tuple[int, int, int]:
    wide = (given,) if isinstance(given, int) else tuple(given)
    x, y, z = (int(one) for one in (*wide, 1, 1)[:3])
    if any(not 0 <= one <= most for one, most in zip((x, y, z), largest, strict=True)):
        raise KernelError(f"a {what} of {(x, y, z)}; {largest} are the most")
    return x, y, z


def _argument(given: Any) -> Argument:
    if given is None or isinstance(given, Buffer | np.generic | np.ndarray):
        return given
    if isinstance(given, bool):
        return np.int32(given)
    if isinstance(given, int):
        return np.int64(given)
    if isinstance(given, float):
        return np.float32(given)
    raise KernelError(f"a launch takes no {type(given).__name__} as argument")


def extents(shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Extents as the struct ``tf2trt::Dims``; unused places are 1."""
    return np.array([*shape, *[1] * (8 - len(shape))], np.int64)


def strides(shape: Sequence[int], onto: Sequence[int]) -> np.ndarray[Any, Any]:
    """Strides in elements with which ``shape`` broadcasts onto ``onto``, as ``tf2trt::Dims``; unused places are 0."""
    made = []
    step = 1
    for extent in reversed(shape):
        made.append(step if extent != 1 else 0)
        step *= extent
    made += [0] * (len(onto) - len(shape))
    return np.array([*reversed(made), *[0] * (8 - len(onto))], np.int64)


def ceil_div(a: int, b: int) -> int:
    """``a / b`` rounded up."""
    return -(-a // b)
