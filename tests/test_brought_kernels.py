"""Kernels that came with ``plugins=[...]``: in the same process, in another one, missing, changed, two of a name."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import types
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fresh
import tf2trt_core as tf2trt
from fakes.cuda import Gpu, plugged_in
from fakes.plugins import full
from fakes.programs import affine
from fakes.trt import Driver, Source
from tf2trt_core import Context, Value, container, engine, op, runner_tensorrt
from tf2trt_core.build import optimize_network
from tf2trt_core.edition import describe
from tf2trt_core.errors import PlanError, RegistryError
from tf2trt_core.kernels import Call, Kernel
from tf2trt_core.kernels.immediate import numpy_reference
from tf2trt_core.kernels.plugins import creators, loading
from tf2trt_core.kernels.plugins.loading import kernels_of, noted, resolve
from tf2trt_core.node import Node
from tf2trt_core.sources.writing import add_node

SAMPLE = Path(__file__).parent / "sample_kernel"
ACME = "acme_kernels.running_max"


def scaled(folder, factor, name="brought_scale", step=1):
    """A kernel that nobody installed, in no module's variables: ``y = factor * x``."""
    folder.mkdir(exist_ok=True)
    source = folder / "scale.cu"
    source.write_text(
        'extern "C" __global__ void scale(const float* x, float* y, long long n) {\n'
        f"  for (long long i = threadIdx.x; i < n; i += blockDim.x) y[i] = {factor}.f * x[i];\n}}\n"
    )

    def launches(call: Call) -> None:
        call.launch("scale", 1, 32 * step, call.inputs[0], call.outputs[0], call.inputs[0].size)

    return Kernel(
        f"{name}(x: float32) -> y: float32", source, {}, {"scale": "scale"},
        lambda x: [x], launches, reference=lambda x: [np.float32(factor) * x],
    )  # fmt: skip


def scaling(name, kernel):
    @op(name, schema=f"{name}(x: float32) -> y: float32")
    def scale(ctx: Context, x: Value) -> Value:
        return ctx.launch(kernel, x)[0]

    return scale


def converted(*plugins):
    """A program of the plugins' ops, one after another, with a layer behind each."""
    from tensorflow.core.framework import graph_pb2

    proto = graph_pb2.GraphDef()
    proto.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    last = "x"
    for number, plugin in enumerate(plugins):
        (one,) = plugin
        proto.node.add(name=f"y{number}", op=one.name, input=[last])
        add_node(proto, Node(f"z{number}", "Relu", (f"y{number}:0",), {"T": "float32"}), tf2trt.Registry().find("Relu"))
        last = f"z{number}"
    return tf2trt.from_tensorflow_graph_def(proto, ["x"], [(4,)], [last], plugins=list(dict.fromkeys(plugins)))


@pytest.fixture
def kernel(tmp_path):
    return scaled(tmp_path, 3)


@pytest.fixture
def brought(kernel):
    return scaling("BroughtScale", kernel)


@pytest.fixture
def stored(brought, tmp_path):
    program = converted(brought)
    return tf2trt.store_engine(tf2trt.optimize_network(program, compute_capabilities=["8.6"]), tmp_path / "a.plan")


def calls(plan):
    return [step for step in container.read(plan.data, plan.kernels).steps if not hasattr(step, "sidecar")]


# -- a program with cuts --------------------------------------------------------------------------
def test_it_is_found_among_what_plugins_close_over(brought, kernel, stored):
    (call,) = calls(tf2trt.load_engine(stored, plugins=[brought]))
    assert call.kernel is kernel
    assert numpy_reference(call.kernel, [np.ones(2, np.float32)], {})[0].tolist() == [3, 3]


def test_a_plan_just_built_has_it_at_hand(brought, monkeypatch):
    made = []
    monkeypatch.setattr(engine, "gpu_count", lambda: 1)
    monkeypatch.setattr(engine, "CutBackend", lambda *given: made.append(given) or SimpleNamespace(name="tensorrt"))
    program = converted(brought)
    tf2trt.inference_engine(tf2trt.optimize_network(program))
    tf2trt.inference_engine(program)
    assert [len(found.steps) for found, *_ in made] == [2, 2]


def test_one_that_is_nowhere_is_named_with_what_to_try(stored, monkeypatch):
    monkeypatch.setattr(engine, "gpu_count", lambda: 1)
    plan = tf2trt.load_engine(stored)
    with pytest.raises(PlanError) as raised:
        tf2trt.inference_engine(plan)
    told = str(raised.value)
    assert "the kernel tf2trt::brought_scale of tests (no installed package declares it)" in told
    assert "load_engine(path, plugins=[...])" in told
    assert "or convert the model again" in told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"factor": 4}, "has another source or launches"),
        ({"step": 2}, "has another source or launches"),
        ({"name": "brought_scale"}, ""),
    ],
)
def test_another_version_is_told(stored, tmp_path, change, says):
    kernel = scaled(tmp_path / "other", **{"factor": 3, **change})
    if not says:  # the same in another folder is the same
        assert calls(tf2trt.load_engine(stored, plugins=[scaling("BroughtScale", kernel)]))[0].kernel is kernel
        return
    with pytest.raises(PlanError, match=rf"brought_scale of tests \(that of tests here {says}\)"):
        calls(tf2trt.load_engine(stored, plugins=[scaling("BroughtScale", kernel)]))


