"""A plan: TensorRT's bytes, untouched, and a sidecar that says what they are; stored and loaded as two files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tf2trt_core import edition as editions
from tf2trt_core import manifest
from tf2trt_core.errors import MissingDependencyError, PlanError
from tf2trt_core.files import replace_together
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.plugins.loading import kernels_of
from tf2trt_core.sidecar import Sidecar

__all__ = ["Plan", "Sidecar", "load_engine", "sidecar_path", "store_engine"]


@dataclass(frozen=True)
class Plan:
    """An engine as TensorRT serialised it.

    ``data``: TensorRT's bytes (``bytes`` or a view of TensorRT's own memory), which other tools load as they are.
    ``sidecar``: names, dtypes, shapes and ranges of inputs and outputs, versions, hash.
    ``kernels``: declarations at hand of kernels that it needs; no part of what is stored. Others are looked for in the
    installed packages when the plan is run.
    """

    data: bytes | memoryview = field(repr=False)
    sidecar: Sidecar
    kernels: tuple[Kernel, ...] = field(default=(), repr=False, compare=False)


def own_version() -> str:
    """The version of the distribution tf2trt; ``"unknown"`` for sources that are not installed."""
    try:
        return importlib.metadata.version("tf2trt")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def digest(data: bytes | memoryview) -> str:
    """SHA-256 of the bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Where the sidecar of a plan file is: ``model.plan`` has ``model.plan.json``."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def store_engine(plan: Plan, path: str | os.PathLike[str]) -> Path:
    """Write ``path`` (TensorRT's bytes) and ``path.json`` (the sidecar); returns ``path``.

    A program with cuts is one file, with the sidecar inside.

    Both appear by rename after both are on the disk: a full disk leaves what was there before. Should the machine stop
    between the two renames, the hash in the sidecar does not fit and ``load_engine`` says so.
    Raises ``PlanError`` when they cannot be written.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise PlanError(f"cannot store a plan as {str(path)!r}: that is a folder; give a file name such as model.plan")
    beside = sidecar_path(path)
    if plan.sidecar.kernels:
        return _store_alone(plan, path)
    try:
        replace_together({path: plan.data, beside: plan.sidecar.to_json().encode()})
    except OSError as error:
        raise PlanError(
            f"cannot write the plan {str(path)!r} ({len(plan.data):,} bytes) and its sidecar {beside.name!r}: "
            f"{error.strerror or error}. Nothing was replaced; make room or choose another folder and store it again"
        ) from error
    return path


def _store_alone(plan: Plan, path: Path) -> Path:
    try:
        replace_together({path: plan.data})
    except OSError as error:
        raise PlanError(
            f"cannot write the program {str(path)!r} ({len(plan.data):,} bytes): {error.strerror or error}. "
            "Nothing was replaced; make room or choose another folder and store it again"
        ) from error
    return path


def load_engine(path: str | os.PathLike[str], *, plugins: Sequence[Any] = ()) -> Plan:
    """Read and verify a plan and its sidecar; needs no TensorRT.

    ``plugins``: what the model was converted with, where the plan needs kernels of those: ``@op`` functions, modules or
    their names, lists of them. What installed packages bring is found without.

    Raises ``PlanError`` when a file is missing, damaged or does not belong to the other, and when a TensorRT
    is installed that cannot use the plan (another edition or version).
    """
    found = read_plan(path, kernels_of(plugins))
    check_installed(Path(path), found.sidecar)
    return found


def read_plan(path: str | os.PathLike[str], kernels: tuple[Kernel, ...] = ()) -> Plan:
    """As ``load_engine``, whatever TensorRT is installed."""
    path = Path(path)
    data = _bytes(path, "the plan")
    if not data:
        raise PlanError(f"the plan {str(path)!r} is empty. {_rebuild(path)}")
    if manifest.is_container(data):
        try:
            return Plan(data, manifest.sidecar(data), kernels)
        except ValueError as error:
            raise PlanError(f"{str(path)!r} {error}. {_rebuild(path)}") from error
    beside = sidecar_path(path)
    text = _bytes(beside, f"the sidecar of {str(path)!r}")
    try:
        sidecar = Sidecar.from_json(text)
    except ValueError as error:
        raise PlanError(f"the sidecar {str(beside)!r} {error}. {_rebuild(path)}") from error
    _check_content(path, data, sidecar)
    return Plan(data, sidecar, kernels)


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"cannot read {what}, {str(path)!r}: {error.strerror or error}. "
            "A plan is two files, NAME and NAME.json, written by store_engine; keep them together"
        ) from error


def _check_content(path: Path, data: bytes, sidecar: Sidecar) -> None:
    if len(data) != sidecar.size:
        raise PlanError(
            f"the plan {str(path)!r} has {len(data):,} bytes, its sidecar says {sidecar.size:,}: it was cut off, "
            f"or the two files are of different builds. {_rebuild(path)}"
        )
    found = digest(data)
    if found != sidecar.sha256:
        raise PlanError(
            f"the plan {str(path)!r} is damaged, or its sidecar is of another build: its SHA-256 is {found[:16]}..., "
            f"the sidecar says {sidecar.sha256[:16]}.... {_rebuild(path)}"
        )


def check_installed(path: Path, sidecar: Sidecar) -> None:
    """Raise ``PlanError`` for what the installed TensorRT cannot deserialise; where none works nothing is compared."""
    try:
        here = editions.edition()
    except MissingDependencyError:
        return
    made = f"{sidecar.edition} {sidecar.tensorrt}"
    if sidecar.edition != here.name:
        package = editions.DISTRIBUTIONS.get(sidecar.edition, sidecar.edition)
        raise PlanError(
            f"the plan {str(path)!r} was made by {made} and {here.name} {here.version} is in use; the editions do not "
            f"read each other's plans. Install {package}=={sidecar.tensorrt} in its place. Or: {_rebuild(path)}"
        )
    if sidecar.tensorrt != here.version:
        package = editions.DISTRIBUTIONS[here.name]
        raise PlanError(
            f"the plan {str(path)!r} was made by {made} and {here.version} is installed; a plan loads only in the "
            f"version that made it. pip install {package}=={sidecar.tensorrt}. Or: {_rebuild(path)}"
        )


def _rebuild(path: Path) -> str:
    return f"Rebuild it with optimize_network and store_engine, or with: tf2trt convert MODEL -o {path}"
