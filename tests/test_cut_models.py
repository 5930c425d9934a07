"""Whole models with kernels inside, from a tf.function: static and open, every network built, equal to TensorFlow."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import tf2trt_core as tf2trt
from helpers import drawn, traced
from test_cuts import compared, kinds
from tf2trt_core.context import Context, Scope
from tf2trt_core.context.launching import size_places
from tf2trt_core.dtypes import CARRIER_NUMPY
from tf2trt_core.errors import LimitError
from tf2trt_core.kernels.cupy import on_device
from tf2trt_core.kernels.host import HostRunner
from tf2trt_core.kernels.immediate import numpy_reference
from tf2trt_core.reference.programs import Played
from tf2trt_core.tensorrt_log import builder
from tf2trt_core.value import Base, Value
from tf2trt_plugins_cuda import gamma

RNG = np.random.default_rng(4)
BOXES = np.array([[0, 0, 1, 1], [0.1, 0.1, 0.6, 0.7], [0.3, 0.2, 0.9, 0.9], [0.12, 0.1, 0.6, 0.7]], np.float32)


def weights(*shape):
    """Numbers that keep activations near one."""
    return tf.constant((RNG.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32))


STEM, HEAD, SCORE = weights(3, 3, 3, 8), weights(3, 3, 8, 8), weights(8, 1)
TABLE, DENSE = weights(50, 6), weights(6, 4)


def detector(x):
    """A convolution, crops of it, another convolution, and the best of the crops' boxes."""
    features = tf.nn.relu(tf.nn.conv2d(x, STEM, 2, "SAME") * 1.5 + 0.25)
    crops = tf.image.crop_and_resize(features, BOXES, [0, 1, 0, 1], [4, 4])
    seen = tf.nn.conv2d(crops, HEAD, 1, "VALID")
    scores = tf.reshape(tf.matmul(tf.reduce_mean(seen, [1, 2]), SCORE), [-1])
    chosen, best, count = tf.raw_ops.NonMaxSuppressionV5(
        boxes=BOXES, scores=scores, max_output_size=3, iou_threshold=0.5, score_threshold=-10.0, soft_nms_sigma=0.0
    )
    return tf.gather(BOXES, chosen), best, count, seen


@pytest.mark.parametrize("open_", [False, True])
def test_a_detector(open_):
    shape = (None, None, 16, 3) if open_ else (2, 16, 16, 3)
    shapes = {"x": [(2, 2, 4), (8, 16, 32), 16, 3]} if open_ else None
    program = compared(traced(detector, shape), drawn((2, 16, 16, 3)), shapes=shapes)
    assert kinds(program) == ["N", "crop_and_resize", "N", "non_max_suppression", "N"]
    assert [spec.ranges for spec in program.networks[2].inputs] == [((0, 3, 3),)]


def test_a_detector_of_several_sizes():
    program = tf2trt.from_function(traced(detector, (None, None, 16, 3)), shapes={"x": [(2, 2, 4), (8, 16, 32), 16, 3]})
    with tf2trt.inference_engine(program, "reference") as engine:
        for batch, height in ((2, 8), (4, 32)):
            x = drawn((batch, height, 16, 3), seed=batch)
            for mine, theirs in zip(engine.run({"x": x}).values(), detector(tf.constant(x)), strict=True):
                np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5, atol=1e-5)


def bags(ids):
    """The mean of each row's embeddings, and a dense layer."""
    rows = tf.shape(ids)[0]
    segments = tf.reshape(tf.tile(tf.range(rows)[:, None], [1, 5]), [-1])
    mean = tf.raw_ops.SparseSegmentMeanWithNumSegments(
        data=TABLE, indices=tf.reshape(ids, [-1]), segment_ids=segments, num_segments=rows
    )
    return tf.nn.softmax(tf.matmul(tf.nn.relu(mean), DENSE)), tf.shape(mean)


@pytest.mark.parametrize("batch", [3, None])
def test_an_embedding_of_bags(batch):
    ids = RNG.integers(0, 50, (3, 5)).astype(np.int32)
    shapes = {"x": [(1, 8, 32), 5]} if batch is None else None
    program = compared(traced(bags, ((batch, 5), "int32")), ids, shapes=shapes)
    assert kinds(program)[-2:] == ["sparse_segment_mean", "N"]
    if batch is None:
        assert program.networks[-1].inputs[0].ranges == ((1, 8, 32), None)


def test_a_size_from_data_sizes_what_follows():
    """How many segments there are cuts another tensor, fills one, and is reshaped by."""

    def model(x, y, z):
        mean = tf.sparse.segment_mean(TABLE, x, y)
        hidden = tf.matmul(z, DENSE, transpose_b=True)
        count = tf.shape(mean)[0]
        joined = tf.concat([tf.nn.relu(mean), hidden[:count]], 1)
        return joined, tf.zeros([count, tf.shape(z)[0]]), tf.reshape(mean, [count * 2, -1])

    ids, segments = RNG.integers(0, 50, 9).astype(np.int32), np.array([0, 0, 1, 1, 1, 2, 3, 3, 3], np.int32)
    concrete = traced(model, ((None,), "int32"), ((None,), "int32"), (None, 4))
    shapes = {"x": [(1, 8, 32)], "y": [(1, 8, 32)], "z": [(32, 33, 40), 4]}
    program = compared(concrete, ids, segments, drawn((33, 4)), shapes=shapes)
    assert kinds(program) == ["N", "sparse_segment_mean_counted", "N"]


