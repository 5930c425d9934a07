"""tf.scatter_nd and tf.tensor_scatter_nd_add, sub, max, min: updates that name an element twice all count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf2trt_core import Context, Dims, Limit, Value, op
from tf2trt_core.kernels import Buffer, Call, Kernel, extents
from tf2trt_core.kernels.sorting import count_entries
from tf2trt_plugins_cuda._keys import keys, sorts
from tf2trt_plugins_cuda._runs import INDEX, SOURCE, TYPES, entries, reduce_by_key
from tf2trt_plugins_cuda.references import rows

_LIMITS = [
    Limit(
        "the indices address nothing, or how many address an element is decided at run time",
        when=lambda indices: indices.shape[-1] == 0 or not isinstance(indices.shape[-1], int),
        unseen=True,  # a plugin layer asks for its workspace at the largest extents; more coordinates need less
    )
]


def _updated(indices: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the updates that index vectors name in a tensor."""
    return (*indices[:-1], *shape[indices[-1] :])


def _reduce(call: Call, indices: Buffer, updates: Buffer, *, combine: bool = False) -> None:
    """Reduce updates into the rows of the output that index vectors name."""
    (out,) = call.outputs
    depth = indices.shape[-1]
    count, limit = indices.size // depth, int(np.prod(out.shape[:depth], dtype=np.int64))
    sorting = sorts(call, updates, out, count, limit)
    named, picked = keys(
        call, indices, count, limit, "keys", np.int32(depth), extents(out.shape[:depth]), sorting=sorting
    )
    reduce_by_key(call, updates, named, out, limit, rows=picked, sorting=sorting, combine=combine)


def _fresh(call: Call) -> None:
    (indices, updates), (out,) = call.inputs, call.outputs
    call.memset(out, 0)
    _reduce(call, indices, updates)


def _kernel(name: str) -> Kernel:
    functor = {"Add": "Sum", "Sub": "Difference", "Max": "Maximum", "Min": "Minimum"}[name]
    narrow = {"add": "tf2trt::add_rows<{T}>"} if name == "Add" else {}

    def onto(call: Call) -> None:
        (tensor, indices, updates), (out,) = call.inputs, call.outputs
        call.copy(out, tensor)
        _reduce(call, indices, updates, combine=True)

    return Kernel(
        f"tensor_scatter_{name.lower()}(tensor: T, indices: I, updates: T) -> out: T",
        SOURCE,
        {"T": TYPES, "I": INDEX},
        {**entries(functor), **narrow, **count_entries("keys", "tf2trt::flatten_keys<{I}, {W}>")},
        shape=lambda tensor: [tensor],
        launches=onto,
        agree=lambda tensor, indices, updates: [(updates, _updated(indices, tensor))],
        reference=lambda tensor, indices, updates: [rows.scatter(f"Scatter{name}", tensor, indices, updates)],
    )


SCATTER_ND = Kernel(
    "scatter_nd(indices: I, updates: T, shape: dims) -> out: T",
    SOURCE,
    {"T": f"{TYPES} bool", "I": INDEX},
    {**entries("Sum"), **count_entries("keys", "tf2trt::flatten_keys<{I}, {W}>")},
    shape=lambda shape: [shape],
    launches=_fresh,
    agree=lambda indices, updates, shape: [(updates, _updated(indices, shape))],
    reference=lambda indices, updates, shape: [
        rows.scatter("ScatterAdd", np.zeros(shape, updates.dtype), indices, updates)
    ],
)
ONTO = {f"TensorScatter{name}": _kernel(name) for name in ("Add", "Sub", "Max", "Min")}
KERNELS = (SCATTER_ND, *ONTO.values())


@op("ScatterNd", limits=_LIMITS)
def scatter_nd(ctx: Context, indices: Value, updates: Value, shape: Dims) -> Value:
    """Updates added into zeros of ``shape``; those out of range are left out, which TensorFlow's CPU kernel refuses."""
    return ctx.launch(SCATTER_ND, indices, updates, shape=shape)[0]


@scatter_nd.cases
def _(draw, gen):
    shape, indices = _indices(draw, gen)
    updates = draw(gen.tensors(shape=(*indices.shape[:-1], *shape[indices.shape[-1] :])))
    static = ["indices"] * (draw(gen.integers(0, 3)) > 0)
    return gen.case(indices=indices, updates=updates, shape=np.array(shape, indices.dtype), static=static)


@op(*ONTO, limits=_LIMITS)
def tensor_scatter(ctx: Context, tensor: Value, indices: Value, updates: Value) -> Value:
    """Updates added to, subtracted from, or compared with elements or slices of ``tensor``."""
    return ctx.launch(ONTO[ctx.node.op], tensor, indices, updates)[0]


@tensor_scatter.cases
def _(draw, gen):
    shape, indices = _indices(draw, gen)
    updates = draw(gen.tensors(shape=(*indices.shape[:-1], *shape[indices.shape[-1] :])))
    static = ["indices"] * (draw(gen.integers(0, 3)) > 0)
    return gen.case(tensor=draw(gen.tensors(shape=shape)), indices=indices, updates=updates, static=static)


def _indices(draw: Any, gen: Any) -> tuple[Any, Any]:
    """A shape, and index vectors into it; several may be the same."""
    shape = draw(gen.shapes(rank=(1, 4), low=1))
    depth = draw(gen.integers(1, len(shape)))
    outer = draw(gen.shapes(rank=(1, 2)))
    columns = [draw(gen.tensors(shape=outer, attr="Tindices", low=0, high=extent - 1)) for extent in shape[:depth]]
    return shape, np.stack(columns, axis=-1)
