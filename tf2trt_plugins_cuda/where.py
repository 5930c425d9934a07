"""tf.where with one argument: the places of what is not zero."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Context, Value, op
from tf2trt_core.dims import product
from tf2trt_core.kernels import Call, Kernel, extents
from tf2trt_core.kernels.scanning import choose, choose_entries
from tf2trt_plugins_cuda._cases import normal

SOURCE = Path(__file__).with_suffix(".cu")


def _launches(call: Call) -> None:
    (x,), (index,), (found,) = call.inputs, call.outputs, call.sizes
    choose(call, x.size, found, (x,), (index, np.int32(len(x.shape)), extents(x.shape)))


def _volume(x: Any) -> Any:
    return product(x)


WHERE = Kernel(
    "where(x: T) -> index: int64",
    SOURCE,
    {"T": "bool float32 float16 bfloat16 int32 int64"},
    choose_entries("tf2trt::mark_nonzero<{T}>", "tf2trt::write_places"),
    shape=lambda x, found: [(found, len(x))],
    launches=_launches,
    sizes={"found": _volume},
    reference=lambda x: [np.argwhere(x)],
)
KERNELS = (WHERE,)


@op("Where", carries=NARROW)
def where(ctx: Context, input: Value) -> Value:
    """In the order of memory; NaN is not zero."""
    return ctx.launch(WHERE, input)[0]


@where.cases
def _(draw, gen):
    input = normal(draw(gen.tensors(rank=(1, 4))))
    return gen.case(input=input, oracle=_wide if input.dtype == np.float16 else None)


def _wide(tf: Any, inputs: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[Any]:
    """TensorFlow has no CPU kernel for float16."""
    del attributes
    return [tf.raw_ops.Where(condition=inputs["input"].astype(np.float32)).numpy()]