def test_another_signature_is_told(kernel, stored):
    other = dataclasses.replace(kernel, text="brought_scale(x: float32, k: int) -> y: float32")
    with pytest.raises(PlanError, match=r"another signature, 'brought_scale\(x: float32, k: int.*' for 'brought_"):
        calls(tf2trt.load_engine(stored, plugins=[scaling("BroughtScale", other)]))


def test_what_a_declaration_closes_over_is_part_of_it(tmp_path):
    """Two of a factory differ by a number alone."""
    one, two = (scaled(tmp_path, 3, step=step) for step in (1, 2))
    assert one.source == two.source
    assert noted(one).digest != noted(two).digest
    assert noted(one) == noted(scaled(tmp_path, 3)) != noted(scaled(tmp_path, 4))


def test_two_kernels_of_one_name_keep_their_code(tmp_path):
    plugins = [scaling(f"Brought{factor}", scaled(tmp_path / str(factor), factor)) for factor in (3, 5)]
    program = converted(*plugins, plugins[0])
    plan = tf2trt.load_engine(tf2trt.store_engine(tf2trt.optimize_network(program), tmp_path / "b"), plugins=plugins)
    assert len({one.name for one in plan.sidecar.kernels}) == 1
    found = container.read(plan.data, plan.kernels)
    kernels = [call.kernel for call in calls(plan)]
    assert [kernel.reference(np.float32(1))[0] for kernel in kernels] == [3, 5, 3]
    codes = [found.binary(kernel, {}, 120).code for kernel in kernels]
    assert codes[0] == codes[2] != codes[1]


def test_an_installed_one_of_the_same_name_is_not_taken(brought, kernel, stored, monkeypatch, tmp_path):
    stranger = scaled(tmp_path / "stranger", 7)
    ours = loading.installed()
    monkeypatch.setattr(loading, "installed", lambda: (stranger, *ours))
    with pytest.raises(PlanError, match="has another source"):
        calls(tf2trt.load_engine(stored))
    assert calls(tf2trt.load_engine(stored, plugins=[brought]))[0].kernel is not stranger
    monkeypatch.setattr(loading, "installed", lambda: (stranger, kernel))
    assert calls(tf2trt.load_engine(stored))[0].kernel is kernel


def test_packages_that_did_not_load_are_named(stored, monkeypatch):
    monkeypatch.setattr(tf2trt.Registry.default(), "problems", ["acme 1.0: ImportError: no"])
    with pytest.raises(PlanError, match=r"Packages that did not load: acme 1\.0: ImportError: no"):
        calls(tf2trt.load_engine(stored))


def test_kernels_are_found_in_modules_and_containers_and_nothing_is_run(tmp_path, monkeypatch):
    def endless():
        raise AssertionError("a generator was asked")
        yield

    kernels = [scaled(tmp_path / str(number), number) for number in range(5)]
    module, other = types.ModuleType("brought_package"), types.ModuleType("brought_package.parts")
    vars(module).update(A=kernels[0], B={"b": kernels[1]}, C=[kernels[2]], endless=endless(), text="text")
    vars(other).update(D=(kernels[3],), E=frozenset([kernels[4]]))
    monkeypatch.setitem(sys.modules, "brought_package", module)
    monkeypatch.setitem(sys.modules, "brought_package.parts", other)
    assert set(kernels_of([module])) == set(kernels[:3])
    assert set(kernels_of(["brought_package.parts"])) == set(kernels[3:])
    with pytest.raises(RegistryError, match="3 is no plugin"):
        kernels_of([3])


