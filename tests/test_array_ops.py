"""Ops that move data, beyond what drawn cases reach: chains and their layouts, symbolic shapes, variables, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import tf2trt_core as tf2trt
from helpers import drawn, equals_tensorflow, kinds, play, traced
from tf2trt_core.build import optimize_network

FIRST, SECOND = 0.1 * drawn((3, 3, 4, 6), seed=1), 0.1 * drawn((3, 3, 6, 5), seed=2)


@pytest.fixture
def tf():
    import tensorflow as tf

    return tf


def conv(tf, x, kernel=FIRST, padding="SAME"):
    return tf.nn.conv2d(x, tf.constant(kernel), 1, padding)


def built(function, *specs, shapes=None, arrays=None):
    """Convert, compare with TensorFlow, build the engine; the layer kinds."""
    arrays = arrays or [drawn(tuple(2 if dim is None else dim for dim in spec), seed=3) for spec in specs]
    program = equals_tensorflow(traced(function, *specs), *arrays, shapes=shapes)
    optimize_network(program)
    return kinds(program)


# -- shape arithmetic makes no layers -------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "order"),
    [
        (lambda tf, x: [tf.shape(x)[0], -1], None),
        (lambda tf, x: [-1, 4 * 6], None),
        (lambda tf, x: tf.stack([tf.shape(x)[0], 2, 2, 6]), None),
        (lambda tf, x: tf.concat([tf.shape(x)[:1], [24]], 0), None),
        (lambda tf, x: [tf.size(x) // 24, 24], None),
        (lambda tf, x: tf.gather(tf.shape(x), [0, 2, 1]), None),
        (lambda tf, x: [tf.reduce_prod(tf.shape(x)[:2]), tf.shape(x)[2]], None),
        (lambda tf, x: [tf.shape(x)[0], 24], (0, 2, 1)),
    ],
)
def test_a_reshape_by_shape_arithmetic_is_one_layer(tf, target, order):
    def function(x):
        return tf.reshape(x if order is None else tf.transpose(x, order), target(tf, x))

    assert built(function, (None, 4, 6), shapes={"x": [(1, 2, 4), 4, 6]}) == ["SHUFFLE"]


def test_axes_of_size_one_come_and_go_without_layers(tf):
    def function(x):
        y = tf.reshape(tf.expand_dims(x, 1), [-1, 1, 5, 1])
        return tf.exp(tf.squeeze(y[:, :, :, 0], 1))

    assert built(function, (None, 5), shapes={"x": [(1, 2, 4), 5]}) == ["UNARY"]


def test_slices_leave_open_axes_alone(tf):
    for function in (
        lambda x: x[..., ::-1],
        lambda x: x[:, 1:3],
        lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]),
        lambda x: tf.roll(x, 2, axis=1),
        lambda x: tf.tile(x, [1, 2, 1]),
    ):
        assert built(function, (None, 4, 3), shapes={"x": [(1, 2, 4), 4, 3]}) == ["SLICE"]


def test_resizing_by_whole_factors_needs_no_shape_tensor(tf):
    shapes = {"x": [(1, 2, 4), (4, 5, 6), (4, 5, 6), 3]}
    found = built(
        lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2, "nearest"),
        (None, None, None, 3),
        shapes=shapes,
        arrays=[drawn((2, 5, 6, 3))],
    )
    assert found == ["RESIZE"]
    found = built(lambda x: tf.image.resize(x, [16, 20]), (None, 8, 8, 3), shapes={"x": [(1, 2, 4), 8, 8, 3]})
    assert found == ["RESIZE"]


# -- layouts ----------------------------------------------------------------------------------------


def test_a_chain_behind_a_convolution_stays_channels_first(tf):
    def function(x):
        y = tf.pad(conv(tf, x), [[0, 0], [1, 0], [0, 2], [0, 0]])
        y = tf.transpose(y, [0, 2, 1, 3])
        y = tf.concat([y, -y], -1)
        y = tf.slice(y, [0, 1, 0, 2], [-1, 6, -1, 7])
        y = tf.reduce_mean(y[:, ::2, 1:-1, :-1], [1, 2])
        return tf.reshape(y, [tf.shape(x)[0], 3, 2])

    expected = ["CONCATENATION", "CONVOLUTION", "REDUCE", *["SHUFFLE"] * 2, *["SLICE"] * 3, "UNARY"]
    assert built(function, (2, 8, 8, 4)) == expected
    assert built(function, (None, 8, 8, 4), shapes={"x": [(1, 2, 4), 8, 8, 4]}) == expected


@pytest.mark.parametrize("extents", [(8, 8), (None, 8), (None, None)])
def test_repeated_rows_and_columns_stay_channels_first(tf, extents):
    """What Keras's UpSampling2D and ``tf.repeat`` write: a new axis, tiled, and joined with its neighbour."""

    def function(x):
        return conv(tf, tf.repeat(tf.repeat(conv(tf, x), 2, axis=1), 3, axis=2), SECOND)

    shapes = {"x": [(1, 2, 4), *((4, 5, 8) if dim is None else dim for dim in extents), 4]}
    program = equals_tensorflow(traced(function, (None, *extents, 4)), drawn((2, 8, 8, 4)), shapes=shapes)
    optimize_network(program)
    shuffles = [record for record in tf2trt.reference.read(program.network) if record.kind == "SHUFFLE"]
    orders = [tuple(record.attributes["first_transpose"]) for record in shuffles]
    moves = sorted(order[:4] for order in orders if order != tuple(range(8)))
    assert moves == [(0, 2, 3, 1), (0, 3, 1, 2)]  # in and out


