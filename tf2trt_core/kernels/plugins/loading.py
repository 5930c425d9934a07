"""Kernels that a plan needs: noted when it is made, and found again, by name and digest, before it is loaded."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tf2trt_core.edition import Edition
from tf2trt_core.errors import PlanError
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plugins.creators import identity, interface, register
from tf2trt_core.kernels.plugins.state import digest
from tf2trt_core.op import Op
from tf2trt_core.registry import Registry, ops_of
from tf2trt_core.sidecar import Needed


# -- noting -----------------------------------------------------------------------------------
def noted(kernel: Kernel) -> Needed:
    """What a plan says of a kernel that it needs."""
    return Needed(identity(kernel), _signature(kernel), origin(kernel), digest(kernel))


def origin(kernel: Kernel) -> str:
    """The package whose folder a kernel's source is in, else the one that plans its launches.

    By distribution and version where its ops come through an entry point, else by name.
    """
    source = kernel.source.absolute()
    own = kernel.launches.__module__.partition(".")[0]
    inside = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or not isinstance(file, str):
            continue
        folder = Path(file).absolute().parent
        if folder == source.parent or (hasattr(module, "__path__") and source.is_relative_to(folder)):
            inside.append((len(folder.parts), name == own, name))
    package = max(inside)[-1] if inside else own
    default = Registry.default()
    entries = (entry for op in default.ops for entry in default.entries(op) if entry.op.package == package)
    return next((f"{entry.distribution} {entry.version}" for entry in entries), package)


def _signature(kernel: Kernel) -> str:
    return " ".join(kernel.text.split())


# -- finding ----------------------------------------------------------------------------------
def require(edition: Edition, plugins: Iterable[Needed], kernels: Iterable[Kernel] = ()) -> None:
    """Register what a plan needs, before it is deserialised.

    ``plugins``: the sidecar's. ``kernels``: as for ``resolve``. Raises ``PlanError``.
    """
    for kernel in resolve(tuple(plugins), kernels):
        kind = interface(edition, kernel)
        if not kind:
            raise PlanError(
                f"the plan needs the plugin {identity(kernel)}, and {edition.name} {edition.version} has no plugin "
                "layers for it"
            )
        try:
            register(edition.trt, kind, kernel)
        except KernelError as error:
            raise PlanError(f"the plan needs a plugin that cannot be registered: {error}") from error


def resolve(
    needed: Sequence[Needed], kernels: Iterable[Kernel] = (), *, any_version: bool = False
) -> tuple[Kernel, ...]:
    """The kernels that a plan needs, in its order: of ``kernels``, which are at hand, else of installed packages.

    ``any_version``: of the same signature will do, for what holds no machine code.
    Raises ``PlanError`` for those that are nowhere, or only as another version.
    """

    def find(one: Needed) -> Kernel | None:
        same = [kernel for kernel in known if identity(kernel) == one.name]
        loose = [kernel for kernel in same if any_version and _signature(kernel) == one.signature]
        return next((kernel for kernel in same if digest(kernel) == one.digest), loose[0] if loose else None)

    known = list(kernels)
    if any(find(one) is None for one in needed):
        known += installed()
    found = [find(one) for one in needed]
    wrong = [one for one, kernel in zip(needed, found, strict=True) if kernel is None]
    if wrong:
        problems = Registry.default().problems
        told = (f"the kernel {one.name} of {one.package} ({absent(one, known)})" for one in wrong)
        raise PlanError(
            f"the plan needs {', '.join(told)}. Install "
            f"{', '.join(dict.fromkeys(one.package for one in wrong))}; where the model was converted with "
            "plugins=[...], load the plan with load_engine(path, plugins=[...]); or convert the model again"
            + (f". Packages that did not load: {'; '.join(problems)}" if problems else "")
        )
    return tuple(kernel for kernel in found if kernel is not None)


def absent(needed: Needed, known: Iterable[Kernel]) -> str:
    """Why a kernel is not among those that are known; "" if it is."""
    told = "no installed package declares it"
    for other in known:
        if identity(other) != needed.name:
            continue
        if digest(other) == needed.digest:
            return ""
        same = _signature(other) == needed.signature
        differs = "source or launches" if same else f"signature, {_signature(other)!r} for {needed.signature!r}"
        told = f"that of {origin(other)} here has another {differs}"
    return told


def installed() -> tuple[Kernel, ...]:
    """The kernels of all installed packages."""
    default = Registry.default()
    return _declared(entry.op for op in default.ops for entry in default.entries(op))


def kernels_of(plugins: Iterable[Any]) -> tuple[Kernel, ...]:
    """The kernels of plugins, given as ``plugins=`` of the converting functions takes them.

    They are looked for in the variables of the loaded modules of the ops' packages, in the lists, tuples, sets and
    dicts there, and among what the ops' functions close over. Raises ``RegistryError`` for what is no plugin.
    """
    given = [importlib.import_module(one) if isinstance(one, str) else one for one in plugins]
    return _declared((op for one in given for op in ops_of(one)), [one for one in given if inspect.ismodule(one)])


def _declared(ops: Iterable[Op], modules: Sequence[ModuleType] = ()) -> tuple[Kernel, ...]:
    functions = dict.fromkeys(op.function for op in ops)
    packages = {one.__module__.partition(".")[0] for one in functions}
    places: list[Mapping[str, Any]] = [vars(one) for one in modules]
    for function in functions:
        places += [function.__globals__, inspect.getclosurevars(function).nonlocals]
    loaded = list(sys.modules.items())
    places += [getattr(one, "__dict__", {}) for name, one in loaded if name.partition(".")[0] in packages]
    return kernels_in(places)


def kernels_in(places: Iterable[Mapping[str, Any]]) -> tuple[Kernel, ...]:
    """The kernels among variables by name, and in the lists, tuples, sets and dicts there."""
    different = {id(place): place for place in places}.values()
    return tuple(dict.fromkeys(one for place in different for value in place.values() for one in _kernels(value)))


def _kernels(value: Any) -> Iterator[Kernel]:
    several = value.values() if isinstance(value, dict) else value
    for one in several if isinstance(value, dict | list | tuple | set | frozenset) else (value,):
        if isinstance(one, Kernel):
            yield one
