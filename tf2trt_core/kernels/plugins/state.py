"""What a plugin is made from, and what is stored of it: one flat mapping, as plugin fields (V3) or as bytes (V2)."""

from __future__ import annotations

import inspect
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.dims import Dim, DimExpr
from tf2trt_core.kernels import cache
from tf2trt_core.kernels.compiler import Binary
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.errors import KernelError

#: Plugins take no tensors of these dtypes (NvInferRuntime.h, ``PluginTensorDesc::type``); what carries them instead.
CARRIED = {"bool": "int8"}
#: The version of the stored form; another one is refused.
FORMAT = 1
_MAGIC = b"tf2trt plugin\n"
_OWN = ("tf2trt.format", "tf2trt.digest", "tf2trt.dtypes", "tf2trt.open")
_CODE, _PROMISED = "tf2trt.code", "tf2trt.workspace"
_UNKNOWN = -(2**63)
#: Kind of a scalar → the plugin field's type and the NumPy dtype of its data.
_FIELDS: dict[str, tuple[str, Any]] = {
    "dim": ("INT64", np.int64),
    "dims": ("INT64", np.int64),
    "int": ("INT64", np.int64),
    "bool": ("INT32", np.int32),
    "float": ("FLOAT64", np.float64),
    "text": ("CHAR", np.int8),
    "bytes": ("INT8", np.int8),
}


@dataclass(frozen=True)
class Setting:
    """A kernel with the dtypes of its inputs and its scalars; None in these stands for a run-time dimension.

    The plugin has one more input for each, in order: a vector of that length. ``open``: those dimensions.
    """

    kernel: Kernel
    dtypes: tuple[str, ...]
    scalars: Mapping[str, Any]
    open: tuple[Dim, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, kernel: Kernel, dtypes: Sequence[str], scalars: Mapping[str, Any]) -> Setting:
        """From a call's dtypes and scalars. Raises ``KernelError`` for what the kernel, or no plugin, takes."""
        kernel.check(scalars)
        dims: list[Dim] = []

        def fixed(number: Any) -> Any:
            if isinstance(number, int | np.integer):
                return int(number)
            if not isinstance(number, DimExpr):
                raise KernelError(f"kernel {kernel.name}: {number!r} is no dimension")
            dims.append(number)
            return None

        kinds = {one.name: one.kind for one in kernel.signature.scalars}
        made = {}
        for name, given in scalars.items():
            kind = kinds.get(name, "type")
            if kind == "dims":
                made[name] = tuple(fixed(number) for number in given)
            else:
                made[name] = fixed(given) if kind == "dim" else _CHECKS[kind](given)
        setting = cls(kernel, tuple(dtypes), made, tuple(dims))
        bound = setting.bound
        for one in (*dtypes, *kernel.output_dtypes(bound)):
            if one in ("uint8", "int8"):
                raise KernelError(f"kernel {kernel.name}: a TensorRT plugin takes no {one} tensors")
        return setting

    @property
    def bound(self) -> dict[str, str]:
        """Letters to dtypes."""
        return self.kernel.bind(self.dtypes, self.scalars)

    @property
    def extras(self) -> int:
        """How many inputs there are for run-time dimensions."""
        return sum(_slots(self.scalars).values())

    def filled(self, dims: Iterable[Dim]) -> dict[str, Any]:
        """The scalars with these dimensions in the open places."""
        rest = iter(dims)
        return {
            name: tuple(next(rest) if one is None else one for one in value)
            if isinstance(value, tuple)
            else (next(rest) if value is None else value)
            for name, value in self.scalars.items()
        }

    # -- the flat mapping ---------------------------------------------------------------------
    def values(self) -> dict[str, Any]:
        """Everything by field name; numbers, text, and tuples of numbers."""
        slots = [name for name, count in _slots(self.scalars).items() for _ in range(count)]
        own = (FORMAT, digest(self.kernel), " ".join(self.dtypes), " ".join(slots))
        return {**dict(zip(_OWN, own, strict=True)), **self.filled([_UNKNOWN] * len(slots))}

    @classmethod
    def from_values(cls, kernel: Kernel, values: Mapping[str, Any]) -> Setting:
        """Raises ``KernelError`` where something is missing, or was stored for another version of the kernel."""
        wanted = {*_OWN, *kernel.signature.types, *(one.name for one in kernel.signature.scalars)}
        if missing := wanted - set(values):
            raise KernelError(f"plugin {kernel.name} lacks the fields {', '.join(sorted(missing))}")
        if values["tf2trt.format"] != FORMAT:
            raise KernelError(
                f"plugin {kernel.name} was stored in format {values['tf2trt.format']}; this tf2trt reads {FORMAT}: "
                "build the plan again"
            )
        if values["tf2trt.digest"] != digest(kernel):
            raise KernelError(
                f"plugin {kernel.name} was stored for another version of {kernel.source.name} or of its declaration: "
                "build the plan again, or install the version of the package that built it"
            )
        slots = values["tf2trt.open"].split()
        scalars = {name: values[name] for name in (*kernel.signature.types, *_names(kernel))}
        for name in dict.fromkeys(slots):
            given = scalars[name]
            opened = tuple(None if one == _UNKNOWN else one for one in given) if isinstance(given, tuple) else None
            scalars[name] = opened
        setting = cls(kernel, tuple(values["tf2trt.dtypes"].split()), scalars)
        if setting.extras != len(slots):
            raise KernelError(f"plugin {kernel.name}: {len(slots)} open dimensions, {setting.extras} places for them")
        kernel.bind(setting.dtypes, scalars)
        return setting


