"""SavedModels: signatures, tags, partitioned variables, tables; read without making one object of them."""

from __future__ import annotations

import numpy as np
import pytest

import tf2trt_core as tf2trt
from tf2trt_core.errors import UnsupportedGraph


def play(program, *arrays):
    feeds = {spec.tensor: array for spec, array in zip(program.inputs, arrays, strict=True)}
    results = tf2trt.reference.run(program.network, feeds, constants=program.constants)
    return {spec.name: results[spec.tensor] for spec in program.outputs}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A SavedModel of TensorFlow 1 with two sets of tags, two signatures, a partitioned variable."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    folder = tmp_path_factory.mktemp("several") / "model"
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, (None, 4), name="x")
        rows = np.arange(12, dtype=np.float32).reshape(4, 3)

        def part(shape, dtype, partition_info):
            first = partition_info.var_offset[0]
            return tf.constant(rows[first : first + shape[0]])

        halved = tf1.fixed_size_partitioner(2)
        parts = tf1.get_variable("parts", (4, 3), initializer=part, use_resource=False, partitioner=halved)
        bias = tf1.get_variable("bias", initializer=np.ones(3, np.float32), use_resource=True)
        y = tf.matmul(x, tf.convert_to_tensor(parts)) + bias
        z = tf.nn.relu(-y)
        session.run(tf1.global_variables_initializer())
        describe = tf1.saved_model.predict_signature_def
        builder = tf1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": describe({"a": x}, {"y": y}), "both": describe({"a": x}, {"z": z, "y": y})},
        )
        builder.add_meta_graph(["serve", "gpu"], {"serving_default": describe({"a": x}, {"y": z})})
        builder.save()
    return folder, rows


@pytest.mark.parametrize(
    ("keywords", "sign"),
    [({}, {"y": 1}), ({"signature": "both"}, {"y": 1, "z": -1}), ({"tags": ["gpu", "serve"]}, {"y": -1})],
    ids=["default", "signature", "tags"],
)
def test_signatures_tags_and_partitioned_variables(several, keywords, sign):
    folder, rows = several
    program = tf2trt.from_saved_model(folder, shapes={"a": [2, 4]}, **keywords)
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    found = play(program, x)
    product = x @ rows + 1
    assert list(found) == sorted(sign)
    for name, result in found.items():
        expected = product if sign[name] > 0 else np.maximum(-product, 0)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    assert tf2trt.verify(program.graph.source, program).ok


def test_a_saved_model_written_as_text(several, tmp_path):
    import shutil

    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    folder, rows = several
    shutil.copytree(folder, tmp_path / "text")
    binary = tmp_path / "text" / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(binary.read_bytes())
    binary.with_suffix(".pbtxt").write_text(text_format.MessageToString(proto))
    binary.unlink()
    program = tf2trt.from_saved_model(tmp_path / "text", shapes={"a": [2, 4]})
    (found,) = play(program, np.ones((2, 4), np.float32)).values()
    np.testing.assert_allclose(found, np.ones((2, 4)) @ rows + 1, rtol=1e-5)


def saved(tmp_path, build, *specs):
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(build(module), input_signature=list(specs))
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.call})
    return module, tmp_path / "model"


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_a_constant_table_of_integers_is_a_gather(tmp_path, dtype):
    import tensorflow as tf

    keys = tf.constant([3, 5, -2], dtype)

    def build(module):
        source = tf.lookup.KeyValueTensorInitializer(keys, tf.constant([1.5, 2.5, 3.5]))
        module.table = tf.lookup.StaticHashTable(source, -1.0)
        return lambda q: {"found": module.table.lookup(q)}

    module, folder = saved(tmp_path, build, tf.TensorSpec((None,), dtype, name="q"))
    asked = np.array([3, 4, 5, -2, -3, 100, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
    wanted = module.call(tf.constant(asked))["found"].numpy()
    for program in (
        tf2trt.from_saved_model(folder, shapes={"q": [8]}),
        tf2trt.from_function(module.call.get_concrete_function(), shapes={"q": [8]}),
    ):
        assert play(program, asked)["found"].tolist() == wanted.tolist()


def test_a_table_from_an_asset_is_folded_where_its_keys_are_known(tmp_path):
    import tensorflow as tf

    words = tmp_path / "words.txt"
    words.write_text("zero\none\ntwo\n")

    def build(module):
        source = tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        module.table = tf.lookup.StaticHashTable(source, -1)
        return lambda x: {"y": x + tf.cast(module.table.lookup(tf.constant(["two", "none"])), tf.float32)}

    _, folder = saved(tmp_path, build, tf.TensorSpec((2,), tf.float32, name="x"))
    words.unlink()  # the asset's copy is what counts
    program = tf2trt.from_saved_model(folder)
    assert play(program, np.zeros(2, np.float32))["y"].tolist() == [2, -1]
    (folder / "assets" / "words.txt").unlink()
    with pytest.raises(tf2trt.Tf2TrtError, match=r"asset '.*words.txt', which fills the table .* is missing"):
        tf2trt.from_saved_model(folder)


def test_a_table_of_strings_asked_at_run_time_is_refused(tmp_path):
    import tensorflow as tf

    def build(module):
        source = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2]), tf.constant(["a", "b"]))
        module.table = tf.lookup.StaticHashTable(source, "?")
        return lambda q: {"n": tf.strings.length(module.table.lookup(q))}

    _, folder = saved(tmp_path, build, tf.TensorSpec((2,), tf.int32, name="q"))
    with pytest.raises(UnsupportedGraph, match="TensorRT has no strings"):
        tf2trt.from_saved_model(folder)


def test_a_variable_that_is_read_twice_and_gathered(tmp_path):
    import tensorflow as tf

    def build(module):
        module.rows = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))
        return lambda i: {"y": tf.gather(module.rows, i) + tf.reduce_sum(module.rows) + module.rows[0]}

    module, folder = saved(tmp_path, build, tf.TensorSpec((2,), tf.int32, name="i"))
    index = np.array([3, 1], np.int32)
    program = tf2trt.from_saved_model(folder)
    np.testing.assert_allclose(play(program, index)["y"], module.call(tf.constant(index))["y"])
