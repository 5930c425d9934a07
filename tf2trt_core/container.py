"""A program with cuts as one file: a zip of the networks' plans, the kernels' machine code, and a manifest in JSON.

Nothing in it is executed or unpickled by reading it. Kernels are found again by name and by the digest of their
declaration, which says whether they are still those that the machine code was made of.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tf2trt_core.errors import MissingDependencyError, PlanError
from tf2trt_core.kernels import compiler
from tf2trt_core.kernels.compiler import Binary
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plugins.loading import noted, resolve
from tf2trt_core.manifest import (
    FORMAT,
    MANIFEST,
    call_from_json,
    call_to_json,
    contents,
    manifest,
    opened,
)
from tf2trt_core.plan import Plan, digest
from tf2trt_core.program import Call, Part, Program
from tf2trt_core.sidecar import Sidecar

#: Code for a builder's default targets: PTX for the oldest architecture, which the driver finishes for any later one;
#: a driver older than the compiler takes none, and the kernel is compiled where it is loaded.
_OLDEST = 75

Bound = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Container:
    """What a file holds: plans and calls in the order in which they run, and code by (kernel, letters)."""

    steps: tuple[Plan | Call, ...]
    code: Mapping[tuple[Kernel, Bound], tuple[Binary, ...]]

    def binary(self, kernel: Kernel, bound: Mapping[str, str], capability: int) -> Binary:
        """The code for a device: made for it, else PTX, else compiled now."""
        stored = self.code.get((kernel, tuple(bound.items())), ())
        for one in stored:
            if one.kind == "cubin" and one.capability == capability:
                return one
        for one in stored:
            if one.kind == "ptx" and one.capability <= capability:
                return one
        return compiler.build(kernel, bound, capability)


# -- writing ----------------------------------------------------------------------------------
def pack(program: Program, plans: Sequence[Plan], about: Sidecar) -> Plan:
    """The plans of a program's networks, in order, with its kernels; the plan's data is the file.

    ``about`` says what made it; code is compiled for its compute capabilities, or for all, where NVRTC is installed.
    """
    made = iter(plans)
    buffer = io.BytesIO()
    notes = {call.kernel: noted(call.kernel) for call in program.calls}
    about = dataclasses.replace(about, kernels=tuple(dict.fromkeys(notes.values())))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        writer = _Writer(archive, [int(one.replace(".", "")) for one in about.compute_capabilities])
        steps = [
            writer.plan(next(made))
            if isinstance(part, Part)
            else writer.call(part, about.kernels.index(notes[part.kernel]))
            for part in program.parts
        ]
        text = json.dumps({"format": FORMAT, "sidecar": dataclasses.asdict(about), "steps": steps}, indent=1)
        archive.writestr(MANIFEST, text)
    data = buffer.getvalue()
    at_hand = (*notes, *(kernel for plan in plans for kernel in plan.kernels))
    return Plan(data, dataclasses.replace(about, sha256=digest(data), size=len(data)), at_hand)


class _Writer:
    """Puts plans, constants and code into an archive; what it returns goes into the manifest."""

    def __init__(self, archive: zipfile.ZipFile, capabilities: Sequence[int]) -> None:
        self._archive = archive
        self._targets = [(one, False) for one in capabilities] or [(_OLDEST, True)]
        self._count = 0
        self._files: dict[bytes, str] = {}

    def plan(self, plan: Plan) -> dict[str, Any]:
        """A network's plan."""
        return {"plan": self._add("plan", plan.data), "sidecar": dataclasses.asdict(plan.sidecar)}

    def call(self, call: Call, number: int) -> dict[str, Any]:
        """A call of a kernel, of this number among those that are needed."""
        return call_to_json(call, number, self._add) | {"code": self._code(call)}

    def _code(self, call: Call) -> list[str]:
        bound = call.kernel.bind(call.dtypes, call.scalars)
        try:
            made = [compiler.build(call.kernel, bound, target, ptx=ptx) for target, ptx in self._targets]
        except MissingDependencyError:  # compiled when it is loaded
            return []
        return [self._add("code", one.to_bytes()) for one in made]

    def _add(self, kind: str, contents: bytes | memoryview) -> str:
        if kind == "code" and bytes(contents) in self._files:
            return self._files[bytes(contents)]
        name = f"{self._count}.{kind}"
        self._count += 1
        self._archive.writestr(name, contents)
        if kind == "code":
            self._files[bytes(contents)] = name
        return name


# -- reading ----------------------------------------------------------------------------------
def read(data: bytes | memoryview, kernels: Iterable[Kernel] = ()) -> Container:
    """The steps of a container. ``kernels``: declarations at hand; others are those of the installed packages.

    Raises ``PlanError`` for a damaged file, and for kernels that are nowhere or are of another version.
    """
    at_hand = tuple(kernels)
    try:
        with opened(data) as archive:
            found = manifest(archive)
            needed = Sidecar.from_json(json.dumps(found["sidecar"])).kernels
            reader = _Reader(archive, resolve(needed, at_hand), at_hand)
            return Container(tuple(reader.step(one) for one in found["steps"]), reader.code)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, KernelError) as error:
        raise PlanError(f"the program with cuts is damaged ({error}). Convert and store it again") from error


class _Reader:
    """The reverse of ``_Writer``."""

    def __init__(self, archive: zipfile.ZipFile, kernels: Sequence[Kernel], at_hand: tuple[Kernel, ...]) -> None:
        self._archive = archive
        self._kernels = kernels
        self._at_hand = at_hand
        self.code: dict[tuple[Kernel, Bound], tuple[Binary, ...]] = {}

    def step(self, found: Mapping[str, Any]) -> Plan | Call:
        """A plan or a call."""
        if "plan" in found:
            about = Sidecar.from_json(json.dumps(found["sidecar"]))
            plan = Plan(self._file(found["plan"]), about, self._at_hand)
            if digest(plan.data) != plan.sidecar.sha256:
                raise ValueError(f"{found['plan']} has another hash than the manifest says")
            return plan
        kernel = self._kernels[found["kernel"]]
        call = call_from_json(found, kernel, self._file)
        bound = tuple(kernel.bind(call.dtypes, call.scalars).items())
        self.code[kernel, bound] = tuple(Binary.from_bytes(self._file(name)) for name in found["code"])
        return call

    def _file(self, name: str) -> bytes:
        return contents(self._archive, name)
