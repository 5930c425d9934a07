"""Kernels as plugin layers: both interfaces through TensorRT's documented life, on the CPU run of the sources."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tf2trt_core.context.network as network_module
from fakes.lifecycle import CAPABILITY, Device, Lifecycle
from fakes.plugins import full, inferred
from fakes.strict import FakeMisuseError
from kernels.plugin_samples import context, inputs, spread
from tf2trt_core.context import Context
from tf2trt_core.dims import leaf
from tf2trt_core.edition import Edition
from tf2trt_core.kernels import Call, Kernel, KernelError, compiler
from tf2trt_core.kernels.immediate import numpy_reference
from tf2trt_core.kernels.plugins import add_layer, behaviour, creators, interface
from tf2trt_core.kernels.plugins.state import Setting, Stored
from tf2trt_core.value import Base
from tf2trt_plugins_cuda.segments import UNSORTED
from tf2trt_plugins_cuda.unique import WITH_COUNTS
from tf2trt_plugins_cuda.where import WHERE

Array = np.ndarray[Any, Any]
SUM = UNSORTED["UnsortedSegmentSum"]


def _built(edition: Edition, device: Device, ctx: Context, *ranges: Any) -> tuple[Lifecycle, Any, int]:
    """The lifecycle of the network's plugin, a plugin made of what was stored, and the workspace asked for."""
    (layer,) = ctx.network._plugins
    cycle = Lifecycle.of(edition.trt, device, layer)
    stored, workspace = cycle.build(*ranges)
    compiled = list(device.compiled)
    behaviour._BROUGHT.clear()  # another process
    version = "3" if cycle.v3 else "2"
    kernel = layer.plugin.behaviour.kernel
    creator = edition.trt.get_plugin_registry().get_creator(kernel.name, version, creators.NAMESPACE)
    runtime = cycle.load(creator, stored)
    contexts = cycle.context(runtime)
    assert device.compiled == compiled == [kernel.name]  # the plan brings the code
    contexts.destroy()
    return cycle, runtime, workspace


