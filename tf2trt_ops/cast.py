"""tf.cast: another dtype."""

from __future__ import annotations

from typing import Any

from tf2trt_core import NARROW, Context, Limit, Value, op
from tf2trt_core.dtypes import DTYPES


def _truncates(SrcT: str, DstT: str, Truncate: bool) -> bool:
    return Truncate and DTYPES[SrcT].floating and DTYPES[DstT].floating and DTYPES[DstT].bits < DTYPES[SrcT].bits


@op(
    "Cast",
    carries=NARROW,
    limits=[
        Limit("Truncate=True drops the bits that do not fit; TensorRT's Cast rounds", when=_truncates, unseen=True),
        Limit(
            "TensorRT has no dtype that carries DstT",
            when=lambda DstT: not DTYPES[DstT].carrier,
            hint="cast to float32 or int32 instead",
        ),
    ],
)
def cast(ctx: Context, x: Value, DstT: str) -> Value:
    """Floats to integers are cut towards zero; to bool is ``!= 0``; to a narrow integer keeps the low bits.

    A float that the integer cannot hold has no defined result in TensorFlow: its CPU kernels keep the low bits of an
    int32 (300.0 to uint8 is 44) or give the nearest integer, depending on the size of the tensor.
    """
    return ctx.cast(x, DstT)


@cast.cases
def _(draw: Any, gen: Any) -> Any:
    kinds = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "float16", "bfloat16", "float32", "float64")
    source = draw(gen.dtype("SrcT"))
    target = draw(gen.sampled_from(kinds))
    held = DTYPES[source].floating and DTYPES[target].integer
    low, high = (0.0, 127.0) if DTYPES[target].bits < 32 else (-1000.0, 1000.0)
    x = gen.tensors(attr="SrcT", low=low, high=high) if held else gen.tensors(attr="SrcT")
    return gen.case(x=draw(x), DstT=target, Truncate=draw(gen.booleans()))
