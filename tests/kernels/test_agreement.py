"""Shapes that do not go together are refused before a kernel reads anything, wherever it runs."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.test_edges import KERNELS
from tf2trt_core.kernels import KernelError
from tf2trt_core.kernels.immediate import numpy_reference

F32 = np.float32
#: Inputs of a kernel that TensorFlow takes (shapes, in order), scalars, and other shapes for one input: which and what.
ELEMENTWISE = (((2, 3), (3,)), {}, [(1, (2,)), (0, (3, 2)), (1, (3, 1, 4))])
CASES = {
    "non_max_suppression": (((5, 4), (5,), (), (), ()), {"limit": 3}, [(1, (6,)), (0, (4, 4)), (0, (5, 3)), (2, (0,))]),
    "non_max_suppression_padded": (((5, 4), (5,), (), (), ()), {"limit": 3}, [(1, (6,)), (0, (5, 5)), (4, (1,))]),
    "non_max_suppression_overlaps": (((5, 5), (5,), (), ()), {"limit": 3}, [(1, (6,)), (0, (5, 4)), (3, (0,))]),
    "combined_non_max_suppression": (
        ((2, 5, 1, 4), (2, 5, 3), (), ()), {"per_class": 2, "total": 3, "pad_per_class": False, "clip": True},
        [(0, (1, 5, 1, 4)), (0, (2, 4, 1, 4)), (0, (2, 5, 2, 4)), (0, (2, 5, 3, 3)), (1, (3, 5, 3)), (2, (0,))],
    ),
    "crop_and_resize": (
        ((2, 6, 6, 3), (4, 4), (4,)), {"height": 2, "width": 2, "nearest": False, "extrapolation": 0.0},
        [(1, (5, 4)), (1, (4, 3)), (2, (3,))],
    ),
    "dilation2d": (
        ((1, 5, 5, 3), (2, 2, 3)),
        {"row_stride": 1, "column_stride": 1, "row_rate": 1, "column_rate": 1, "same": True, "bits": 0},
        [(1, (2, 2, 2)), (1, (2, 2, 4))],
    ),
    "lower_bound": (((2, 5), (2, 3)), {"O": "int32"}, [(1, (3, 3))]),
    "upper_bound": (((2, 5), (2, 3)), {"O": "int32"}, [(0, (1, 5))]),
    "bincount": (((7,), (7,)), {"bins": 4, "per_row": False, "binary": False}, [(1, (6,)), (1, (8,))]),
    "histogram_fixed_width": (((7,), (2,)), {"bins": 4, "T": "int32"}, [(1, (1,))]),
    "scatter_nd": (((4, 1), (4, 2)), {"shape": (5, 2)}, [(1, (3, 2)), (1, (4, 3))]),
    **{f"tensor_scatter_{name}": (((5, 2), (4, 1), (4, 2)), {}, [(2, (5, 2)), (2, (4, 1)), (0, (5, 3))])
       for name in ("add", "sub", "max", "min")},
    **{f"unsorted_segment_{name}": (((3, 2, 4), (3, 2)), {"segments": 3}, [(1, (3, 3)), (1, (2, 2))])
       for name in ("sum", "max", "min", "prod")},
    **{f"segment_{name}{counted}": (((3, 4), (3,)), {} if counted else {"segments": 3}, [(1, (2,)), (1, (4,))])
       for name in ("sum", "mean", "max", "min", "prod") for counted in ("", "_counted")},
    **{f"sparse_segment_{name}{counted}": (
        ((5, 4), (3,), (3,)), {} if counted else {"segments": 3}, [(1, (2,)), (2, (4,))])
       for name in ("sum", "mean", "sqrtn") for counted in ("", "_counted")},
}  # fmt: skip


def given(name):
    """Shapes, scalars and other shapes: what the table says, or those of elementwise kernels."""
    if name in CASES:
        return CASES[name]
    kernel = KERNELS[name]
    count = len(kernel.signature.inputs)
    scalars = {one.name: 0 for one in kernel.signature.scalars}
    return (ELEMENTWISE[0] + ((3,),) * (count - 2), scalars, ELEMENTWISE[2])


def arrays(name, shapes):
    kernel = KERNELS[name]
    bound = kernel.bindings()[0]
    dtypes = [kernel.signature.dtype(one, bound) for one in kernel.signature.inputs]
    return dtypes, [
        np.minimum(np.arange(np.prod(shape, dtype=int)), 1).astype(dtype).reshape(shape)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


TOGETHER = [name for name, kernel in KERNELS.items() if len(kernel.signature.inputs) > 1]


@pytest.mark.parametrize("name", TOGETHER)
def test_shapes_that_disagree_are_refused(name):
    kernel = KERNELS[name]
    shapes, scalars, others = given(name)
    dtypes, inputs = arrays(name, shapes)
    assert kernel.plan(dtypes, shapes, scalars).steps
    numpy_reference(kernel, inputs, scalars)
    for which, other in others:
        wrong = [other if place == which else shape for place, shape in enumerate(shapes)]
        inputs = arrays(name, wrong)[1]
        with pytest.raises(KernelError) as planned:
            kernel.plan(dtypes, wrong, scalars)
        text = str(planned.value)
        assert text.startswith(f"kernel {name}: shapes that do not go together: "), text
        assert f"{kernel.signature.inputs[which].name} {list(other)}" in text
        with pytest.raises(KernelError, match="do not go together"):
            numpy_reference(kernel, inputs, scalars)
        if all(len(a) == len(b) for a, b in zip(wrong, shapes, strict=True)):
            # upper bounds, each by itself, may differ: a plan for the largest shapes is made before any real ones come
            larger = [tuple(map(max, a, b)) for a, b in zip(wrong, shapes, strict=True)]
            assert kernel.bounds(larger, scalars) is not None


def test_the_source_is_never_run_on_them(host):
    with pytest.raises(KernelError, match=r"boxes \[5, 4\], scores \[6\]"):
        host.run(
            KERNELS["non_max_suppression"],
            [np.zeros((5, 4), F32), np.zeros(6, F32), F32(0.5), F32(0), F32(0)],
            {"limit": 3},
        )


def test_every_kernel_of_several_tensors_says_how_they_agree():
    assert set(CASES) <= set(KERNELS)
    silent = [name for name in TOGETHER if KERNELS[name].agree is None]
    assert silent == []