@dataclass(frozen=True)
class Stored:
    """A setting with what a build found out.

    ``code``: compiled, for the GPU of the build. ``promised``: the least workspace that TensorRT was asked for, -1
    before it was.
    """

    setting: Setting
    code: Binary | None = None
    promised: int = -1

    def values(self) -> dict[str, Any]:
        """As ``Setting.values``."""
        code = {_CODE: self.code.to_bytes()} if self.code is not None else {}
        return {**self.setting.values(), _PROMISED: self.promised, **code}

    @classmethod
    def from_values(cls, kernel: Kernel, values: Mapping[str, Any]) -> Stored:
        """As ``Setting.from_values``; code and workspace may be missing."""
        code = values.get(_CODE)
        setting = Setting.from_values(kernel, values)
        return cls(setting, Binary.from_bytes(code) if code else None, int(values.get(_PROMISED, -1)))

    # -- as bytes (V2) ------------------------------------------------------------------------
    def to_bytes(self) -> bytes:
        """JSON, then the code."""
        values = self.values()
        code = values.pop(_CODE, b"")
        head = json.dumps(values).encode()
        return b"".join((_MAGIC, struct.pack("<I", len(head)), head, code))

    @classmethod
    def from_bytes(cls, kernel: Kernel, raw: bytes) -> Stored:
        """Raises ``KernelError`` for what ``to_bytes`` did not write."""
        begin = len(_MAGIC) + 4
        if not raw.startswith(_MAGIC) or len(raw) < begin:
            raise KernelError(f"plugin {kernel.name}: the stored state is damaged")
        (length,) = struct.unpack("<I", raw[len(_MAGIC) : begin])
        try:
            values = json.loads(raw[begin : begin + length])
            values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            return cls.from_values(kernel, {**values, _CODE: raw[begin + length :]})
        except (ValueError, TypeError, AttributeError) as error:
            raise KernelError(f"plugin {kernel.name}: the stored state is damaged ({error})") from error

    # -- as plugin fields (V3, and what makes any plugin) -------------------------------------
    def fields(self, trt: Any) -> tuple[Any, list[Any]]:
        """(collection, what must live as long as it: a field does not keep its data alive)."""
        arrays = {name: _array(self.setting.kernel, name, value) for name, value in self.values().items()}
        made = [
            trt.PluginField(name, array, getattr(trt.PluginFieldType, _FIELDS[_kind(self.setting.kernel, name)][0]))
            for name, array in arrays.items()
        ]
        return trt.PluginFieldCollection(made), [arrays, made]

    @classmethod
    def from_fields(cls, kernel: Kernel, collection: Iterable[Any]) -> Stored:
        """Raises ``KernelError`` as ``Setting.from_values``."""
        known = {*field_names(kernel), _CODE, _PROMISED}
        given = {one.name: one for one in collection}
        if unknown := set(given) - known:
            raise KernelError(f"plugin {kernel.name} has no field {', '.join(sorted(unknown))}")
        return cls.from_values(kernel, {name: _value(kernel, name, one.data) for name, one in given.items()})


