"""tf.image.non_max_suppression and its kin: boxes by their scores, without those too similar to a better one.

Full TensorRT has an INMS layer; it looks at the 5,000 best boxes only and orders equal scores as it likes, so the
kernel, which gives what TensorFlow gives, is used everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.dtypes import DTYPES
from tf2trt_plugins_cuda._suppression import kernel
from tf2trt_plugins_cuda._suppression_cases import drawn
from tf2trt_plugins_cuda.references.non_max_suppression import of_boxes, outputs, suppress


def _of_boxes(*, pad: bool) -> Callable[..., Any]:
    def reference(boxes: Any, scores: Any, similarity: Any, least: Any, sigma: Any, limit: int) -> Any:
        kept = suppress(lambda i, j: of_boxes(boxes, np.array(i), j), scores, limit, similarity, least, sigma)
        return outputs(kept, limit, pad=pad)

    return reference


_INPUTS = "boxes: T, scores: T, similarity: H, least: L, sigma: T"
_TYPES = dict.fromkeys("THL", "float32 float16")
NMS = kernel("non_max_suppression", _INPUTS, _TYPES, _of_boxes(pad=False), pad=False)
PADDED = kernel("non_max_suppression_padded", _INPUTS, _TYPES, _of_boxes(pad=True), pad=True)
KERNELS = (NMS, PADDED)


def _kept(
    ctx: Context,
    boxes: Value,
    scores: Value,
    limit: Dim,
    similarity: Value,
    least: Value | None = None,
    sigma: Value | None = None,
    *,
    pad: bool = False,
) -> list[Value]:
    """[numbers, scores, how many]."""
    dtype = DTYPES[scores.dtype].numpy
    if least is None:
        least = Value.of(np.array(ml_dtypes.finfo(dtype).min, dtype))
    if sigma is None:
        sigma = Value.of(np.zeros((), dtype))
    return ctx.launch(PADDED if pad else NMS, boxes, scores, similarity, least, sigma, limit=limit)


@op("NonMaxSuppression", keep_float32=True)
def non_max_suppression(ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: float) -> Value:
    """Boxes may have their corners the wrong way round; a score that is NaN is no candidate."""
    return _kept(ctx, boxes, scores, max_output_size, Value.of(np.array(iou_threshold, np.float32)))[0]


@op("NonMaxSuppressionV2", keep_float32=True)
def non_max_suppression_v2(
    ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: Value
) -> Value:
    """Thresholds may be computed at run time; TensorFlow refuses ``iou_threshold`` outside [0, 1], this does not."""
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold)[0]


@op("NonMaxSuppressionV3", keep_float32=True)
def non_max_suppression_v3(
    ctx: Context, boxes: Value, scores: Value, max_output_size: Dim, iou_threshold: Value, score_threshold: Value
) -> Value:
    """Scores must be above ``score_threshold``."""
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold)[0]


@op("NonMaxSuppressionV4", keep_float32=True)
def non_max_suppression_v4(
    ctx: Context,
    boxes: Value,
    scores: Value,
    max_output_size: Dim,
    iou_threshold: Value,
    score_threshold: Value,
    pad_to_max_output_size: bool,
) -> list[Value]:
    """With ``pad_to_max_output_size`` the result's extent does not depend on data; box 0 fills it up."""
    pad = pad_to_max_output_size
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold, pad=pad)[::2]


@op("NonMaxSuppressionV5", keep_float32=True)
def non_max_suppression_v5(
    ctx: Context,
    boxes: Value,
    scores: Value,
    max_output_size: Dim,
    iou_threshold: Value,
    score_threshold: Value,
    soft_nms_sigma: Value,
    pad_to_max_output_size: bool,
) -> list[Value]:
    """``soft_nms_sigma`` above 0: scores decay instead, and ``iou_threshold`` says nothing."""
    pad = pad_to_max_output_size
    return _kept(ctx, boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, pad=pad)


@non_max_suppression.cases
@non_max_suppression_v2.cases
@non_max_suppression_v3.cases
@non_max_suppression_v4.cases
@non_max_suppression_v5.cases
def _(draw: Any, gen: Any, op: str) -> Any:
    return drawn(draw, gen, op)
