"""The inverse error function, Bessel functions and other special functions of one argument (tf.math.special)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf2trt_core import Context, Value, op
from tf2trt_core.kernels.elementwise import unary
from tf2trt_plugins_cuda.references import bessel, special

SOURCE = Path(__file__).with_suffix(".cu")

_REFERENCES = {
    "BesselI0": bessel.i(0, scaled=False),
    "BesselI0e": bessel.i(0, scaled=True),
    "BesselI1": bessel.i(1, scaled=False),
    "BesselI1e": bessel.i(1, scaled=True),
    "BesselJ0": bessel.j(0),
    "BesselJ1": bessel.j(1),
    "BesselK0": bessel.k(0, scaled=False),
    "BesselK0e": bessel.k(0, scaled=True),
    "BesselK1": bessel.k(1, scaled=False),
    "BesselK1e": bessel.k(1, scaled=True),
    "BesselY0": bessel.y(0),
    "BesselY1": bessel.y(1),
    "Dawsn": special.dawsn,
    "Erfinv": special.erfinv,
    "Expint": special.expint,
    "FresnelCos": special.fresnel(cosine=True),
    "FresnelSin": special.fresnel(cosine=False),
    "Ndtri": special.ndtri,
    "Spence": special.spence,
}

#: A few instructions each.
_SHORT = {"Erfinv", "Ndtri"}
#: Op → its kernel; the functor in the source has the op's name.
KERNELS = {
    name: unary(name.lower(), SOURCE, f"tf2trt::{name}", unroll=2 if name in _SHORT else 1, reference=reference)
    for name, reference in _REFERENCES.items()
}


@op(*KERNELS, keep_float32=True)
def special_function(ctx: Context, x: Value) -> Value:
    """Computed in float32; at the edges of its domain what TensorFlow's CPU kernel gives for float32."""
    return ctx.launch(KERNELS[ctx.node.op], x)[0]


@special_function.cases
def _(draw, gen, op):
    if op == "BesselY1":  # at zero TensorFlow has NaN in float32 and -inf in float64
        return gen.case(x=draw(gen.tensors(low=0.01, high=100.0)))
    ranges = [(-1.0, 1.0)] if op in ("Erfinv", "Ndtri") else [(0.0, 2.0), (-30.0, 30.0), (0.0, 1e5)]
    low, high = draw(gen.sampled_from(ranges))
    x = draw(gen.tensors(low=low, high=high) | gen.tensors())
    if op == "Spence":  # TensorFlow's CPU kernel takes the inverse of the largest numbers as zero
        x = np.where(np.isfinite(x) & (np.abs(x.astype(np.float64)) > 1e30), x.dtype.type(2), x)
    return gen.case(x=x)