def field_names(kernel: Kernel) -> tuple[str, ...]:
    """What a creator asks for."""
    return (*_OWN, *kernel.signature.types, *_names(kernel))


def empty_fields(trt: Any, kernel: Kernel) -> tuple[Any, list[Any]]:
    """The creator's ``field_names``: names and types without data."""
    nothing = {name: np.zeros(0, _FIELDS[_kind(kernel, name)][1]) for name in field_names(kernel)}
    made = [
        trt.PluginField(name, data, getattr(trt.PluginFieldType, _FIELDS[_kind(kernel, name)][0]))
        for name, data in nothing.items()
    ]
    return trt.PluginFieldCollection(made), [nothing, made]


def digest(kernel: Kernel) -> str:
    """Of the source with all headers, the declaration, and what plans shapes and launches.

    Of such a function it is the file, and the numbers and texts that it closes over.
    """
    given: tuple[Any, ...] = (kernel.launches, kernel.shape, *kernel.sizes.values())
    functions = [one for one in given if inspect.isfunction(one)]
    files = sorted({Path(file) for one in functions if (file := inspect.getsourcefile(one))})
    closed = [
        (name, value)
        for one in functions
        for name, value in sorted(inspect.getclosurevars(one).nonlocals.items())
        if isinstance(value, bool | int | float | str)
    ]
    declared = kernel.text, sorted(kernel.types.items()), sorted(kernel.entries.items()), kernel.fma, closed
    return cache.key(kernel.source, repr(declared), *(file.read_text() for file in files if file.exists()))


def _names(kernel: Kernel) -> list[str]:
    return [one.name for one in kernel.signature.scalars]


def _slots(scalars: Mapping[str, Any]) -> dict[str, int]:
    """Scalar → how many of its numbers are open, where any is."""
    counts = {name: value.count(None) if isinstance(value, tuple) else value is None for name, value in scalars.items()}
    return {name: int(count) for name, count in counts.items() if count}


def _kind(kernel: Kernel, name: str) -> str:
    if name in ("tf2trt.format", _PROMISED):
        return "int"
    if name == _CODE:
        return "bytes"
    return next((one.kind for one in kernel.signature.scalars if one.name == name), "text")


def _array(kernel: Kernel, name: str, value: Any) -> Any:
    kind = _kind(kernel, name)
    raw = value.encode() if kind == "text" else value
    return np.frombuffer(raw, np.int8).copy() if isinstance(raw, bytes) else np.atleast_1d(raw).astype(_FIELDS[kind][1])


def _value(kernel: Kernel, name: str, data: Any) -> Any:
    kind = _kind(kernel, name)
    if kind in ("text", "bytes"):
        raw = bytes(np.asarray(data).astype(np.int8).tobytes())
        return raw.decode(errors="replace") if kind == "text" else raw
    if kind == "dims":
        return tuple(np.asarray(data).tolist())
    if np.size(data) != 1:
        raise KernelError(f"plugin {kernel.name}: the field {name!r} has {np.size(data)} numbers where one is expected")
    return _CHECKS["int" if kind == "dim" else kind](np.asarray(data).reshape(())[()])


def _number(value: Any) -> int:
    if not math.isfinite(value) or int(value) != value:
        raise KernelError(f"{value!r} is no integer")
    return int(value)


_CHECKS: dict[str, Any] = {"int": _number, "float": float, "bool": bool, "type": str}
