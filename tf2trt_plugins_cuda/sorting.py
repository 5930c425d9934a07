"""tf.math.top_k, tf.sort and tf.argsort beyond what TensorRT's TopK layer takes, and tf.math.nth_element."""

from __future__ import annotations

from typing import Any

from tf2trt_core import NARROW, Const, Context, Dim, Value, op
from tf2trt_ops.top_k import expected
from tf2trt_plugins_cuda._cases import normal
from tf2trt_plugins_cuda._order import NTH, NTH_LONG, TOP, TOP_LONG

KERNELS = (TOP, NTH, TOP_LONG, NTH_LONG)


@op("TopKV2", carries=NARROW)
def top_k_v2(ctx: Context, input: Value, k: Dim, index_type: str) -> list[Value]:
    """Largest first, equal ones in order; NaN has no place of its own."""
    return ctx.launch(TOP_LONG if input.dtype == "int64" else TOP, input, k=k, I=index_type)


@op("TopK", carries=NARROW)
def top_k(ctx: Context, input: Value, k: int) -> list[Value]:
    """As TopKV2, k being an attribute."""
    return ctx.launch(TOP_LONG if input.dtype == "int64" else TOP, input, k=k, I="int32")


@op("NthElement", carries=NARROW)
def nth_element(ctx: Context, input: Value, n: Const, reverse: bool) -> Value:
    """The last of the n + 1 smallest elements along the last axis, or of the largest if ``reverse``."""
    return ctx.launch(NTH_LONG if input.dtype == "int64" else NTH, input, n=int(n), reverse=reverse)[0]


@top_k_v2.cases
def _(draw: Any, gen: Any) -> Any:
    x = _rows(draw, gen)
    index_type = draw(gen.sampled_from(["int16", "int32", "int64"]))
    k = _most(draw, gen, x.shape[-1])
    return gen.case(input=x, k=k, sorted=draw(gen.booleans()), index_type=index_type, oracle=expected)


@top_k.cases
def _(draw: Any, gen: Any) -> Any:
    x = _rows(draw, gen)
    k = _most(draw, gen, x.shape[-1])
    return gen.case(input=x, k=k, sorted=draw(gen.booleans()), oracle=expected)


@nth_element.cases
def _(draw: Any, gen: Any) -> Any:
    x = _rows(draw, gen)
    return gen.case(input=x, n=_most(draw, gen, x.shape[-1] - 1), reverse=draw(gen.booleans()))


def _rows(draw: Any, gen: Any) -> Any:
    """Short rows, and some that are longer than those always sorted, or than TensorRT's TopK takes; many are equal."""
    lengths = draw(gen.sampled_from([None] * 7 + [(1025, 1100), (3850, 3900)]))
    if not lengths:
        return normal(draw(gen.tensors(shape=draw(gen.shapes((1, 3), low=1, high=9)), special=False)))
    shape = [*draw(gen.shapes((0, 1), low=1, high=2)), draw(gen.integers(*lengths))]
    return draw(gen.tensors(shape=shape, low=0, high=draw(gen.sampled_from([1, 9, 100]))))


def _most(draw: Any, gen: Any, length: int) -> Any:
    """A ``k``: of a long row few or nearly all."""
    few = (0, min(length, 99))
    return draw(gen.integers(*(draw(gen.sampled_from([few, (length - 9, length)])) if length > 99 else few)))
