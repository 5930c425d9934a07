"""``tf2trt inspect``: what a stored plan or program holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tf2trt_core.cli import options, screen, tables
from tf2trt_core.feeds import extents
from tf2trt_core.inspection import inspect_file


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan or a program with cuts, or a bare engine.")],
    *,
    as_json: options.Json = False,
) -> None:
    """Say what a stored file holds: inputs, outputs, networks, kernels, versions. Needs no GPU and runs nothing."""
    found = inspect_file(file)
    if as_json:
        screen.show_json({"ok": True} | found)
        return
    steps, kernels = found.get("steps", ()), found.get("kernels", ())
    screen.show(f"{file}: {found['kind']}, {tables.size(found['bytes'])}{_counted(steps)}")
    screen.show(f"  made by {found['edition']} {found['tensorrt']}{_made(found)}")
    if found["kind"] == "engine":
        screen.note(f"inputs and outputs are in {file.name}.json, which is not here")
        return
    screen.show(_edges(found))
    if steps:
        screen.show(_steps(steps))
    if kernels:
        screen.show(_kernels(kernels))
    if found["refused"]:
        screen.note(found["refused"])


def _counted(steps: Iterable[Mapping[str, Any]]) -> str:
    kinds = [step["kind"] for step in steps]
    levels = len({step["level"] for step in steps})
    told = f": {kinds.count('network')} networks, {kinds.count('kernel')} kernels on {levels} levels"
    return told if kinds else ""


def _made(found: Mapping[str, Any]) -> str:
    if found["kind"] == "engine":
        return ""
    model = f" of a model that TensorFlow {found['tensorflow']} read" if found["tensorflow"] else ""
    targets = ", ".join(found["compute_capabilities"]) or "the GPUs that its builder takes by default"
    return f" and tf2trt {found['tf2trt']}{model}\n  in {found['precision']}, for {targets}; SHA-256 {found['sha256']}"


def _edges(found: Mapping[str, Any]) -> Table:
    rows = [
        (place, spec["name"], spec["dtype"], spec["carrier"], _shape(spec), spec["tensor"])
        for place in ("input", "output")
        for spec in found[f"{place}s"]
    ]
    return screen.table("", "name", "dtype", "as", "shape", "TensorRT's tensor", rows=rows)


def _steps(steps: Iterable[Mapping[str, Any]]) -> Table:
    rows = [
        (
            str(step["level"]),
            f"{step['kernel']} at {step['name']}" if step["kind"] == "kernel" else "network",
            tables.size(step["bytes"]),
            ", ".join(map(_operand, step["inputs"])),
            ", ".join(f"{one['tensor']}: {one['carrier']}{_shape(one)}" for one in step["outputs"]),
            ", ".join(f"{one['kind']} {one['capability'] / 10}" for one in step.get("code", ())),
        )
        for step in steps
    ]
    return screen.table("level", "step", "size", "takes", "gives", "code", rows=rows)


def _operand(one: Mapping[str, Any]) -> str:
    """What a step takes: a network's inputs have ranges, a kernel's contents no tensor."""
    if "ranges" in one:
        return f"{one['tensor']}{_shape(one)}"
    return str(one.get("tensor") or f"{one['carrier']}{list(one['shape'])}")


def _kernels(kernels: Iterable[Mapping[str, Any]]) -> Table:
    rows = [(one["name"], one["package"], one["signature"], one["absent"] or "yes") for one in kernels]
    return screen.table("kernel", "package", "signature", "here", rows=rows)


def _shape(spec: Mapping[str, Any]) -> str:
    return extents(spec["shape"], spec["ranges"])
