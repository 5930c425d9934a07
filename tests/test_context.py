"""The Context on the real network: pending layouts, folded weights, broadcasting, run-time dims, checked setters."""

from __future__ import annotations

import numpy as np
import pytest

import tf2trt_core as tf2trt
from helpers import drawn, equals_tensorflow, kinds, play, traced
from tf2trt_core import tensorrt_log
from tf2trt_core.context import Context, Scope
from tf2trt_core.errors import LayerError, ShapeFromDataError
from tf2trt_core.node import Node
from tf2trt_core.value import Base, Value


@pytest.fixture
def ctx():
    made = Context(tensorrt_log.builder().create_network())
    made.node = Node("node", "Test", (), {})
    return made


def runtime(ctx, shape, dtype="float32"):
    """A network input as a value."""
    tensor = ctx.network.add_input(f"x{ctx.network.num_inputs}", getattr(ctx.trt, dtype), shape)
    base = Base(tensor, (), dtype)
    from tf2trt_core.value import open_dims

    base.dims = open_dims(tensor, None, base)
    return Value.of_base(base, dtype)


def test_a_scope_finds_what_is_outside_and_hides_what_is_inside():
    outer = Scope()
    inner = Scope(outer)
    outer.keep("a", 1)
    inner.keep("b", 2)
    assert inner.get("a") == 1
    assert outer.get("b") is None


def test_transposes_cancel(ctx):
    x = runtime(ctx, (2, 3, 4, 5))
    y = x.transpose("NHWC->NCHW").transpose("NCHW->NHWC")
    assert ctx.in_order(y) is x.base
    assert ctx.network.num_layers == 0


def test_a_transpose_is_made_once_in_a_scope(ctx):
    x = runtime(ctx, (2, 3, 4))
    first = ctx.tensor(x.transpose((2, 0, 1)))
    assert ctx.tensor(x.transpose((2, 0, 1))) is first
    ctx.scope = Scope(ctx.scope)
    assert ctx.tensor(x.transpose((2, 0, 1))) is first
    inner = ctx.tensor(x.transpose((1, 0, 2)))
    ctx.scope = ctx.scope.outer
    assert ctx.tensor(x.transpose((1, 0, 2))) is not inner


def test_units_come_and_go_without_layers(ctx):
    x = runtime(ctx, (2, 1, 5))
    y = ctx.reshape(ctx.reshape(x, (2, 5)), (1, 2, 1, 1, 5))
    assert y.shape == (1, 2, 1, 1, 5)
    assert ctx.network.num_layers == 0
    assert tuple(ctx.tensor(y).shape) == (1, 2, 1, 1, 5)
    assert ctx.network.num_layers == 1


def test_equal_small_constants_are_one_layer(ctx):
    for _ in range(3):
        ctx.tensor(Value.of(np.float32(2)).with_rank(2))
    assert ctx.network.num_layers == 1


def test_names_are_the_nodes_and_unique(ctx):
    x = runtime(ctx, (2,))
    names = [ctx.unary(x, "EXP").base.name for _ in range(3)]
    assert names[0] == "node"
    assert len(set(names)) == 3
    assert ctx.network.get_layer(1).metadata == "node"


def test_a_setter_that_tensorrt_ignores_is_an_error(ctx):
    layer = ctx.add("add_concatenation", [runtime(ctx, (2, 3)).base.tensor])
    with pytest.raises(LayerError, match="axis stays"):
        ctx.set(layer, axis=99)


def test_a_layer_that_tensorrt_cannot_shape_is_an_error_here_and_now(ctx):
    a, b = runtime(ctx, (2, 3)), runtime(ctx, (4, 5))
    with pytest.raises(LayerError, match="cannot infer the shape"):
        ctx.elementwise(a, b, "SUM")


def test_operands_of_two_dtypes_are_an_error(ctx):
    with pytest.raises(LayerError, match="two dtypes"):
        ctx.elementwise(runtime(ctx, (2,)), runtime(ctx, (2,), "int32"), "SUM")


def test_a_shape_from_data_is_refused_with_the_reason(ctx):
    size = runtime(ctx, (2,), "int32")
    with pytest.raises(ShapeFromDataError, match="sizes tensors by shapes"):
        ctx.dims(size)


def test_a_value_that_was_folded_away_cannot_be_used_again(ctx):
    kernel = Value.of(np.ones((2, 1, 1, 1), np.float32))
    y = ctx.convolution_nd(runtime(ctx, (1, 1, 4, 4)), kernel, stride=(1, 1)).copy(uses=1)
    y = y.copy(uses=1, open=y.open, version=y.version)
    ctx.elementwise(y, Value.of(np.float32(2)), "PROD")
    with pytest.raises(LayerError, match="after a scale or shift was folded"):
        ctx.tensor(y)


def conv_block(x):
    import tensorflow as tf

    kernel = tf.constant(drawn((3, 3, 3, 8)))
    y = tf.nn.conv2d(x, kernel, 1, "SAME")
    return tf.nn.relu(y * drawn((8,), seed=1) + drawn((8,), seed=2))


def test_scale_and_shift_go_into_the_convolution():
    program = equals_tensorflow(traced(conv_block, (1, 6, 6, 3)), drawn((1, 6, 6, 3)), rtol=1e-4)
    assert kinds(program) == ["ACTIVATION", "CONVOLUTION", "SHUFFLE", "SHUFFLE"]


