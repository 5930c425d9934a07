"""tf.math.bincount and tf.histogram_fixed_width: how often each value occurs, or the sum of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core import Context, Dim, Value, op
from tf2trt_core.kernels import Buffer, Call, Kernel
from tf2trt_core.kernels.signature import itemsize
from tf2trt_plugins_cuda.references import histogram

SOURCE = Path(__file__).with_suffix(".cu")
#: A block's threads, the values that it counts at least, and its copies of the bins at most.
_THREADS, _SHARE, _COPIES = 512, 8192, 8


def count(
    call: Call, values: Buffer, limits: Buffer | None, weights: Buffer | None, out: Buffer, *, binary: bool = False
) -> None:
    """Launch the counting of rows of ``values`` into ``out``; ``binary``: only whether there are any."""
    rows, bins = (1, *out.shape)[-2:]
    length = values.size // max(rows, 1)
    call.memset(out, 0)
    if not out.size or not length:
        return
    grid, each = (call.grid(length, _SHARE, 4), rows), itemsize(out.dtype) if weights else 4
    copies = min(call.device.shared_bytes // (bins * each), _COPIES)
    arguments = (values, limits, weights, out, length, bins)
    if binary:
        call.launch("mark", grid, _THREADS, values, out, length, bins)
    elif copies:
        entry, room = "weigh" if weights else "count", bins * copies * each
        call.launch(entry, grid, _THREADS, *arguments, np.int32(copies), shared=room)
    else:
        call.launch("many", grid, _THREADS, *arguments)


def _bincount(call: Call) -> None:
    (values, weights), (out,) = call.inputs, call.outputs
    count(call, values, None, weights if weights.size else None, out, binary=bool(call.scalars["binary"]))


BINCOUNT = Kernel(
    "bincount(values: I, weights: T, bins: dim, per_row: bool, binary: bool) -> out: T",
    SOURCE,
    {"I": "int32 int64", "T": "int32 int64 float32"},
    {
        "count": "tf2trt::count_shared<{I}, {T}, unsigned, false>",
        "weigh": "tf2trt::count_shared<{I}, {T}, {T}, false>",
        "many": "tf2trt::count_global<{I}, {T}, false>",
        "mark": "tf2trt::mark_bins<{I}, {T}>",
    },
    shape=lambda values, bins, per_row: [(values[0], bins) if per_row else (bins,)],
    launches=_bincount,
    agree=lambda values, weights: [(weights, values)] if 0 not in weights else [],
    reference=histogram.bincount,
)
FIXED_WIDTH = Kernel(
    "histogram_fixed_width(values: V, limits: V, bins: dim, T: type) -> out: T",
    SOURCE,
    {"V": "float32 float16 bfloat16 int32 int64", "T": "int32 int64"},
    {"count": "tf2trt::count_shared<{V}, {T}, unsigned, true>", "many": "tf2trt::count_global<{V}, {T}, true>"},
    shape=lambda bins: [(bins,)],
    agree=lambda limits: [(limits, (2,))],
    launches=lambda call: count(call, call.inputs[0], call.inputs[1], None, call.outputs[0]),
    reference=histogram.fixed_width,
)
KERNELS = (BINCOUNT, FIXED_WIDTH)


@op("Bincount")
def bincount(ctx: Context, arr: Value, size: Dim, weights: Value) -> Value:
    """Values of ``size`` and more do not count, nor negative ones, which TensorFlow refuses."""
    return ctx.launch(BINCOUNT, arr, weights, bins=size, per_row=False, binary=False)[0]


@bincount.cases
def _(draw, gen):
    return gen.case(size=draw(gen.integers(1, 12)), **_values(draw, gen, "arr", "int32", (0, 3)))


@op("DenseBincount")
def dense_bincount(ctx: Context, input: Value, size: Dim, weights: Value, binary_output: bool) -> Value:
    """As Bincount, of a matrix row by row; ``binary_output`` says whether, not how often."""
    return ctx.launch(BINCOUNT, input, weights, bins=size, per_row=input.rank == 2, binary=binary_output)[0]


@dense_bincount.cases
def _(draw, gen):
    given = _values(draw, gen, "input", gen.dtype("Tidx"), (1, 2))
    return gen.case(size=draw(gen.integers(1, 12)), binary_output=draw(gen.booleans()), **given)


def _values(draw: Any, gen: Any, name: str, dtype: str, rank: tuple[int, int]) -> dict[str, Any]:
    """Values, and weights for them or none."""
    values = draw(gen.tensors(rank=rank, dtype=dtype, low=0, high=14))
    weighted = draw(gen.booleans())
    weights = draw(gen.tensors(shape=values.shape if weighted else (0,), special=False))
    return {name: values, "weights": weights}


@op("HistogramFixedWidth")
def histogram_fixed_width(ctx: Context, values: Value, value_range: Value, nbins: Dim, dtype: str) -> Value:
    """Values outside the range count in the first and the last bin; NaN, which TensorFlow refuses, in none."""
    return ctx.launch(FIXED_WIDTH, values, value_range, bins=nbins, T=dtype)[0]


@histogram_fixed_width.cases
def _(draw, gen):
    low = draw(gen.integers(-20, 10))
    values = draw(gen.tensors(rank=(1, 3), low=-30, high=30))
    limits = np.array([low, low + draw(gen.integers(1, 20))], values.dtype)
    bins, dtype = draw(gen.integers(1, 9)), draw(gen.sampled_from(["int32", "int64"]))
    return gen.case(values=values, value_range=limits, nbins=bins, dtype=dtype)