@pytest.mark.parametrize(
    ("middle", "layers"),
    [
        (lambda tf, y: tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]]), []),
        (lambda tf, y: tf.image.flip_left_right(y), ["SLICE"]),
        (lambda tf, y: tf.gather(y, [5, 1, 0, 3, 3, 2], axis=-1), ["GATHER"]),
        (lambda tf, y: tf.concat(tf.split(y, 2, -1)[::-1], -1), ["CONCATENATION", "SLICE", "SLICE"]),
        (lambda tf, y: tf.image.resize(y, [16, 16], "nearest"), ["RESIZE"]),
        (lambda tf, y: tf.image.resize(y, [13, 11]), ["RESIZE"]),
        (lambda tf, y: tf.pad(y, [[0, 0], [2, 1], [1, 2], [0, 0]], "REFLECT"), ["SLICE"]),
        (lambda tf, y: tf.pad(y, [[0, 0], [2, 0], [0, 0], [0, 0]], "SYMMETRIC"), ["CONCATENATION", "SLICE"]),
        (lambda tf, y: tf.roll(y, [1, -2], [1, 2]), ["SLICE"]),
        (lambda tf, y: tf.tile(y, [1, 2, 1, 1]), ["SLICE"]),
        (lambda tf, y: tf.reverse_sequence(y, [3, 5], seq_axis=1, batch_axis=0), ["REVERSE_SEQUENCE"]),
        (lambda tf, y: tf.image.resize(y, [6, 6], "area"), ["MATRIX_MULTIPLY", "MATRIX_MULTIPLY"]),
    ],
)
def test_between_convolutions_nothing_is_transposed(tf, middle, layers):
    found = built(lambda x: conv(tf, middle(tf, conv(tf, x)), SECOND, "VALID"), (2, 8, 8, 4))
    assert found == sorted([*layers, "CONVOLUTION", "CONVOLUTION", "SHUFFLE", "SHUFFLE"])


# -- contents -----------------------------------------------------------------------------------------


def test_a_large_constant_is_handed_over(tf):
    table = drawn((700, 800))
    assert table.nbytes > 2**20
    assert built(lambda x: x + tf.constant(table), (1, 800)) == ["ELEMENTWISE"]


def test_a_result_too_large_to_fold_is_computed_at_run_time(tf):
    found = built(lambda x: x + tf.tile(tf.reshape(tf.constant(drawn((4,))), [1, 4]), [1 << 18, 1])[:8], (8, 4))
    assert "SLICE" in found


def test_variables_that_are_gathered_from_are_one_constant(tf):
    table = tf.Variable(drawn((11, 3)))

    def function(x, y):
        return tf.nn.embedding_lookup(table, x) + tf.nn.embedding_lookup(table, y)

    concrete = traced(function, ((4,), "int32"), ((4,), "int64"))
    ids = [np.array([0, 10, 3, 3], np.int32), np.array([1, 2, 10, 0], np.int64)]
    program = equals_tensorflow(concrete, *ids)
    layers = [program.network.get_layer(index) for index in range(program.network.num_layers)]
    assert sorted(layer.type.name for layer in layers) == ["CONSTANT", "ELEMENTWISE", "GATHER", "GATHER"]


def test_an_index_out_of_range_gives_zeros_as_on_a_gpu(tf):
    concrete = traced(lambda x, y: tf.gather(x, y, axis=1), ((2, 3), "float32"), ((2,), "int32"))
    (found,) = play(tf2trt.from_function(concrete), drawn((2, 3)), np.array([1, 7], np.int32))
    np.testing.assert_array_equal(found, np.stack([drawn((2, 3))[:, 1], [0, 0]], 1))


