"""Cases of non-maximum suppression, of all its versions."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Argument → the version of the op that it came with.
_SINCE = {"score_threshold": 3, "pad_to_max_output_size": 4, "soft_nms_sigma": 5}


def drawn(draw: Any, gen: Any, op: str) -> Any:
    """A few boxes, many of them alike."""
    version = int(op.removeprefix("NonMaxSuppression").removeprefix("V") or 1)
    dtype = "float32" if version == 1 else ""
    count = draw(gen.integers(0, 12))
    low = draw(gen.sampled_from([None, 0.0]))  # small integers, so that boxes and scores tie; or all over
    high = None if low is None else draw(gen.sampled_from([1.0, 4.0]))
    given = {
        "boxes": draw(gen.tensors(shape=(count, 4), dtype=dtype, low=low, high=high)),
        "scores": draw(gen.tensors(shape=(count,), dtype=dtype)),
        "max_output_size": draw(gen.integers(0, 14)),
        "iou_threshold": draw(gen.sampled_from([0.5, 0.0, 1.0, 1 / 3, 0.25])),
        "score_threshold": least(draw, gen),
        "pad_to_max_output_size": draw(gen.booleans()),
        "soft_nms_sigma": draw(gen.sampled_from([0.0, 0.5, 0.125, 4.0])),
    }
    return gen.case(**{name: value for name, value in given.items() if version >= _SINCE.get(name, 1)})


def least(draw: Any, gen: Any) -> Any:
    """A threshold of scores."""
    return draw(gen.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]))
