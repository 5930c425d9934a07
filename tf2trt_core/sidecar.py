"""The JSON beside a plan file: what the plan takes and gives, what made it, and what it needs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tf2trt_core.spec import Range, TensorSpec

#: The version of the sidecar's own form; a reader refuses a newer one.
FORMAT = 1


@dataclass(frozen=True)
class Needed:
    """A kernel that a plan needs: its declaration in Python, which the plan does not hold.

    ``name``: ``namespace::name``. ``signature``: of the declaration. ``package``: who brought it, with the version
    where it is known. ``digest``: of declaration and sources.
    """

    name: str
    signature: str
    package: str
    digest: str


@dataclass(frozen=True)
class Sidecar:
    """What is known about a plan without reading TensorRT's bytes.

    ``inputs``, ``outputs``: in the signature's order. ``edition``: TensorRT's module, ``tensorrt`` or ``tensorrt_rtx``.
    ``tensorrt``, ``tf2trt``, ``tensorflow``: versions; the last is None where the model was read without TensorFlow.
    ``compute_capabilities``: what was asked for (``"8.6"``); empty: the builder's own choice.
    ``plugins``: kernels in Python plugins, to register before the plan is deserialised: ``inference_engine`` does,
    trtexec and Triton cannot. ``kernels``: those that run between plans. Both are empty for a plain plan.
    ``sha256``, ``size``: of the plan's bytes.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str
    edition: str
    tensorrt: str
    compute_capabilities: tuple[str, ...]
    sha256: str
    size: int
    tf2trt: str
    tensorflow: str | None = None
    plugins: tuple[Needed, ...] = ()
    kernels: tuple[Needed, ...] = ()
    format: int = FORMAT

    def to_json(self) -> str:
        """The text of the file, readable and the same for the same plan."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> Sidecar:
        """Read the file's text. Raises ``ValueError`` that names the field which is missing or wrong."""
        try:
            found = json.loads(text)
        except RecursionError:
            raise ValueError("is nested too deeply to be a sidecar") from None
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise ValueError(f"holds a {type(found).__name__} where an object is expected")  # noqa: TRY004 - as above
        version = found.get("format")
        if type(version) is int and version > FORMAT:
            raise ValueError(f"has format {version}, this tf2trt reads up to {FORMAT}: upgrade tf2trt")
        return cls(**_read(found, _SIDECAR))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("an integer >= 0")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("64 hexadecimal digits")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("a list of texts")  # noqa: TRY004 - one kind of error for a damaged file
    return tuple(_text(item) for item in value)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or any(type(extent) is not int or extent < -1 for extent in value):
        raise ValueError("a list of extents, -1 where open")
    return tuple(value)


def _range(value: Any) -> Range | None:
    if value is None:
        return None
    whole = isinstance(value, list) and len(value) == 3 and all(type(extent) is int for extent in value)
    if not whole or not 0 <= value[0] <= value[1] <= value[2]:
        raise ValueError("null or [min, opt, max] with min <= opt <= max")
    return value[0], value[1], value[2]


def _ranges(value: Any) -> tuple[Range | None, ...]:
    if not isinstance(value, list):
        raise ValueError("a list with null or [min, opt, max] per dimension")  # noqa: TRY004 - as above
    return tuple(_range(item) for item in value)


def specs(value: Any) -> tuple[TensorSpec, ...]:
    """Inputs or outputs from JSON. Raises ``ValueError``."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("a list of objects")
    made = tuple(TensorSpec(**_read(item, _SPEC)) for item in value)
    if any(len(spec.ranges) != len(spec.shape) for spec in made):
        raise ValueError("a list of tensors with one range per dimension")
    if len({spec.name for spec in made}) != len(made):
        raise ValueError("a list of tensors with different names")
    return made


def needed_from_json(value: Any) -> tuple[Needed, ...]:
    """Kernels from JSON. Raises ``ValueError``."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("a list of objects")
    return tuple(Needed(**_read(item, _NEEDED)) for item in value)


_NEEDED: dict[str, Callable[[Any], Any]] = dict.fromkeys(("name", "signature", "package", "digest"), _text)
_SPEC: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "tensor": _text,
    "dtype": _text,
    "carrier": _text,
    "shape": _shape,
    "ranges": _ranges,
}
_SIDECAR: dict[str, Callable[[Any], Any]] = {
    "inputs": specs,
    "outputs": specs,
    "precision": _text,
    "edition": _text,
    "tensorrt": _text,
    "compute_capabilities": _texts,
    "sha256": _digest,
    "size": _count,
    "tf2trt": _text,
    "tensorflow": _text_or_none,
    "plugins": needed_from_json,
    "kernels": needed_from_json,
    "format": _count,
}


def _read(found: Mapping[str, Any], fields: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Each field through its check; fields that are not known are left out."""
    values = {}
    for name, check in fields.items():
        if name not in found:
            raise ValueError(f"lacks {name!r}")
        try:
            values[name] = check(found[name])
        except ValueError as error:
            raise ValueError(f"has {name!r} = {_short(found[name])}: expected {error}") from None
    return values


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
