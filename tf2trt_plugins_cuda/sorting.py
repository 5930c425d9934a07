"""tf.math.top_k, tf.sort and tf.argsort beyond what TensorRT's TopK layer takes: whole rows are sorted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import NARROW, Const, Context, Dim, Value, op
from tf2trt_core.kernels import Buffer, Call, Kernel, KernelError
from tf2trt_core.kernels.declaration import Array
from tf2trt_core.kernels.signature import itemsize
from tf2trt_core.kernels.sorting import sort, sort_entries
from tf2trt_ops.top_k import expected
from tf2trt_plugins_cuda._cases import normal

SOURCE = Path(__file__).with_suffix(".cu")
_THREADS = 256
_KEY = {"int64": "unsigned long long"}


def _sorted(call: Call, x: Buffer, out: Buffer, index: Buffer | None, first: int, *, descending: bool) -> None:
    length, width = x.shape[-1], out.size // max(math.prod(x.shape[:-1]), 1)
    if not out.size:
        return
    keys = call.workspace("int64" if x.dtype == "int64" else "int32", x.size)
    call.launch("keys", call.grid(x.size, _THREADS), _THREADS, x, keys, x.size, descending)
    _, places = sort(call, keys, length, 8 * itemsize(x.dtype), rows=x.size // length)
    call.launch("take", call.grid(out.size, _THREADS), _THREADS, x, places, out, index, out.size, length, first, width)


def _top_launches(call: Call) -> None:
    (x,), (values, indices) = call.inputs, call.outputs
    if x.shape[-1] > 2**31 and indices.dtype == "int32":
        raise KernelError(f"rows of {x.shape[-1]} elements have places that int32 does not hold: ask for int64")
    _sorted(call, x, values, indices, 0, descending=True)


def _nth_launches(call: Call) -> None:
    (x,), (value,) = call.inputs, call.outputs
    _sorted(call, x, value, None, call.number("n"), descending=bool(call.scalars["reverse"]))


def _kernels(dtypes: str, suffix: str) -> tuple[Kernel, Kernel]:
    """TopK and NthElement for dtypes with keys of one size."""
    entries = {"keys": "tf2trt::make_keys<{T}>", **sort_entries(_KEY.get(dtypes, "unsigned"))}
    top = Kernel(
        f"top_k{suffix}(x: T, k: dim, I: type) -> values: T, indices: I",
        SOURCE,
        {"T": dtypes, "I": "int32 int64"},
        {**entries, "take": "tf2trt::take_places<{T}, {I}>"},
        shape=lambda x, k: [(*x[:-1], k), (*x[:-1], k)],
        launches=_top_launches,
        reference=_top_k,
    )
    nth = Kernel(
        f"nth_element{suffix}(x: T, n: int, reverse: bool) -> values: T",
        SOURCE,
        {"T": dtypes},
        {**entries, "take": "tf2trt::take_places<{T}, int>"},
        shape=lambda x: [x[:-1]],
        launches=_nth_launches,
        reference=lambda x, n, reverse: [np.sort(x, axis=-1)[..., -1 - n if reverse else n]],
    )
    return top, nth


def _top_k(x: Array, k: int) -> list[Array]:
    # backwards, so that of equal elements the later one comes first; then backwards again
    ascending = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")
    places = ascending[..., ::-1][..., :k]
    return [np.take_along_axis(x, places, -1), places]


TOP, NTH = _kernels("float32 float16 bfloat16 int32", "")
TOP_LONG, NTH_LONG = _kernels("int64", "_long")
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
    """Short rows, and one longer than TensorRT's TopK takes."""
    long = draw(gen.sampled_from([False] * 7 + [True]))
    shape = [draw(gen.integers(3850, 3900))] if long else draw(gen.shapes((1, 3), low=1, high=9))
    return normal(draw(gen.tensors(shape=shape, special=False)))


def _most(draw: Any, gen: Any, length: int) -> Any:
    """A ``k``: of a long row all, or nearly."""
    return draw(gen.integers(length - 9 if length > 3849 else 0, length))
