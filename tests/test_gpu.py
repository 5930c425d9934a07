"""What needs a real GPU; skipped where there is none. On one: ``pytest tests/test_gpu.py``."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from fakes.programs import affine, image, two_inputs
from tf2trt_core.convert import Conversion
from tf2trt_core.edition import gpu_count, installed
from tf2trt_core.engine import Engine, inference_engine
from tf2trt_core.errors import EngineError, PlanError
from tf2trt_core.feeds import is_on_device
from tf2trt_core.node import Graph, Node, Signature
from tf2trt_core.program import Program
from tf2trt_core.registry import Registry
from tf2trt_core.runner_tensorrt import Cuda, Memory
from tf2trt_core.shapes import merged

pytestmark = pytest.mark.skipif(gpu_count() == 0, reason="no GPU: the CUDA driver sees no device")

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def cuda():
    found = Cuda()
    yield found
    found.close()


@pytest.fixture
def memory(cuda):
    held = Memory(cuda)
    yield held
    held.close()


def started(make) -> Engine:
    if not installed():
        pytest.skip("no TensorRT is installed")
    try:
        return inference_engine(make(), backend="tensorrt")
    except PlanError as error:
        if "compute capability" in str(error):
            pytest.skip(f"the installed TensorRT does not run on this GPU: {error}")
        raise


@pytest.mark.parametrize("shape", [(2, 3), (), (0, 3), (1000, 1000)])
def test_bytes_go_to_the_gpu_and_come_back(cuda, memory, shape) -> None:
    sent = memory.host("sent", np.dtype("float32"), shape)
    sent[...] = np.random.default_rng(1).random(shape, dtype=np.float32)
    address = memory.device("there", sent.nbytes)
    back = memory.host("back", np.dtype("float32"), shape)
    back[...] = -1
    cuda.copy(address, sent.ctypes.data, sent.nbytes)
    cuda.copy(back.ctypes.data, address, back.nbytes)
    cuda.sync()
    np.testing.assert_array_equal(back, sent)


def test_a_full_gpu_is_an_engine_error(cuda) -> None:
    with pytest.raises(EngineError, match=r"allocating .* bytes on the GPU failed"):
        cuda.on_device(1 << 45)


@pytest.mark.parametrize("library", ["cupy", "torch", "jax.numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint8", "bool"])
def test_arrays_of_other_libraries_are_read_where_they_are(cuda, memory, library, dtype) -> None:
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    expected = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    array = module.as_tensor(expected).cuda() if library == "torch" else module.asarray(expected)
    if not is_on_device(array):
        pytest.skip(f"{library} keeps its arrays on the host here")
    found = cuda.adopt(array)
    assert (found.dtype, found.shape, found.contiguous) == (np.dtype(dtype), (2, 3), True)
    host = memory.host("host", found.dtype, found.shape)
    cuda.copy(host.ctypes.data, found.address, host.nbytes)
    cuda.sync()
    np.testing.assert_array_equal(host, expected)


def test_a_transposed_array_is_not_contiguous_and_bfloat16_is_known(cuda) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert not cuda.adopt(torch.ones(2, 3, device="cuda").T).contiguous
    assert cuda.adopt(torch.ones(2, 3, device="cuda", dtype=torch.bfloat16)).dtype.name == "bfloat16"
    assert not is_on_device(torch.ones(2))


def test_nothing_is_left_allocated() -> None:
    driver = importlib.import_module("cuda.bindings.driver")
    free = []
    for _ in range(4):
        cuda = Cuda()
        memory = Memory(cuda)
        memory.device("x", 1 << 28)
        memory.host("y", np.dtype("uint8"), (1 << 20,))
        memory.close()
        cuda.close()
        free.append(driver.cuMemGetInfo()[1])
    assert free[-1] >= free[1]


def test_a_plan_runs() -> None:
    with started(affine) as engine:
        for rows in (2, 1, 8, 3):
            x = np.random.default_rng(rows).random((rows, 3), dtype=np.float32)
            outputs = engine.run({"x": x})
            np.testing.assert_allclose(outputs["y"], 2 * x + 1, rtol=1e-6)
            np.testing.assert_allclose(outputs["doubled"], 2 * x, rtol=1e-6)


def test_dtypes_at_the_edges() -> None:
    with started(image) as engine:
        bright = engine.run({"pixels": np.full((2, 2), 250, np.uint8)})["bright"]
    np.testing.assert_array_equal(bright, np.full((2, 2), 34, np.uint8), strict=True)


def test_feeds_on_the_gpu_and_on_the_host() -> None:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    with started(two_inputs) as engine:
        total = engine.run({"left": cupy.asarray(X[:, :2]), "right": X[:, 1:]})["total"]
    np.testing.assert_array_equal(total, X[:, :2] + X[:, 1:])


# -- programs with cuts ---------------------------------------------------------------------------
def chain(*ops, dtype="float32", out="float32", shape=(2, 3), ranges=None) -> Program:
    """One op after another, from x to y; converted without TensorFlow."""
    nodes = [
        Node(f"n{number}", op, (f"n{number - 1}" if number else "x",), {"T": dtype}) for number, op in enumerate(ops)
    ]
    inputs, outputs = [Signature("x", "x", dtype, shape)], [Signature("y", nodes[-1].name, out, None)]
    graph = Graph(nodes, inputs, outputs)
    return Conversion(graph, Registry.default(), merged(inputs, {"x": ranges} if ranges else None)).run()


def same_as_the_reference(engine, program, *arrays) -> None:
    with inference_engine(program, "reference") as reference:
        for array in arrays:
            found, wanted = engine.run({"x": array})["y"], reference.run({"x": array})["y"]
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, strict=True)


def drawn(*shapes):
    return [np.random.default_rng(seed).random(shape, np.float32) + 1 for seed, shape in enumerate(shapes)]


def test_kernels_with_nothing_between_run_and_are_recorded() -> None:
    program = chain("Lgamma", "Digamma")
    assert not program.networks
    with started(lambda: program) as engine:
        same_as_the_reference(engine, program, *drawn(*[(2, 3)] * 4))
        assert engine._player._graph is not None


def test_a_size_that_data_decides() -> None:
    program = chain("Where", dtype="bool", out="int64", shape=(-1, 5), ranges=[(1, 4, 9), 5])
    with started(lambda: program) as engine:
        same_as_the_reference(engine, program, *(array > 1.5 for array in drawn((4, 5), (9, 5), (1, 5), (4, 5))))


@pytest.mark.parametrize("rows", [2, -1])
def test_networks_between_kernels(rows) -> None:
    program = chain(
        "Relu", "Lgamma", "Relu", "Digamma", "Tanh", shape=(rows, 3), ranges=[(1, 4, 9), 3] if rows < 0 else None
    )
    assert len(program.networks) == 3
    with started(lambda: program) as engine:
        same_as_the_reference(engine, program, *drawn((2, 3), (2, 3), (2, 3)))
        if rows < 0:
            same_as_the_reference(engine, program, *drawn((9, 3), (1, 3)))
