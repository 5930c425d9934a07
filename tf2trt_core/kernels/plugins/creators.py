"""Creators in TensorRT's plugin registry: one for each kernel, of the interface that the edition has for it."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf2trt_core.edition import Edition
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plugins import v2, v3
from tf2trt_core.kernels.plugins.shared import NAMESPACE
from tf2trt_core.kernels.plugins.state import Setting, Stored, digest

#: What a vector that only its length matters of is cut from.
ZERO = np.zeros(1, np.int32)
_NEEDED: weakref.WeakKeyDictionary[Any, dict[str, Kernel]] = weakref.WeakKeyDictionary()
_CLASSES = {"v2": (v2.VERSION, v2.creator_class), "v3": (v3.VERSION, v3.creator_class)}


def interface(edition: Edition, kernel: Kernel) -> str:
    """Which plugin layer an edition has for a kernel: ``"v2"``, ``"v3"``, or ``""`` for none.

    V2 where there is one; V3 for outputs whose size depends on data, and for releases without V2.
    """
    if edition.plugin_v2 and not kernel.sizes:
        return "v2"
    return "v3" if edition.plugin_v3 else ""


def identity(kernel: Kernel) -> str:
    """What the sidecar of a plan calls the plugin."""
    return f"{NAMESPACE}::{kernel.name}"


def register(trt: Any, kind: str, kernel: Kernel) -> Any:
    """The kernel's creator, in the registry. Raises ``KernelError`` where another kernel has the name."""
    version, creator_class = _CLASSES[kind]
    registry = trt.get_plugin_registry()
    found = registry.get_creator(kernel.name, version, NAMESPACE)
    if found is None:
        made = creator_class(trt)(kernel)
        if not registry.register_creator(made, NAMESPACE):
            raise KernelError(f"TensorRT's registry does not take a creator for kernel {kernel.name}")
        return made
    theirs = getattr(found, "kernel", None)
    if theirs is None or (theirs is not kernel and digest(theirs) != digest(kernel)):
        whose = f"of {theirs.source}" if theirs is not None else "that is not of tf2trt"
        raise KernelError(
            f"kernel {kernel.name} of {kernel.source}: there is a plugin of that name {whose}; rename one of the two"
        )
    return found


def create(trt: Any, kind: str, kernel: Kernel, setting: Setting) -> Any:
    """A plugin for a network, made by the registry's creator from plugin fields."""
    creator = register(trt, kind, kernel)
    collection, alive = Stored(setting).fields(trt)
    phase = (trt.TensorRTPhase.BUILD,) if kind == "v3" else ()
    made = creator.create_plugin(kernel.name, collection, *phase)
    del alive
    return made


def note(network: Any, kernel: Kernel) -> None:
    """Remember that a network has a kernel's plugin."""
    _NEEDED.setdefault(network, {})[identity(kernel)] = kernel


def needed(network: Any) -> tuple[Kernel, ...]:
    """The kernels that a network has plugins of."""
    return tuple(_NEEDED.get(network, {}).values())


def described(plugin: Any) -> dict[str, Any]:
    """What a layer's plugin computes, as plain values; empty for a plugin that is no kernel of ours."""
    behaviour = getattr(plugin, "behaviour", None)
    if behaviour is None:
        return {}
    version = v3.VERSION if hasattr(plugin, "plugin_name") else v2.VERSION
    return {"kernel": behaviour.kernel.name, "version": version, "values": json.dumps(behaviour.setting.values())}


def setting(trt: Any, attributes: Mapping[str, Any]) -> Setting:
    """The reverse of ``described``, while the kernel's creator is registered. Raises ``KernelError``."""
    name = attributes.get("kernel", "")
    found = trt.get_plugin_registry().get_creator(name, attributes.get("version", ""), NAMESPACE) if name else None
    if found is None:
        raise KernelError("the plugin is no kernel of tf2trt's, or its creator is not registered")
    values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in json.loads(attributes["values"]).items()
    }
    return Setting.from_values(found.kernel, values)