# -- another process ------------------------------------------------------------------------------
STORE = f"""
import sys, tf2trt_core as tf2trt
from tensorflow.core.framework import graph_pb2
proto = graph_pb2.GraphDef()
proto.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
proto.node.add(name="y", op="AcmeRunningMax", input=["x"]).attr["T"].type = 1
program = tf2trt.from_tensorflow_graph_def(proto, ["x"], [(2, 3)], ["y"], plugins=["{ACME}"])
tf2trt.store_engine(tf2trt.optimize_network(program), sys.argv[1])
"""
LOAD = """
import json, sys
import numpy as np, tf2trt_core as tf2trt
from tf2trt_core import container
from tf2trt_core.kernels.immediate import numpy_reference
plan = tf2trt.load_engine(sys.argv[1], plugins=sys.argv[2:])
try:
    found = container.read(plan.data, plan.kernels)
except tf2trt.Tf2TrtError as error:
    print(json.dumps(str(error)))
else:
    (call,) = found.steps
    ((key, (code,)),) = found.code.items()
    (y,) = numpy_reference(call.kernel, [np.array([[1, 3, 2], [4, 4, 0]], np.float32)], {})
    print(json.dumps([call.kernel.launches.__module__, y.tolist(), code.kind, sorted(code.symbols)]))
"""


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A plan that was stored by another process with the sample's package on its path alone, and that process's end."""
    folder = tmp_path_factory.mktemp("far")
    shutil.copytree(SAMPLE / "acme_kernels", folder / "acme_kernels")
    path = folder / "acme.plan"
    fresh.run(sys.executable, "-c", STORE, path, cwd=folder)
    return path


def load(far, folder, *plugins):
    """What a fresh process says that finds packages in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return json.loads(fresh.run(sys.executable, "-c", LOAD, far, *plugins, cwd=far.parent.parent, env=environment))


def test_another_process_loads_it(far):
    module, y, kind, symbols = load(far, far.parent, ACME)
    assert (module, y) == (ACME, [[1, 3, 3], [4, 4, 4]])
    assert (kind, symbols) == ("ptx", ["acme::running_max<float>"])


def test_another_process_without_it_says_what_is_missing(far):
    told = load(far, far.parent)
    assert "tf2trt::acme_running_max of acme_kernels (no installed package declares it). Install acme_kernels" in told


def test_another_process_with_another_source_says_so(far, tmp_path):
    shutil.copytree(SAMPLE / "acme_kernels", tmp_path / "acme_kernels")
    source = tmp_path / "acme_kernels" / "running_max.cu"
    source.write_text(source.read_text() + "// changed\n")
    told = load(far, tmp_path, ACME)
    assert "acme_running_max of acme_kernels (that of acme_kernels here has another source or launches)" in told


# -- plugin layers --------------------------------------------------------------------------------
@pytest.fixture(params=["v2", "v3"])
def runtime(request, monkeypatch):
    """A TensorRT with plugin layers whose runtime asks for each plugin's creator while it deserialises."""
    gpu = Gpu()
    driver, made = Driver(gpu), full(v2=request.param == "v2")
    registry = made.trt.get_plugin_registry()
    asked = []

    class Runtime(driver.module.Runtime):
        def deserialize_cuda_engine(self, serialized_engine):
            creator = registry.get_creator("brought_scale", "2" if made.plugin_v2 else "3", creators.NAMESPACE)
            asked.append(creator and creator.kernel)
            return super().deserialize_cuda_engine(serialized_engine)

    vars(made.trt).update(Runtime=Runtime, IOutputAllocator=driver.module.IOutputAllocator)
    here = describe(made.trt)
    monkeypatch.setattr(runner_tensorrt, "edition", lambda: here)
    monkeypatch.setattr(runner_tensorrt, "gpu_count", lambda: 1)
    monkeypatch.setattr(engine, "gpu_count", lambda: 1)
    yield SimpleNamespace(driver=driver, gpu=gpu, asked=asked)
    for creator in list(registry.all_creators):
        if creator.plugin_namespace == creators.NAMESPACE:
            registry.deregister_creator(creator)


def test_a_brought_plugin_is_registered_before_its_plan_is_deserialised(runtime, brought, kernel, tmp_path):
    model = affine(2)
    creators.note(model.network, kernel)
    plan = optimize_network(model)
    runtime.driver.register(plan.data, Source(model.network))
    path = tf2trt.store_engine(plan, tmp_path / "c.plan")
    with plugged_in(runtime.gpu):
        with pytest.raises(PlanError, match=r"brought_scale of \S+ \(no installed package declares it\)"):
            tf2trt.inference_engine(tf2trt.load_engine(path))
        assert not runtime.asked
        with tf2trt.inference_engine(tf2trt.load_engine(path, plugins=[brought])) as running:
            assert running.run({"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[3, 3, 3]] * 2
        with tf2trt.inference_engine(plan):
            pass
        assert runtime.asked == [kernel, kernel]
        other = scaling("BroughtScale", scaled(tmp_path / "other", 9))
        with pytest.raises(PlanError, match="has another source or launches"):
            tf2trt.inference_engine(tf2trt.load_engine(path, plugins=[other]))


def test_a_plugin_of_the_same_name_in_tensorrts_registry_is_told(runtime, kernel, tmp_path):
    del runtime
    other = scaled(tmp_path / "other", 9)
    here = runner_tensorrt.edition()
    loading.require(here, [noted(other)], [other])
    with pytest.raises(PlanError, match=r"cannot be registered: .* there is a plugin of that name of .*other"):
        loading.require(here, [noted(kernel)], [kernel])
    assert resolve([noted(kernel)], [other, kernel]) == (kernel,)