def _random(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


# -- the whole life -------------------------------------------------------------------------------
def test_contexts_and_streams_run_independently(edition: Edition, device: Device) -> None:
    ctx = context(edition)
    tensors = inputs(ctx, {"data": ("float32", (-1, 9)), "ids": ("int32", (-1,))})
    ((layer, index),) = add_layer(ctx, SUM, tensors, {"segments": 5})
    assert (tuple(layer.get_output(index).shape), layer.get_output(index).dtype) == ((5, 9), ctx.trt.float32)
    cycle, runtime, workspace = _built(edition, device, ctx, [(1, 9), (1,)], [(6, 9), (6,)], [(40, 9), (40,)])
    contexts = [cycle.context(runtime) for _ in range(3)]
    feeds = []
    for number, count in enumerate((6, 40, 1)):
        ids = np.random.default_rng(number).integers(-1, 5, count).astype(np.int32)
        feeds.append([_random((count, 9), number), ids])
        cycle.shape_change(contexts[number], feeds[number])
    runs = [
        cycle.start(context, feed, workspace, stream=10 + number)
        for number, (context, feed) in enumerate(zip(contexts, feeds, strict=True))
    ]
    for run, feed in zip(reversed(runs), reversed(feeds), strict=True):  # streams end in any order
        (found,) = run.finish()
        (wanted,) = numpy_reference(SUM, feed, {"segments": 5})
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for one in (*contexts, runtime):
        one.destroy()
    assert not device.memory.used()


def test_a_run_time_scalar_is_the_length_of_an_input(edition: Edition, device: Device) -> None:
    ctx = context(edition)
    data, ids, other = inputs(
        ctx, {"data": ("float32", (-1, 3)), "ids": ("int64", (-1,)), "other": ("float32", (-1, 2))}
    )
    base = Base(other, (), "float32")
    base.dims = (leaf(base, 0), 2)
    ((layer, _),) = add_layer(ctx, SUM, [data, ids], {"segments": base.dims[0] + 1})
    assert tuple(layer.get_output(0).shape) == (-1, 3)
    assert layer.num_inputs == 3
    assert tuple(layer.get_input(2).shape) == (-1,)
    shapes = [(8, 3), (8,), (4,)]
    cycle, runtime, workspace = _built(edition, device, ctx, [(1, 3), (1,), (1,)], shapes, shapes)
    plugin = cycle.context(runtime)
    feed = [_random((7, 3), 1), np.array([0, 1, 2, 3, 3, 9, -1])]
    given = [*feed, np.zeros(4, np.int32)]
    cycle.shape_change(plugin, given)
    (found,) = cycle.start(plugin, given, workspace, stream=3).finish()
    np.testing.assert_allclose(found, numpy_reference(SUM, feed, {"segments": 4})[0], rtol=1e-5)


def test_all_scalars_all_operations_and_bool_tensors(edition: Edition, device: Device, tmp_path: Path) -> None:
    kernel = spread(tmp_path)
    ctx = context(edition)
    x, flag = inputs(ctx, {"x": ("int32", (-1,)), "flag": ("bool", (1,))})
    base = Base(x, (), "int32")
    base.dims = (leaf(base, 0),)
    scalars: dict[str, Any] = {"sizes": (3, base.dims[0]), "times": 2, "limit": 1.5, "invert": True}
    (mask, index), (wide, _) = add_layer(ctx, kernel, [x, flag], scalars)
    assert mask.get_output(index).dtype == ctx.trt.bool  # a plugin cannot give bool: a cast does
    assert wide.get_output(1).dtype == ctx.trt.int32
    cycle, runtime, workspace = _built(edition, device, ctx, [(1,), (1,), (1,)], [(2,), (1,), (2,)], [(6,), (1,), (6,)])
    plugin = cycle.context(runtime)
    for count in (1, 2, 3, 6):
        feed = [np.arange(count, dtype=np.int32) - 1, np.array([count % 2 == 0])]
        given = [feed[0], feed[1].astype(np.int8), np.zeros(count, np.int32)]
        cycle.shape_change(plugin, given)
        found = cycle.start(plugin, given, workspace, stream=3).finish()
        wanted = numpy_reference(kernel, feed, {**scalars, "sizes": (3, count)})
        np.testing.assert_array_equal(found[0].astype(bool), wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


def test_outputs_whose_size_depends_on_data(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    made = full()
    monkeypatch.setattr(network_module, "edition", lambda: made)
    ctx = context(made)
    (x,) = inputs(ctx, {"x": ("int64", (-1,))})
    assert (interface(made, WITH_COUNTS), interface(made, SUM)) == ("v3", "v2")
    layers = add_layer(ctx, WITH_COUNTS, [x], {"I": "int32", "axis": 0})
    assert [tuple(layer.get_output(i).shape) for layer, i in layers] == [(-1,)] * 3
    cycle, runtime, workspace = _built(made, device, ctx, [(0,)], [(4,)], [(9,)])
    plugin = cycle.context(runtime)
    for values in ([3, 1, 3, 3, 7], [5], [], [1, 2, 3, 4, 5, 6, 7, 8, 9]):
        feed = [np.array(values, np.int64)]
        cycle.shape_change(plugin, feed)
        *found, size = cycle.start(plugin, feed, workspace, stream=3).finish()
        wanted = numpy_reference(WITH_COUNTS, feed, {"I": "int32", "axis": 0})
        assert (size.dtype, int(size)) == (np.int32, len(set(values)))
        for mine, theirs in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_size_has_an_upper_bound_that_is_an_expression(device: Device) -> None:
    made = full()
    plugin = creators.create(made.trt, "v3", WHERE, Setting.of(WHERE, ["bool"], {}))
    shapes = inferred(made.trt, plugin, [(-1, 4, -1)])
    assert shapes.static == [[-1, 3], []]
    assert shapes.shapes([(2, 4, 5)]) == [(40, 3), ()]
    assert shapes.shapes([(2, 4, 5)], {1: 7}) == [(7, 3), ()]


# -- memory and code ------------------------------------------------------------------------------
def test_a_smaller_problem_that_needs_more_takes_its_own_memory(
    edition: Edition, device: Device, tmp_path: Path
) -> None:
    kernel = _greedy(tmp_path)
    ctx = context(edition)
    add_layer(ctx, kernel, inputs(ctx, {"x": ("float32", (-1,))}), {})
    cycle, runtime, workspace = _built(edition, device, ctx, [(1,)], [(100,)], [(100,)])
    assert workspace == 256
    plugin = cycle.context(runtime)
    for count, own in ((100, 0), (3, 4352), (100, 4352), (5, 4352)):
        feed = [_random((count,), count)]
        cycle.shape_change(plugin, feed)
        (found,) = cycle.start(plugin, feed, workspace, stream=3).finish()
        np.testing.assert_array_equal(found, feed[0])
        assert device.memory.used() == own
    plugin.destroy()
    assert device.memory.used() == 0


def _greedy(folder: Path) -> Kernel:
    """Needs more for few elements than for many."""
    source = folder / "greedy.cu"
    source.write_text(
        "__global__ void move(const float* x, float* between, float* y, long long n) {\n"
        "  for (long long i = threadIdx.x; i < n; i += blockDim.x) { between[i] = x[i]; y[i] = between[i]; }\n}\n"
    )

    def launches(call: Call) -> None:
        (x,), (y,) = call.inputs, call.outputs
        call.workspace("float32", 1)
        call.launch("move", 1, 32, x, call.workspace("float32", 1000) if x.size < 10 else y, y, x.size)

    return Kernel("greedy(x: float32) -> y: float32", source, {}, {"move": "move"}, lambda x: [x], launches)


def test_code_for_another_gpu_is_compiled_when_loading(edition: Edition, device: Device) -> None:
    ctx = context(edition)
    tensors = inputs(ctx, {"data": ("float32", (4, 2)), "ids": ("int32", (4,))})
    add_layer(ctx, SUM, tensors, {"segments": 3})
    cycle = Lifecycle.of(edition.trt, device, ctx.network._plugins[0])
    stored, workspace = cycle.build(*[[(4, 2), (4,)]] * 3)
    behaviour._BROUGHT.clear()
    device.facts = type(device.facts)(4, CAPABILITY + 10)
    creator = creators.register(edition.trt, "v3" if cycle.v3 else "v2", SUM)
    plugin = cycle.context(cycle.load(creator, stored))
    assert device.compiled == [SUM.name] * 2
    feed = [np.ones((4, 2), np.float32), np.array([0, 0, 2, 1], np.int32)]
    cycle.shape_change(plugin, feed)
    (found,) = cycle.start(plugin, feed, workspace, stream=3).finish()
    assert found.tolist() == [[2, 2], [1, 1], [1, 1]]


def test_extents_of_inputs_that_depend_on_data_come_with_the_run(edition: Edition, device: Device) -> None:
    ctx = context(edition)
    add_layer(ctx, SUM, inputs(ctx, {"data": ("float32", (-1, 2)), "ids": ("int32", (-1,))}), {"segments": 3})
    cycle, runtime, workspace = _built(edition, device, ctx, [(0, 2), (0,)], [(4, 2), (4,)], [(9, 2), (9,)])
    plugin = cycle.context(runtime)
    unknown = [SimpleNamespace(shape=(-1, 2)), SimpleNamespace(shape=(-1,))]
    cycle.shape_change(plugin, unknown)
    for count in (5, 0):
        feed = [np.ones((count, 2), np.float32), np.arange(count, dtype=np.int32) % 3]
        (found,) = cycle.start(plugin, feed, workspace, stream=3).finish()
        np.testing.assert_array_equal(found, numpy_reference(SUM, feed, {"segments": 3})[0])


def test_shapes_that_disagree_are_refused_by_the_run_not_by_the_build(edition: Edition, device: Device) -> None:
    ctx = context(edition)
    add_layer(ctx, SUM, inputs(ctx, {"data": ("float32", (-1, 2)), "ids": ("int32", (-1,))}), {"segments": 3})
    cycle, runtime, workspace = _built(edition, device, ctx, [(0, 2), (0,)], [(4, 2), (4,)], [(9, 2), (12,)])
    plugin = cycle.context(runtime)
    for rows, ids in ((9, 12), (5, 4)):
        feed = [np.ones((rows, 2), np.float32), np.zeros(ids, np.int32)]
        cycle.shape_change(plugin, feed)
        with pytest.raises(KernelError, match=rf"data \[{rows}, 2\], ids \[{ids}\]"):
            cycle.start(plugin, feed, workspace, stream=3)
    feed = [np.ones((5, 2), np.float32), np.arange(5, dtype=np.int32) % 3]
    cycle.shape_change(plugin, feed)
    (found,) = cycle.start(plugin, feed, workspace, stream=3).finish()
    assert found.tolist() == [[2, 2], [2, 2], [1, 1]]


def test_nothing_is_compiled_while_an_engine_runs(device: Device) -> None:
    made = full()
    plugin = creators.create(made.trt, "v3", WHERE, Setting.of(WHERE, ["bool"], {}))
    with pytest.raises(KernelError, match="neither configured nor attached"):
        plugin.enqueue([], [], [], [], 0, 0)
    device.frozen = True
    with pytest.raises(FakeMisuseError, match="compiled while"):
        plugin.on_shape_change([], [])


def test_real_code_travels_with_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVRTC's machine code, through fields and through bytes."""
    setting = Setting.of(WHERE, ["bool"], {})
    binary = compiler.build(WHERE, setting.bound, 75)
    stored = Stored(setting, binary, 512)
    assert Stored.from_bytes(WHERE, stored.to_bytes()) == stored
    collection, alive = stored.fields(full().trt)
    assert Stored.from_fields(WHERE, collection) == stored
    assert binary.code[:4] == b"\x7fELF"
    assert alive
