"""Ops that TensorRT lacks, as CUDA kernels: a declaration, its ``.cu`` beside it, and the op that launches it."""

from __future__ import annotations

#: The modules with the ops, in alphabetical order; a new file is added here.
MODULES = (
    "bitcast",
    "bitwise",
    "combined_non_max_suppression",
    "crop_and_resize",
    "cumulative",
    "dilation2d",
    "gamma",
    "histogram",
    "max_pool_with_argmax",
    "non_max_suppression",
    "non_max_suppression_with_overlaps",
    "scatter",
    "searching",
    "segments",
    "sorting",
    "sparse_segments",
    "special",
    "unique",
    "where",
)

OPS = tuple(f"tf2trt_plugins_cuda.{name}" for name in MODULES)
