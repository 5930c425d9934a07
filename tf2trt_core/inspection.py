"""What a stored file holds, as plain values: read without a GPU, without TensorRT and without its kernels' packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tf2trt_core import manifest
from tf2trt_core.dims import leaves
from tf2trt_core.errors import PlanError
from tf2trt_core.kernels.compiler import Binary
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plugins.loading import absent, installed
from tf2trt_core.plan import Plan, check_installed, digest, read_plan, sidecar_path
from tf2trt_core.program import Call, Numbers
from tf2trt_core.sidecar import Needed, Sidecar

#: How serialised engines begin, by edition; their bytes 24 to 27 are the version's numbers (as trtexec reads them).
_TAGS = {b"ftrt": "tensorrt", b"vtrt": "tensorrt_rtx"}
_VERSION = slice(24, 28)


def inspect_file(path: Path) -> dict[str, Any]:
    """What a plan, a program with cuts, or an engine of other tools says of itself.

    ``kind``: "plan", "program with cuts", or "engine" for TensorRT's bytes with nothing beside them, of which only
    ``edition`` and ``tensorrt`` are known. ``steps``: networks and kernels in the order in which they run, each with
    its level. ``kernels``: what must be installed to run it; ``absent`` says why one is not here. ``refused``: why the
    installed TensorRT does not load it. Raises ``PlanError`` for a file that is none of these, or damaged.
    """
    head = _head(path)
    if head and not manifest.is_container(head) and not sidecar_path(path).is_file():
        return _engine(path, head)
    plan = read_plan(path)
    about = plan.sidecar
    needed = (*about.plugins, *about.kernels)
    return {
        "kind": "program with cuts" if manifest.is_container(plan.data) else "plan",
        "file": str(path),
        "bytes": about.size,
        "sha256": about.sha256,
        **{name: getattr(about, name) for name in _FACTS},
        "inputs": [asdict(spec) for spec in about.inputs],
        "outputs": [asdict(spec) for spec in about.outputs],
        "steps": list(_steps(path, plan)),
        "kernels": [asdict(one) | {"absent": reason} for one, reason in zip(needed, _absent(needed), strict=True)],
        "refused": _refused(path, about),
    }


_FACTS = ("edition", "tensorrt", "tf2trt", "tensorflow", "precision", "compute_capabilities")


def _head(path: Path) -> bytes:
    """The first bytes; none where there is nothing to read, which ``read_plan`` then says."""
    try:
        with path.open("rb") as file:
            return file.read(_VERSION.stop)
    except OSError:
        return b""


def _engine(path: Path, head: bytes) -> dict[str, Any]:
    if head[:4] not in _TAGS:
        raise PlanError(
            f"{str(path)!r} is no file of tf2trt's or TensorRT's: it begins with {head[:8]!r}, and there is no "
            f"{sidecar_path(path).name!r} beside it. What tf2trt convert and store_engine write can be inspected"
        )
    if len(head) < _VERSION.stop:
        raise PlanError(f"{str(path)!r} is cut off: it has {len(head)} bytes of TensorRT's header")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    version = ".".join(map(str, head[_VERSION]))
    made = {"edition": _TAGS[head[:4]], "tensorrt": version}
    return {"kind": "engine", "file": str(path), "bytes": path.stat().st_size, "sha256": sha256, **made}


def _absent(needed: tuple[Needed, ...]) -> list[str]:
    known = installed() if needed else ()
    return [absent(one, known) for one in needed]


def _refused(path: Path, about: Sidecar) -> str:
    try:
        check_installed(path, about)
    except PlanError as error:
        return str(error)
    return ""


# -- a program with cuts ----------------------------------------------------------------------
def _steps(path: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """The steps of a container; none for a plan. Raises ``PlanError`` for a damaged one."""
    if not manifest.is_container(plan.data):
        return
    levels = {spec.tensor: 0 for spec in plan.sidecar.inputs}
    try:
        with manifest.opened(plan.data) as archive:
            for step in manifest.manifest(archive)["steps"]:
                yield (_network if "plan" in step else _kernel)(archive, step, levels, plan.sidecar)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, KernelError) as error:
        raise PlanError(f"the program {str(path)!r} is damaged ({error}). Convert and store it again") from error


def _network(archive: ZipFile, step: Mapping[str, Any], levels: dict[str, int], about: Sidecar) -> dict[str, Any]:
    del about
    data, own = manifest.contents(archive, step["plan"]), Sidecar.from_json(json.dumps(step["sidecar"]))
    if digest(data) != own.sha256:
        raise ValueError(f"{step['plan']} has another hash than the manifest says")
    level = max((levels[spec.tensor] for spec in own.inputs), default=0)
    levels |= dict.fromkeys((spec.tensor for spec in own.outputs), level)
    return {
        "kind": "network",
        "level": level,
        "bytes": len(data),
        "inputs": [asdict(spec) for spec in own.inputs],
        "outputs": [asdict(spec) for spec in own.outputs],
    }


def _kernel(archive: ZipFile, step: Mapping[str, Any], levels: dict[str, int], about: Sidecar) -> dict[str, Any]:
    nobody: Any = None  # the declaration is not needed
    call: Call = manifest.call_from_json(step, nobody, lambda name: manifest.contents(archive, name))
    code = [manifest.contents(archive, name) for name in step["code"]]
    level = max((levels[name] for name in _taken(call)), default=0)
    levels |= dict.fromkeys((spec.tensor for spec in call.outputs), level + 1)
    inputs = [
        {"carrier": carrier} | ({"tensor": one} if isinstance(one, str) else {"shape": one.shape})
        for one, carrier in zip(call.inputs, call.dtypes, strict=True)
    ]
    return {
        "kind": "kernel",
        "level": level,
        "bytes": sum(map(len, code)),
        "name": call.name,
        "kernel": about.kernels[step["kernel"]].name,
        "inputs": inputs,
        "outputs": [asdict(spec) for spec in call.outputs],
        "code": [{"kind": one.kind, "capability": one.capability} for one in map(Binary.from_bytes, code)],
    }


def _taken(call: Call) -> set[str]:
    """The tensors that a call needs, those whose extents are among its numbers too."""
    numbers: list[Any] = [value if isinstance(value, tuple) else (value,) for value in call.scalars.values()]
    numbers += [one.elements for one in call.inputs if isinstance(one, Numbers)]
    extents = {leaf.key.name for several in numbers for one in several if hasattr(one, "terms") for leaf in leaves(one)}
    return extents | {one for one in call.inputs if isinstance(one, str)}
