"""What a container of a program with cuts says of itself: its manifest, and calls of kernels as JSON."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.dims import Dim, DimExpr, Leaf, Operation
from tf2trt_core.dtypes import CARRIER_NUMPY
from tf2trt_core.kernels.declaration import Array, Kernel
from tf2trt_core.program import Call, Numbers
from tf2trt_core.sidecar import Sidecar, specs

#: The version of the manifest's form; a reader refuses any other.
FORMAT = 1
MANIFEST = "manifest.json"
_MAGIC = b"PK\x03\x04"


def is_container(data: bytes | memoryview) -> bool:
    """Whether the bytes are a container, and not a plan of TensorRT's."""
    return bytes(data[:4]) == _MAGIC


def is_program(path: Path) -> bool:
    """Whether a file is a container: a zip file with a manifest, and not a Keras model."""
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def sidecar(data: bytes | memoryview) -> Sidecar:
    """What a container's manifest says of it. Raises ``ValueError`` for a damaged one."""
    with opened(data) as archive:
        found = manifest(archive)["sidecar"]
    return Sidecar.from_json(json.dumps(found | {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}))


def opened(data: bytes | memoryview) -> zipfile.ZipFile:
    """The archive. Raises ``ValueError``."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise ValueError(f"is no zip file: {error}") from error


def manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The manifest. Raises ``ValueError`` for a damaged one, and for one of another version."""
    try:
        found = json.loads(archive.read(MANIFEST))
    except KeyError:
        raise ValueError(f"is no program with cuts: the zip file has no {MANIFEST}") from None
    except (RecursionError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"has a damaged manifest: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("sidecar"), dict):
        raise ValueError("has no manifest with a sidecar")  # noqa: TRY004 - one kind of error for a damaged file
    version = found.get("format")
    if version != FORMAT:
        raise ValueError(f"has format {version!r}, this tf2trt reads {FORMAT}")
    return found


def contents(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of an archive. Raises ``ValueError`` for a damaged one, ``KeyError`` for none."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name}: {error}") from error


# -- calls of kernels --------------------------------------------------------------------------
def call_to_json(call: Call, kernel: int, store: Callable[[str, bytes], str]) -> dict[str, Any]:
    """A call of a kernel, which is known by a number; ``store`` keeps contents of a kind and returns their file."""

    def operand(given: str | Array | Numbers, carrier: str) -> dict[str, Any]:
        if isinstance(given, str):
            return {"tensor": given}
        if isinstance(given, Numbers):
            numbers = [dim_to_json(dim) for dim in given.elements]
            return {"numbers": numbers, "shape": given.shape, "carrier": carrier}
        return {"constant": store("constant", given.tobytes()), "shape": given.shape, "carrier": carrier}

    return {
        "kernel": kernel,
        "name": call.name,
        "inputs": [operand(given, carrier) for given, carrier in zip(call.inputs, call.dtypes, strict=True)],
        "dtypes": call.dtypes,
        "scalars": {name: scalar_to_json(value) for name, value in call.scalars.items()},
        "outputs": [asdict(spec) for spec in call.outputs],
        "sizes": call.sizes,
    }


def call_from_json(found: Mapping[str, Any], kernel: Kernel, fetch: Callable[[str], bytes]) -> Call:
    """The reverse of ``call_to_json``; ``fetch`` reads a file."""

    def operand(given: Mapping[str, Any]) -> str | Array | Numbers:
        if "tensor" in given:
            return str(given["tensor"])
        shape = tuple(int(extent) for extent in given["shape"])
        if "numbers" in given:
            return Numbers(tuple(dim_from_json(one) for one in given["numbers"]), shape, given["carrier"])
        return np.frombuffer(fetch(given["constant"]), CARRIER_NUMPY[given["carrier"]]).reshape(shape)

    return Call(
        found["name"],
        kernel,
        tuple(operand(given) for given in found["inputs"]),
        tuple(found["dtypes"]),
        {name: scalar_from_json(value) for name, value in found["scalars"].items()},
        specs(found["outputs"]),
        {name: (int(output), int(axis)) for name, (output, axis) in found["sizes"].items()},
    )


# -- run-time dimensions -----------------------------------------------------------------------
@dataclass(frozen=True)
class Named:
    """A tensor that a dimension belongs to, by its name."""

    name: str


def scalar_to_json(value: Any) -> Any:
    """A dtype's name, a number, a run-time dimension, or a tuple of these."""
    if isinstance(value, tuple | list):
        return {"several": [scalar_to_json(one) for one in value]}
    return dim_to_json(value) if isinstance(value, DimExpr) else value


def dim_to_json(dim: Dim) -> Any:
    """A number, or the terms of a polynomial."""
    if isinstance(dim, int):
        return dim
    terms = [
        {"factor": factor, "atoms": [_atom_to_json(atom) for atom in atoms]} for atoms, factor in dim.terms.items()
    ]
    return {"sum": terms}


def _atom_to_json(atom: Leaf | Operation) -> Any:
    if isinstance(atom, Leaf):
        return {"tensor": atom.key.name, "axis": atom.axis}
    return {"operation": atom.name, "arguments": [dim_to_json(one) for one in atom.args]}


def scalar_from_json(found: Any) -> Any:
    """The reverse of ``scalar_to_json``."""
    if isinstance(found, Mapping) and "several" in found:
        return tuple(scalar_from_json(one) for one in found["several"])
    return dim_from_json(found) if isinstance(found, Mapping) else found


def dim_from_json(found: Any) -> Dim:
    """The reverse of ``dim_to_json``."""
    if isinstance(found, int):
        return found
    return DimExpr({tuple(_atom_from_json(atom) for atom in term["atoms"]): term["factor"] for term in found["sum"]})


def _atom_from_json(found: Mapping[str, Any]) -> Leaf | Operation:
    if "tensor" in found:
        return Leaf(Named(str(found["tensor"])), int(found["axis"]))
    return Operation(str(found["operation"]), tuple(dim_from_json(one) for one in found["arguments"]))
