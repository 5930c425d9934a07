"""The gamma family: tf.math.lgamma, digamma, igamma, igammac, betainc, zeta, polygamma."""

from __future__ import annotations

from pathlib import Path

from tf2trt_core import Context, Value, op
from tf2trt_core.kernels.elementwise import binary, ternary, unary
from tf2trt_plugins_cuda._cases import normal
from tf2trt_plugins_cuda.references import gamma, incomplete

SOURCE = Path(__file__).with_suffix(".cu")

#: Op → its kernel; the functor in the source has the op's name.
KERNELS = {
    "Lgamma": unary("lgamma", SOURCE, "tf2trt::Lgamma", reference=gamma.lgamma),
    "Digamma": unary("digamma", SOURCE, "tf2trt::Digamma", reference=gamma.digamma),
    "Igamma": binary("igamma", SOURCE, "tf2trt::Igamma", reference=incomplete.igamma),
    "Igammac": binary("igammac", SOURCE, "tf2trt::Igammac", reference=incomplete.igammac),
    "Zeta": binary("zeta", SOURCE, "tf2trt::Zeta", "float32", reference=gamma.zeta),
    "Polygamma": binary("polygamma", SOURCE, "tf2trt::Polygamma", "float32", reference=gamma.polygamma),
    "Betainc": ternary("betainc", SOURCE, "tf2trt::Betainc", "float32", reference=incomplete.betainc),
}


@op("Lgamma", "Digamma", keep_float32=True)
def lgamma(ctx: Context, x: Value) -> Value:
    """The logarithm of the gamma function's size, and that logarithm's derivative."""
    return ctx.launch(KERNELS[ctx.node.op], x)[0]


@lgamma.cases
def _(draw, gen):
    return gen.case(x=draw(gen.tensors(low=-10.0, high=10.0) | gen.tensors(low=0.0, high=1e6) | gen.tensors()))


@op("Igamma", "Igammac", keep_float32=True)
def igamma(ctx: Context, a: Value, x: Value) -> Value:
    """The regularised incomplete gamma functions, with broadcasting."""
    return ctx.launch(KERNELS[ctx.node.op], a, x)[0]


@igamma.cases
def _(draw, gen):
    high = draw(gen.sampled_from([2.0, 20.0, 200.0]))
    a = normal(draw(gen.tensors(low=0.0, high=high) | gen.tensors()))
    return gen.case(a=a, x=draw(gen.tensors(shape=draw(gen.broadcastable(a.shape)), low=0.0, high=high)))


@op("Zeta", keep_float32=True)
def zeta(ctx: Context, x: Value, q: Value) -> Value:
    """Hurwitz's zeta function, with broadcasting."""
    return ctx.launch(KERNELS["Zeta"], x, q)[0]


@zeta.cases
def _(draw, gen):
    x = draw(gen.tensors(low=1.0, high=20.0))
    return gen.case(x=x, q=draw(gen.tensors(shape=draw(gen.broadcastable(x.shape)), low=0.0, high=30.0)))


@op("Polygamma", keep_float32=True)
def polygamma(ctx: Context, a: Value, x: Value) -> Value:
    """The derivative of order ``a`` of the digamma function, with broadcasting."""
    return ctx.launch(KERNELS["Polygamma"], a, x)[0]


@polygamma.cases
def _(draw, gen):
    a = draw(gen.tensors(low=0.0, high=8.0))
    orders = a.round() if draw(gen.integers(0, 4)) else a
    return gen.case(a=orders, x=draw(gen.tensors(shape=draw(gen.broadcastable(a.shape)), low=0.0, high=30.0)))


@op("Betainc", keep_float32=True)
def betainc(ctx: Context, a: Value, b: Value, x: Value) -> Value:
    """The regularised incomplete beta function; operands of one shape, or scalars."""
    return ctx.launch(KERNELS["Betainc"], a, b, x)[0]


@betainc.cases
def _(draw, gen):
    shape = draw(gen.shapes())
    high = draw(gen.sampled_from([2.0, 20.0, 200.0]))
    shapes = [shape if draw(gen.integers(0, 3)) else () for _ in range(3)]
    a, b = (draw(gen.tensors(shape=one, low=0.0, high=high)) for one in shapes[:2])
    return gen.case(a=a, b=b, x=draw(gen.tensors(shape=shapes[2], low=0.0, high=1.0)))