def test_images_of_uint8_are_cast_before_they_move(tf):
    x = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    concrete = traced(lambda x: tf.cast(tf.transpose(x[:, ::-1], [1, 0, 2]), "float32"), ((2, 3, 4), "uint8"))
    assert kinds(equals_tensorflow(concrete, x))[:2] == ["CAST", "CAST"]


def test_hues_between_the_corners(tf):
    images = np.random.default_rng(0).uniform(size=(2, 9, 9, 3)).astype(np.float32)
    for function in (
        tf.image.rgb_to_hsv,
        tf.image.hsv_to_rgb,
        lambda x: tf.image.adjust_hue(x, 0.3),
        lambda x: tf.image.adjust_hue(x, -0.9),
        lambda x: tf.image.adjust_saturation(x, 2.5),
    ):
        program = tf2trt.from_function(traced(function, images.shape))
        (found,) = play(program, images)
        np.testing.assert_allclose(found, function(tf.constant(images)).numpy(), atol=3e-6)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_places_of_large_images_do_not_suffer_from_half_floats(tf, precision):
    x = np.arange(3000, dtype=np.float32).reshape(1, 1, 3000, 1) % 61

    def call(x):
        x = tf.nn.conv2d(x, tf.ones((1, 1, 1, 1)), 1, "SAME")  # brings the half precision
        return tf.image.resize(x, [1, tf.shape(x)[2] * 3 // 4], "nearest")

    concrete = traced(call, (1, 1, None, 1))
    program = tf2trt.from_function(concrete, precision=precision, shapes={"x": [1, 1, (1, 10, 4000), 1]})
    np.testing.assert_array_equal(play(program, x)[0], concrete(tf.constant(x)).numpy())
    optimize_network(program)


# -- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "specs", "said"),
    [
        (lambda tf, x: tf.squeeze(x), [(None, 3)], "is 1 is decided at run time"),
        (lambda tf, x: tf.reshape(x, tf.cast(x[:2], "int32")), [(4,)], "computed from data"),
        (lambda tf, x, y: tf.transpose(x, y), [(2, 3), ((2,), "int32")], "must be a constant"),
        (lambda tf, x, y: tf.dynamic_partition(x, y, 2), [(3,), ((3,), "int32")], "must be a constant"),
        (
            lambda tf, x, y: tf.scatter_nd(y, x, [5]),
            [(3,), ((3, 1), "int32")],
            "of duplicates TensorRT promises nothing",
        ),
        (lambda tf, x: tf.scatter_nd([[0], [0]], x, [5]), [(2,)], "name an element twice"),
        (lambda tf, x: tf.bitcast(x, "int32"), [(3,)], "reads bytes as another dtype"),
        (lambda tf, x: tf.image.resize(x, [5, 5], "bicubic"), [(1, None, 4, 3)], "fixed size"),
        (lambda tf, x: tf.range(0.0, tf.cast(tf.shape(x)[0], "float32")), [(None, 3)], "range of float32"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(tf, function, specs, said):
    concrete = traced(lambda *inputs: function(tf, *inputs), *specs)
    with pytest.raises(tf2trt.UnsupportedGraph, match=said):
        tf2trt.from_function(concrete, without=["tf2trt_plugins_cuda"])


def test_a_scatter_is_refused_where_it_is_open_what_addresses_an_element(tf):
    def function(x, y):
        return tf.tensor_scatter_nd_add(tf.zeros([4, 5, 2]), y, x)

    open_depth = traced(function, (None,), ((3, None), "int32"))
    with pytest.raises(tf2trt.UnsupportedGraph, match="how many address an element is decided at run time"):
        tf2trt.from_function(open_depth, shapes={"y": [3, (1, 2, 3)], "x": [(1, 3, 30)]})
    rows = np.array([[1, 2], [1, 2], [3, 4]], np.int32)
    equals_tensorflow(traced(function, (3, 2), ((3, 2), "int32")), drawn((3, 2)), rows)


def test_a_variable_without_contents_says_so(tf):
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder("float32", [2], name="x")
        handle = v1.get_variable("weights", [2], use_resource=True)
        tf.add(x, handle, name="y")
    with pytest.raises(tf2trt.UnsupportedGraph, match="contents are not part"):
        tf2trt.from_tensorflow_graph_def(graph.as_graph_def(), ["x"], None, ["y"])
