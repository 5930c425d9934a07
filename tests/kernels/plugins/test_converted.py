"""A TensorFlow function into a network with plugin layers, which the reference reads back and plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tf2trt_core as tf2trt
from helpers import drawn, traced
from tf2trt_core import tensorrt_log
from tf2trt_core.edition import Edition
from tf2trt_core.kernels.plugins import needed
from tf2trt_core.reference import reading
from tf2trt_core.reference.programs import Played


@pytest.fixture
def networks(edition: Edition, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have plugin layers."""
    real = tensorrt_log.builder
    made = SimpleNamespace(create_network=lambda: edition.trt.INetworkDefinition(real().create_network()))
    monkeypatch.setattr(tensorrt_log, "builder", lambda: made)
    monkeypatch.setattr(reading, "tensorrt", lambda: edition.trt)


def _compared(concrete: Any, *arrays: Any, **keywords: Any) -> Any:
    program = tf2trt.from_function(concrete, **keywords)
    feeds = {spec.tensor: array for spec, array in zip(program.inputs, arrays, strict=True)}
    found = Played(program).run(feeds)
    expected = tf.nest.flatten(concrete(*[tf.constant(array) for array in arrays]))
    for spec, theirs in zip(program.outputs, expected, strict=True):
        np.testing.assert_allclose(found[spec.tensor], theirs.numpy(), rtol=1e-5, atol=1e-5)
    return program


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("rows", [4, None])
def test_plugin_layers_between_others(rows: int | None) -> None:
    """Two kernels, a size from a shape, a bool input and a size from data; the network is one."""

    def model(x: Any, ids: Any) -> Any:
        count = tf.shape(x)[0] + 2
        sums = tf.math.unsorted_segment_sum(tf.nn.relu(x), ids, count)
        places = tf.where(tf.tanh(sums) > 0.5)
        return tf.math.lgamma(sums + 1.0) * 2.0, places

    ids = np.array([0, 3, 3, 5], np.int32)
    shapes = {"x": [(1, 4, 8), 3], "y": [(1, 4, 8)]} if rows is None else None
    program = _compared(traced(model, (rows, 3), ((rows,), "int32")), drawn((4, 3)), ids, shapes=shapes)
    assert not program.is_cut
    assert {one.name for one in needed(program.network)} == {"unsorted_segment_sum", "where", "lgamma"}


@pytest.mark.usefixtures("networks")
def test_a_kernel_inside_a_branch() -> None:
    """Where there are plugin layers it is a layer like others."""

    def model(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.math.lgamma(x * x + 1.0), lambda: x)

    for sign in (1.0, -1.0):
        _compared(traced(model, (2, 3)), sign * np.ones((2, 3), np.float32))
