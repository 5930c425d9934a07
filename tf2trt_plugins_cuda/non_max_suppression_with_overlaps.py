"""tf.image.non_max_suppression_overlaps: suppression by similarities that are given, whatever they are of."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf2trt_core import Context, Dim, Value, op
from tf2trt_plugins_cuda._suppression import kernel
from tf2trt_plugins_cuda._suppression_cases import least
from tf2trt_plugins_cuda.references.non_max_suppression import outputs, suppress


def _of_overlaps(overlaps: Any, scores: Any, similarity: Any, least: Any, limit: int) -> Any:
    kept = suppress(lambda i, j: overlaps[i, j], scores, limit, similarity, least, np.array(0))
    return outputs(kept, limit, pad=False)


OVERLAPS = kernel(
    "non_max_suppression_overlaps",
    "overlaps: float32, scores: float32, similarity: float32, least: float32",
    {},
    _of_overlaps,
    pad=False,
)
KERNELS = (OVERLAPS,)


@op("NonMaxSuppressionWithOverlaps", keep_float32=True)
def non_max_suppression_with_overlaps(
    ctx: Context,
    overlaps: Value,
    scores: Value,
    max_output_size: Dim,
    overlap_threshold: Value,
    score_threshold: Value,
) -> Value:
    """``overlaps[i, j]``: whether box i falls to box j; any numbers, and not the same both ways round."""
    return ctx.launch(OVERLAPS, overlaps, scores, overlap_threshold, score_threshold, limit=max_output_size)[0]


@non_max_suppression_with_overlaps.cases
def _(draw: Any, gen: Any) -> Any:
    count = draw(gen.integers(0, 12))
    return gen.case(
        overlaps=draw(gen.tensors(shape=(count, count), dtype="float32")),
        scores=draw(gen.tensors(shape=(count,), dtype="float32")),
        max_output_size=draw(gen.integers(0, 14)),
        overlap_threshold=draw(gen.sampled_from([0.5, 0.0, -1.0, 2.0])),
        score_threshold=least(draw, gen),
    )
