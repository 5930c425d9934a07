"""A program in NumPy: its networks one after another, and the kernels between them by their own references."""

from __future__ import annotations

import io
import itertools
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tf2trt_core import manifest
from tf2trt_core.dims import Leaf
from tf2trt_core.errors import ReferenceError_
from tf2trt_core.kernels.declaration import Array, Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.immediate import Execute, numpy_reference
from tf2trt_core.kernels.plugins.loading import noted, resolve
from tf2trt_core.program import Call, Numbers, Program
from tf2trt_core.reference.execute import Visit, execute
from tf2trt_core.reference.reading import read
from tf2trt_core.reference.records import Records
from tf2trt_core.sidecar import needed_from_json

#: The version of the file's form; a reader refuses any other.
FORMAT = 1


@dataclass(frozen=True)
class Steps:
    """What is played: the networks as records and the calls of kernels, in their order; ``outputs``: tensors' names.

    Plain values, which need neither TensorFlow nor TensorRT.
    """

    steps: tuple[Records | Call, ...]
    outputs: tuple[str, ...]

    @classmethod
    def read(cls, program: Any) -> Steps:
        """Of a ``Program``, or of anything with a ``network``, ``constants`` and ``outputs``."""
        parts = program.parts if isinstance(program, Program) else (program,)
        steps = (part if isinstance(part, Call) else read(part.network, part.constants) for part in parts)
        return cls(tuple(steps), tuple(spec.tensor for spec in program.outputs))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one zip file: a manifest, the networks' records, constants of calls. Kernels are noted, not held."""
        notes = {step.kernel: noted(step.kernel) for step in self.steps if isinstance(step, Call)}
        needed = list(dict.fromkeys(notes.values()))
        number = itertools.count()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

            def store(kind: str, contents: bytes) -> str:
                name = f"{next(number)}.{kind}"
                archive.writestr(name, contents)
                return name

            def written(step: Records | Call) -> dict[str, Any]:
                if isinstance(step, Call):
                    return manifest.call_to_json(step, needed.index(notes[step.kernel]), store)
                file: Any = io.BytesIO()
                step.save(file)
                return {"network": store("network", file.getvalue())}

            index = {
                "format": FORMAT,
                "kernels": [asdict(one) for one in needed],
                "steps": [written(step) for step in self.steps],
                "outputs": self.outputs,
            }
            archive.writestr(manifest.MANIFEST, json.dumps(index))

    @classmethod
    def load(cls, path: str | os.PathLike[str], kernels: Iterable[Kernel] = ()) -> Steps:
        """Read what ``save`` wrote; needs neither TensorRT nor TensorFlow.

        ``kernels``: declarations at hand; others are those of the installed packages. They may be of another version,
        as long as the signature is the same. Raises ``ReferenceError_`` for a file that is not of this kind or of
        another format, ``PlanError`` for kernels that are nowhere.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                index = json.loads(archive.read(manifest.MANIFEST))
                if index["format"] != FORMAT:
                    raise ReferenceError_(f"steps of format {index['format']}, this version reads {FORMAT}")
                found = resolve(needed_from_json(index["kernels"]), kernels, any_version=True)

                def read(step: Mapping[str, Any]) -> Records | Call:
                    if "network" in step:
                        file: Any = io.BytesIO(manifest.contents(archive, step["network"]))
                        return Records.load(file)
                    return manifest.call_from_json(
                        step, found[step["kernel"]], lambda name: manifest.contents(archive, name)
                    )

                return cls(tuple(read(step) for step in index["steps"]), tuple(index["outputs"]))
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, KernelError) as error:
            raise ReferenceError_(f"not a file of a program's steps ({error})") from error


class Played:
    """A program, read once and executed many times.

    ``program``: ``Steps``, or what they are read from. ``kernels`` computes a kernel's call: by default its NumPy
    reference.
    """

    def __init__(self, program: Any, *, kernels: Execute = numpy_reference) -> None:
        found = program if isinstance(program, Steps) else Steps.read(program)
        self.steps = found.steps
        self._kernels = kernels
        self._outputs = found.outputs

    @property
    def layers(self) -> dict[str, str]:
        """Tensor → what makes it: a layer's kind and name, or a kernel's."""
        made: dict[str, str] = {}
        for step in self.steps:
            if isinstance(step, Call):
                made |= {spec.tensor: f"KERNEL {step.kernel.name} {step.name}" for spec in step.outputs}
            else:
                made |= {port.name: f"{record.kind} {record.name}" for record in step for port in record.outputs}
        return made

    def run(
        self, feeds: Mapping[str, Any], *, xp: Any = np, watch: Iterable[str] = (), visit: Visit | None = None
    ) -> dict[str, Any]:
        """The outputs by TensorRT's names, then what is watched; the arguments are those of ``execute``.

        With CuPy as ``xp`` the kernels must take CuPy's arrays: see ``tf2trt_core.kernels.cupy.on_device``.
        """
        watched = list(watch)
        if len(self.steps) == 1 and isinstance(self.steps[0], Records):
            return execute(self.steps[0], feeds, xp=xp, watch=watched, visit=visit)
        between = dict(feeds)
        seen: dict[str, Any] = {}
        for step in self.steps:
            mine = [name for name in watched if name not in seen and _makes(step, name)]
            if isinstance(step, Call):
                found = self._call(step, between, xp)
                between |= found
                _hand_out({name: found[name] for name in mine}, visit)
            else:
                taken = {port.name: between[port.name] for port in step.inputs}
                found = execute(step, taken, xp=xp, watch=mine, visit=visit)
                between |= {name: found[name] for name in step.outputs}
            seen |= dict.fromkeys(mine) if visit is not None else {name: found[name] for name in mine if name in found}
        results = {name: between[name] for name in self._outputs}
        return results if visit is not None else results | seen

    def _call(self, call: Call, between: Mapping[str, Array], xp: Any) -> dict[str, Array]:
        def extent(leaf: Leaf) -> int:
            return int(between[leaf.key.name].shape[leaf.axis])

        arrays = [xp.asarray(self._operand(operand, between, extent)) for operand in call.inputs]
        try:
            made = self._kernels(call.kernel, arrays, call.numbers(extent))
        except Exception as error:  # whatever a reference stumbles over, the message has to name the kernel
            told = ", ".join(f"{array.dtype}{list(array.shape)}" for array in arrays)
            where = f"kernel {call.kernel.name} at {call.name!r}"
            raise ReferenceError_(f"{where}: {error}; its inputs are {told}") from error
        return {spec.tensor: _as_declared(call, spec, array) for spec, array in zip(call.outputs, made, strict=True)}

    @staticmethod
    def _operand(operand: str | Array | Numbers, between: Mapping[str, Array], extent: Callable[[Leaf], int]) -> Array:
        if isinstance(operand, str):
            return between[operand]
        return operand.array(extent) if isinstance(operand, Numbers) else operand


def _makes(step: Records | Call, name: str) -> bool:
    """Whether a watched name is computed by this step (or fed to it, for the program's inputs)."""
    if isinstance(step, Call):
        return any(spec.tensor == name for spec in step.outputs)
    inputs = {port.name for port in step.inputs}
    return name in inputs or any(name in (port.name for port in record.outputs) for record in step)


def _hand_out(found: Mapping[str, Array], visit: Visit | None) -> None:
    if visit is not None:
        for name, array in found.items():
            visit(name, array)


def _as_declared(call: Call, spec: Any, array: Array) -> Array:
    fits = array.ndim == len(spec.shape) and all(
        extent in (-1, mine) for extent, mine in zip(spec.shape, array.shape, strict=True)
    )
    if not fits or array.dtype.name != spec.carrier:
        raise ReferenceError_(
            f"kernel {call.kernel.name} at {call.name!r} gives {array.dtype}{list(array.shape)}; declared is "
            f"{spec.carrier}{list(spec.shape)}"
        )
    return array