def test_a_convolution_with_two_consumers_keeps_its_weights():
    def call(x):
        import tensorflow as tf

        y = tf.nn.conv2d(x, tf.constant(drawn((1, 1, 3, 4))), 1, "VALID")
        return y * drawn((4,), seed=1), y

    equals_tensorflow(traced(call, (1, 5, 5, 3)), drawn((1, 5, 5, 3)))


@pytest.mark.parametrize("factor", [np.inf, np.nan])
def test_a_scale_that_is_not_finite_is_not_folded(factor):
    def call(x):
        import tensorflow as tf

        return tf.nn.conv2d(x, tf.constant(drawn((1, 1, 3, 2))), 1, "SAME") * np.float32(factor)

    x = drawn((1, 4, 4, 3))
    program = tf2trt.from_function(traced(call, x.shape))
    assert "ELEMENTWISE" in kinds(program)
    np.testing.assert_equal(play(program, x)[0], call(x).numpy())  # eagerly: a tf.function folds it, and gives NaN


def test_a_scale_without_convolution_is_one_layer():
    program = equals_tensorflow(
        traced(lambda x: x * drawn((4,), seed=1) + drawn((4,), seed=2), (2, 3, 4)), drawn((2, 3, 4))
    )
    assert kinds(program) == ["SCALE"]


def test_a_scale_of_no_channels_is_no_scale_layer():
    program = equals_tensorflow(traced(lambda x: x * drawn((2, 0)), (2, 0)), drawn((2, 0)))
    assert kinds(program) == ["ELEMENTWISE"]


def test_a_zero_border_becomes_padding_where_that_is_exact():
    def call(x):
        import tensorflow as tf

        y = tf.pad(x, [[0, 0], [1, 1], [2, 1], [0, 0]])
        y = tf.nn.relu(tf.nn.conv2d(y, tf.constant(drawn((3, 3, 3, 4))), 2, "VALID"))
        y = tf.pad(y, [[0, 0], [1, 0], [1, 1], [0, 0]])
        return tf.nn.max_pool2d(y, 2, 1, "VALID")

    program = equals_tensorflow(traced(call, (1, 9, 9, 3)), drawn((1, 9, 9, 3)), rtol=1e-4)
    assert "SLICE" not in kinds(program)


def test_a_zero_border_before_a_pool_of_negative_numbers_stays():
    def call(x):
        import tensorflow as tf

        return tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2, 2, "VALID")

    program = equals_tensorflow(traced(call, (1, 6, 6, 2)), -np.abs(drawn((1, 6, 6, 2))))
    assert "SLICE" in kinds(program)


def test_layouts_survive_everything_between_convolutions():
    def call(x):
        import tensorflow as tf

        y = tf.nn.conv2d(x, tf.constant(drawn((3, 3, 3, 4))), 1, "SAME")
        y = tf.concat([y, -y], 3)
        y = y * tf.reduce_mean(tf.nn.sigmoid(y), [1, 2], keepdims=True)
        y = y[:, 1:, :-1, ::2]
        return tf.nn.conv2d(y, tf.constant(drawn((1, 1, 4, 5))), 1, "SAME")

    program = equals_tensorflow(traced(call, (2, 6, 6, 3)), drawn((2, 6, 6, 3)), rtol=1e-4)
    assert kinds(program).count("SHUFFLE") == 2


def test_concatenations_of_concatenations_are_one_layer():
    def call(x, y):
        import tensorflow as tf

        return tf.concat([tf.concat([x, y], 1), tf.concat([y, x], 1)], 1)

    program = equals_tensorflow(traced(call, (2, 3), (2, 4)), drawn((2, 3)), drawn((2, 4), seed=1))
    assert kinds(program) == ["CONCATENATION"]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_reshape_under_an_open_batch_needs_no_shape_layers(batch):
    def call(x):
        import tensorflow as tf

        return tf.reshape(x, [tf.shape(x)[0], -1])

    shapes = {"x": [(1, 2, 4), 3, 5]}
    program = equals_tensorflow(traced(call, (None, 3, 5)), drawn((batch, 3, 5)), shapes=shapes)
    assert kinds(program) == ["SHUFFLE"]
    assert program.outputs[0].shape == (-1, 15)


@pytest.mark.parametrize("extent", [1, 4, 7])
def test_run_time_dims_are_computed_in_the_network(extent):
    def call(x):
        import tensorflow as tf

        count = tf.shape(x)[1]
        half = (count + 1) // 2
        return x[:, :half], tf.fill([tf.maximum(half, 2), 3], 7.0), tf.cast(count, tf.float32) * x

    shapes = {"x": [2, (1, 4, 8)]}
    equals_tensorflow(traced(call, (2, None)), drawn((2, extent)), shapes=shapes)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_narrow_integers_wrap_as_tensorflow_does(dtype):
    info = np.iinfo(dtype)
    x = np.array([info.min, info.max, 1, 100], dtype)
    concrete = traced(lambda x, y: (x + y, x * y, x - y), ((4,), dtype), ((4,), dtype))
    import tensorflow as tf

    program = tf2trt.from_function(concrete)
    carrier = "uint8" if dtype == "uint8" else "int32"
    y = x[::-1].copy()
    results = tf2trt.reference.run(program.network, {"x": x.astype(carrier), "y": y.astype(carrier)})
    for spec, theirs in zip(program.outputs, concrete(tf.constant(x), tf.constant(y)), strict=True):
        assert results[spec.tensor].astype(dtype).tolist() == theirs.numpy().tolist()
