"""What plugins refuse to be made from, their methods against the bindings' signatures, and plans with plugins."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from fakes import signatures
from fakes.cuda import Gpu, plugged_in
from fakes.plugins import full
from fakes.programs import affine
from fakes.strict import parameters
from fakes.trt import Driver
from kernels.plugin_samples import context, inputs, spread
from tf2trt_core import runner_tensorrt
from tf2trt_core.build import optimize_network
from tf2trt_core.context import Context
from tf2trt_core.edition import Edition, describe, tensorrt
from tf2trt_core.errors import LayerError, PlanError
from tf2trt_core.kernels import Kernel, KernelError
from tf2trt_core.kernels.plugins import add_layer, behaviour, creators, interface, needed, v2, v3
from tf2trt_core.kernels.plugins.loading import noted, require
from tf2trt_core.kernels.plugins.state import Setting, Stored
from tf2trt_core.plan import load_engine, store_engine
from tf2trt_core.sidecar import Needed
from tf2trt_core.tensorrt_log import builder
from tf2trt_core.triton import triton_repository
from tf2trt_plugins_cuda.segments import UNSORTED
from tf2trt_plugins_cuda.where import WHERE

SUM = UNSORTED["UnsortedSegmentSum"]


# -- what is refused ------------------------------------------------------------------------------
def _changed(**fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda values: {**values, **fields}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_changed(**{"tf2trt.format": 2}), "format 2"),
        (_changed(**{"tf2trt.digest": "0"}), "another version of segments.cu"),
        (_changed(**{"tf2trt.dtypes": "float32 float32"}), "it can be int32 int64"),
        (_changed(**{"tf2trt.open": "segments segments"}), "2 open dimensions, 1 places"),
        (lambda values: {name: value for name, value in values.items() if name != "segments"}, "lacks the fields segm"),
    ],
)
def test_a_stored_state_that_does_not_fit(change: Any, says: str) -> None:
    values = change(Stored(Setting.of(SUM, ["float32", "int32"], {"segments": 3})).values())
    with pytest.raises(KernelError, match=says):
        Stored.from_values(SUM, values)


@pytest.mark.parametrize("damage", [lambda raw: raw[:9], lambda raw: b"x" + raw, lambda raw: raw[:40], lambda _: b""])
def test_damaged_bytes(damage: Callable[[bytes], bytes]) -> None:
    raw = Stored(Setting.of(SUM, ["float32", "int32"], {"segments": 3})).to_bytes()
    with pytest.raises(KernelError, match="damaged"):
        Stored.from_bytes(SUM, damage(raw))


def test_fields_that_do_not_fit() -> None:
    trt = full().trt
    collection, alive = Stored(Setting.of(SUM, ["float32", "int32"], {"segments": 3})).fields(trt)
    assert alive
    for name, data, says in (("nonsense", np.ones(1, np.int64), "no field nonsense"),
                             ("segments", np.ones(2, np.int64), "2 numbers where one")):  # fmt: skip
        other = [one for one in collection if one.name != name]
        changed = trt.PluginFieldCollection([*other, trt.PluginField(name, data, trt.PluginFieldType.INT64)])
        with pytest.raises(KernelError, match=says):
            Stored.from_fields(SUM, changed)


def test_state_is_text_and_code_and_nothing_that_runs() -> None:
    raw = Stored(Setting.of(SUM, ["float32", "int32"], {"segments": 3})).to_bytes()
    assert json.loads(raw[raw.index(b"{") :])["segments"] == 3


def test_two_kernels_of_one_name(edition: Edition, tmp_path: Path) -> None:
    kind = interface(edition, SUM)
    creators.register(edition.trt, kind, SUM)
    assert creators.register(edition.trt, kind, SUM).kernel is SUM
    source = spread(tmp_path).source
    other = Kernel(SUM.text, source, SUM.types, SUM.entries, SUM.shape, SUM.launches)
    with pytest.raises(KernelError, match=r"spread\.cu: there is a plugin of that name of .*segments\.cu"):
        creators.register(edition.trt, kind, other)


def test_an_edition_without_plugin_layers() -> None:
    ctx = Context(builder().create_network())
    tensor = ctx.network.add_input("x", ctx.trt.bool, (3,))
    with pytest.raises(LayerError, match=r"has no plugin layer for kernel 'where'"):
        add_layer(ctx, WHERE, [tensor], {})


def test_the_reference_of_a_foreign_plugin() -> None:
    for attributes in ({}, {"kernel": "polish", "version": "3", "values": "{}"}):
        with pytest.raises(KernelError, match="no kernel of tf2trt's, or its creator is not registered"):
            creators.setting(full().trt, attributes)


def test_sizes_beyond_32_bits() -> None:
    trt = full().trt
    plugin = creators.create(trt, "v3", WHERE, Setting.of(WHERE, ["bool"], {}))
    with pytest.raises(KernelError, match=r"'found' can be 4294967296, .* up to 2147483647"):
        plugin.behaviour.configure([(2**16, 2**16)], [trt.int8, trt.int64, trt.int32])


def test_another_gpu_than_the_first() -> None:
    driver = SimpleNamespace(cuCtxGetDevice=lambda: (0, 1))
    with patch.dict(sys.modules, {"cuda.bindings.driver": driver}), pytest.raises(KernelError, match="is on GPU 1"):
        behaviour.device.__wrapped__()


# -- signatures -----------------------------------------------------------------------------------
def test_methods_take_what_the_bindings_of_both_editions_pass() -> None:
    """Bindings call overrides by position. When this fails after an upgrade: see CONTRIBUTING.md."""
    committed = signatures.load()
    trt = full().trt
    for edition in ("tensorrt plugins", "tensorrt_rtx plugins"):
        theirs = committed[edition]["classes"]
        for cls, bases in (
            (v2.plugin_class(trt), ("IPluginV2DynamicExt",)),
            (v2.creator_class(trt), ("IPluginCreator",)),
            (v3.plugin_class(trt), ("IPluginV3", "IPluginV3OneCore", "IPluginV3OneBuild", "IPluginV3OneRuntime")),
            (v3.creator_class(trt), ("IPluginCreatorV3One",)),
        ):
            known = {name: calls for base in bases for name, calls in theirs[base]["methods"].items()}
            ours = {
                name: function
                for one in cls.__mro__
                if one.__module__.startswith("tf2trt")
                for name, function in vars(one).items()
            }
            methods = {name: function for name, function in ours.items() if callable(function) and name[0] != "_"}
            assert methods
            for name, function in methods.items():
                assert len(parameters(function)) in [len(call) for call in known[name]], (edition, name)


def test_the_signatures_are_those_of_the_installed_bindings() -> None:
    installed = json.loads(json.dumps(signatures.plugins(tensorrt())))
    assert signatures.load()["tensorrt_rtx plugins"] == installed
    assert signatures.load()["tensorrt plugins"]["version"].startswith("11.")


# -- plans ----------------------------------------------------------------------------------------
def test_a_network_knows_its_plugins_and_loading_registers_them(edition: Edition) -> None:
    ctx = context(edition)
    add_layer(ctx, SUM, inputs(ctx, {"a": ("float32", (4, 2)), "b": ("int32", (4,))}), {"segments": 3})
    assert needed(ctx.network) == (SUM,)
    assert needed(builder().create_network()) == ()
    registry = edition.trt.get_plugin_registry()
    version = "2" if edition.plugin_v2 else "3"
    creator = registry.get_creator(SUM.name, version, "tf2trt")
    registry.deregister_creator(creator)
    require(edition, [noted(one) for one in needed(ctx.network)])
    assert registry.get_creator(SUM.name, version, "tf2trt").kernel is SUM


def test_a_plan_that_needs_what_is_not_installed(edition: Edition) -> None:
    polish = Needed("tf2trt::polish", "polish(x: T) -> y: T", "acme 2.0", "0")
    with pytest.raises(PlanError, match=r"needs the kernel tf2trt::polish of acme 2.0 \(no installed package"):
        require(edition, [noted(SUM), polish])


def test_the_sidecar_says_it_and_the_runner_asks_before_it_deserialises(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, gpu = affine(2), Gpu()
    creators.note(model.network, SUM)
    plan = load_engine(store_engine(optimize_network(model), tmp_path / "a.plan"))
    assert plan.sidecar.plugins == (noted(SUM),)
    driver = Driver(gpu)
    monkeypatch.setattr(runner_tensorrt, "edition", lambda: describe(driver.module))
    monkeypatch.setattr(runner_tensorrt, "gpu_count", lambda: 1)
    with plugged_in(gpu), pytest.raises(PlanError, match=r"unsorted_segment_sum, and tensorrt_rtx .* no plugin layers"):
        runner_tensorrt.TensorRTBackend(plan)
    assert "deserialize" not in gpu.calls
    with pytest.raises(PlanError, match=r"tf2trt::unsorted_segment_sum.*Triton"):
        triton_repository(plan, tmp_path, "model")
