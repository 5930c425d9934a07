"""Kernels for boxes and images against TensorFlow where drawn cases do not reach: sizes, ties, chunks, what is odd."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tf2trt_core.kernels import DeviceFacts
from tf2trt_core.kernels.immediate import numpy_reference
from tf2trt_plugins_cuda import _suppression as planning
from tf2trt_plugins_cuda import combined_non_max_suppression as combined
from tf2trt_plugins_cuda import non_max_suppression as suppression
from tf2trt_plugins_cuda.crop_and_resize import CROP_AND_RESIZE
from tf2trt_plugins_cuda.references import libstdcxx

SMALL = DeviceFacts(multiprocessors=1)


#: Seeds: warps take turns, or one runs ahead.
@pytest.fixture(params=["reference", 2, 3])
def execute(request, host):
    if request.param == "reference":
        return numpy_reference
    return functools.partial(host.run, seed=request.param, device=SMALL)


def _boxes(random, count, *, odd):
    corner = random.integers(0, 8, (count, 2)) / 8
    boxes = np.concatenate([corner, corner + random.uniform(-0.05, 0.3, (count, 2))], 1).astype(np.float32)
    scores = (random.integers(-3, 12, count) / 4).astype(np.float32)
    if odd:
        boxes[random.integers(0, count, 2), random.integers(0, 4, 2)] = np.nan
        boxes[random.integers(0, count), 2] = np.inf
        scores[random.integers(0, count, 3)] = [np.nan, np.inf, 1e-45]
    return boxes, scores


@pytest.mark.parametrize("chunk", [64, 8192])
@pytest.mark.parametrize("odd", [False, True])
def test_chunks(execute, monkeypatch, chunk, odd):
    """More candidates than a chunk has, equal scores, NaN and infinity among boxes and scores."""
    import tensorflow as tf

    monkeypatch.setattr(planning, "_CHUNK", chunk)
    random = np.random.default_rng(chunk)
    for count, limit in ((130, 200), (150, 40)):
        boxes, scores = _boxes(random, count, odd=odd)
        thresholds = [np.array(number, np.float32) for number in (0.3, -0.5)]
        theirs = tf.raw_ops.NonMaxSuppressionV4(
            boxes=boxes, scores=scores, max_output_size=limit, iou_threshold=thresholds[0],
            score_threshold=thresholds[1], pad_to_max_output_size=False,
        )  # fmt: skip
        given = [boxes, scores, *thresholds, np.zeros((), np.float32)]
        index, _, valid = execute(suppression.NMS, given, {"limit": limit})
        assert index.tolist() == theirs.selected_indices.numpy().tolist()
        assert valid == theirs.valid_outputs.numpy()


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_scores_that_decay(execute, sigma):
    """Far more rounds of the queue than a drawn case has; the scores are a rounding of the exponential apart."""
    import tensorflow as tf

    boxes, scores = _boxes(np.random.default_rng(7), 90, odd=False)
    numbers = [np.array(number, np.float32) for number in (0.3, 0.01, sigma)]
    theirs = tf.raw_ops.NonMaxSuppressionV5(
        boxes=boxes, scores=scores, max_output_size=300, iou_threshold=numbers[0], score_threshold=numbers[1],
        soft_nms_sigma=numbers[2], pad_to_max_output_size=True,
    )  # fmt: skip
    index, best, valid = execute(suppression.PADDED, [boxes, scores, *numbers], {"limit": 300})
    assert valid == theirs.valid_outputs.numpy() > 50
    assert index.tolist() == theirs.selected_indices.numpy().tolist()
    np.testing.assert_allclose(best, theirs.selected_scores.numpy(), rtol=1e-6)


def _killer(count):
    """Scores on which median-of-three partitions are all uneven, so that std::sort falls back to its heap."""
    half = count // 2
    made = np.zeros(count)
    for k in range(1, half + 1):
        if k % 2:
            made[k - 1], made[k] = k, half + k
        made[half + k - 1] = 2 * k
    return made


def _ties(random, count, most):
    return random.integers(0, most, count)


SCORES = {
    "no two alike": lambda random: random.permutation(64),
    "few": lambda random: _ties(random, 90, 3),
    "many": lambda random: _ties(random, 90, 45),
    "uneven": lambda _: -_killer(100),
    "uneven, alike": lambda _: -(_killer(100) // 4),
    "below the empty place": lambda random: -_ties(random, 60, 60) / 20,
}


@pytest.mark.parametrize("kind", SCORES)
def test_order_of_all_classes(execute, kind):
    """Equal scores of different classes come as std::sort leaves them: one box, a class for each score."""
    scores = np.asarray(SCORES[kind](np.random.default_rng(3)), np.float32).reshape(1, 1, -1)
    boxes = np.array([0, 0, 1, 1], np.float32).reshape(1, 1, 1, 4)
    _combine(execute, boxes, scores, per_class=1, total=scores.size // 2, least=-2.5)


@pytest.mark.parametrize("kind", SCORES)
def test_order_of_a_class(execute, kind):
    """Equal scores of a class come as std::priority_queue does."""
    scores = np.asarray(SCORES[kind](np.random.default_rng(4)), np.float32).reshape(1, -1, 1)
    scores = np.concatenate([scores, scores[:, ::-1]], 2)
    random = np.random.default_rng(5)
    corner = random.uniform(0, 1, (1, scores.shape[1], 2, 2))
    boxes = np.concatenate([corner, corner + 0.1], 3).astype(np.float32)
    _combine(execute, boxes, scores, per_class=30, total=200, least=-2.5)


def _combine(execute, boxes, scores, *, per_class, total, least):
    import tensorflow as tf

    thresholds = [np.array(number, np.float32) for number in (0.2, least)]
    theirs = tf.raw_ops.CombinedNonMaxSuppression(
        boxes=boxes, scores=scores, max_output_size_per_class=per_class, max_total_size=total,
        iou_threshold=thresholds[0], score_threshold=thresholds[1], pad_per_class=False, clip_boxes=True,
    )  # fmt: skip
    scalars = {"per_class": per_class, "total": total, "pad_per_class": False, "clip": True}
    for mine, want in zip(execute(combined.COMBINED, [boxes, scores, *thresholds], scalars), theirs, strict=True):
        np.testing.assert_array_equal(mine, want.numpy())


def test_heap_fallback(monkeypatch):
    """The scores made for it do reach the heap, and are sorted."""
    calls = []
    plain = libstdcxx._sort_as_heap
    monkeypatch.setattr(libstdcxx, "_sort_as_heap", lambda part, less: calls.append(len(part)) or plain(part, less))
    made = [(float(-score), place) for place, score in enumerate(_killer(100))]
    libstdcxx.sort(made, libstdcxx.higher)
    assert [score for score, _ in made] == sorted((score for score, _ in made), reverse=True)
    assert calls


@pytest.mark.parametrize("nearest", [False, True])
def test_crops_of_nothing(execute, nearest):
    """What TensorFlow refuses, or reads out of bounds at, gives the extrapolation value."""
    image = np.ones((2, 3, 5, 4), np.float32)
    whole, far = [0, 0, 1, 1], [-3e38, 3e38, 3e38, -3e38]
    boxes = [whole, whole, *([bad, 0, 1, 1] for bad in (np.nan, np.inf, -np.inf)), far, whole]
    numbers = np.array([-1, 2, 0, 0, 1, 0, 1], np.int32)
    scalars = {"height": 3, "width": 1, "nearest": nearest, "extrapolation": 7.0}
    with np.errstate(all="ignore"):
        (crops,) = execute(CROP_AND_RESIZE, [image, np.array(boxes, np.float32), numbers], scalars)
    assert np.all(crops[[0, 1, 5]] == 7)
    assert np.all(crops[2:5, :2] == 7)
    assert np.all(crops[6] == 1)