def picked(x):
    """The rows of what is positive, each number once, and the sum of each: three sizes from data, one after another."""
    places = tf.where(x > 0.0)
    found = tf.gather_nd(x * 2.0, places)
    once, which, count = tf.unique_with_counts(tf.floor(found))
    sums = tf.math.unsorted_segment_sum(tf.exp(-found), which, tf.size(once))
    return places, once, tf.cast(count, tf.float32) * sums, tf.reduce_sum(sums)


@pytest.mark.parametrize("shift", [0.0, 9.0, -9.0])
def test_sizes_from_data_one_after_another(shift):
    """All, some and none of the elements are taken."""
    x = drawn((4, 3), seed=3) + np.float32(shift)
    program = compared(traced(picked, (None, 3)), x, build=shift == 0, shapes={"x": [(1, 4, 8), 3]})
    assert kinds(program) == ["N", "where", "N", "unique_with_counts", "N", "unsorted_segment_sum", "N"]


def test_verify_looks_behind_the_kernels():
    concrete = traced(detector, (2, 16, 16, 3))
    program = tf2trt.from_function(concrete)
    result = tf2trt.verify(concrete, program)
    assert result.ok
    assert result.first is None
    seen = {row.op: row.layer for row in result.nodes}
    assert seen["CropAndResize"] == "KERNEL crop_and_resize CropAndResize"
    assert seen["Conv2D"].startswith("CONVOLUTION")
    assert seen["GatherV2"].startswith("GATHER")


def test_watch_sees_every_part():
    program = tf2trt.from_function(traced(detector, (2, 16, 16, 3)))
    names = [name for name in program.tensors if name.startswith(("CropAndResize", "NonMax", "Conv2D", "MatMul"))]
    with tf2trt.inference_engine(program, "reference") as engine:
        found = engine.run({"x": drawn((2, 16, 16, 3))}, watch=names)
    assert len(names) >= 5
    assert set(names) <= set(found)
    assert found["CropAndResize"].shape == (4, 4, 4, 8)


def test_half_precision_crosses_in_half_precision():
    concrete = traced(bags, ((3, 5), "int32"))
    program = tf2trt.from_function(concrete, precision="float16")
    assert [spec.carrier for spec in program.networks[-1].inputs] == ["float16"]
    assert tf2trt.verify(concrete, program).ok
    for part in program.networks:
        assert tf2trt.optimize_network(part).data


def test_the_kernels_very_source_gives_the_same():
    program = tf2trt.from_function(traced(detector, (2, 16, 16, 3)))
    x = drawn((2, 16, 16, 3))
    with HostRunner() as host:
        found = Played(program, kernels=host.run).run({"x": x})
    for spec, theirs in zip(program.outputs, detector(tf.constant(x)), strict=True):
        np.testing.assert_allclose(found[spec.tensor], theirs.numpy(), rtol=1e-5, atol=1e-5)


def test_on_a_device_arrays_stay_where_they_are():
    """CuPy's part is played by NumPy, the device's by the kernels' references."""

    class Stays(np.ndarray):
        """An array that tells its address as CuPy's do."""

        @property
        def data(self):
            return SimpleNamespace(ptr=self.ctypes.data)

        def get(self):
            return np.asarray(self)

    def prepare(kernel, dtypes, shapes, scalars, address):
        call = kernel.plan(dtypes, shapes, scalars)
        at = address(call)

        def memory(buffer, shape):
            size = int(np.prod(shape)) * CARRIER_NUMPY[buffer.dtype].itemsize
            raw = (ctypes.c_uint8 * size).from_address(at(buffer))
            return np.frombuffer(raw, CARRIER_NUMPY[buffer.dtype]).reshape(shape)

        def enqueue(stream):
            assert stream == 7
            made = numpy_reference(kernel, [memory(one, one.shape) for one in call.inputs], scalars)
            for buffer, array in zip(call.outputs, made, strict=True):
                memory(buffer, array.shape)[...] = array
            for buffer, (output, axis) in zip(call.sizes, size_places(kernel, shapes, scalars).values(), strict=True):
                memory(buffer, ())[...] = made[output].shape[axis]

        return call, SimpleNamespace(enqueue=enqueue)

    cupy = SimpleNamespace(
        ascontiguousarray=lambda array: np.ascontiguousarray(array).view(Stays),
        empty=lambda size, dtype: np.empty(size, dtype).view(Stays),
        cuda=SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=7)),
    )
    program = tf2trt.from_function(traced(detector, (2, 16, 16, 3)))
    x = drawn((2, 16, 16, 3))
    found = Played(program, kernels=on_device(SimpleNamespace(prepare=prepare), cupy)).run({"x": x}, xp=np)
    for spec, theirs in zip(program.outputs, detector(tf.constant(x)), strict=True):
        np.testing.assert_allclose(found[spec.tensor], theirs.numpy(), rtol=1e-5, atol=1e-5)


def test_a_kernel_in_a_branch_is_refused():
    context = Context(builder().create_network())
    context.scope = Scope(context.scope)
    tensor = context.network.add_input("x", context.trt.float32, (3,))
    with pytest.raises(LimitError, match="inside a branch or loop"):
        context.launch(gamma.KERNELS["Lgamma"], Value.of_base(Base(tensor, (3,), "float32"), "float32"))
