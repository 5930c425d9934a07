"""Kernels on CuPy's arrays: what crosses between the networks of a program stays on the GPU that plays them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY, from_numpy
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.device import Address, DeviceRunner
from tf2trt_core.kernels.host import exact_shapes
from tf2trt_core.kernels.immediate import Execute
from tf2trt_core.kernels.plan import Buffer, Call


def on_device(runner: DeviceRunner, cupy: Any) -> Execute:
    """What ``tf2trt_core.reference.programs.Played(kernels=...)`` takes, for ``run(xp=cupy)``.

    Launches go to CuPy's current stream; the host reads the sizes that data decides and nothing else.
    """

    def run(kernel: Kernel, arrays: Sequence[Any], scalars: Mapping[str, Any]) -> Sequence[Any]:
        inputs = [cupy.ascontiguousarray(array) for array in arrays]
        held: dict[Buffer, Any] = {}

        def place(call: Call) -> Address:
            for buffer in (*call.outputs, *call.sizes, *call.pieces):
                held[buffer] = cupy.empty(max(buffer.size, 1), CARRIER_NUMPY[buffer.dtype])

            def address(buffer: Buffer) -> int:
                root = buffer.root
                array = inputs[root.index] if root.role == "input" else held[root]
                return int(array.data.ptr) + buffer.start

            return address

        dtypes = [from_numpy(np.dtype(array.dtype)) for array in inputs]
        shapes = [tuple(array.shape) for array in arrays]  # ``ascontiguousarray`` gives a scalar an axis
        call, prepared = runner.prepare(kernel, dtypes, shapes, scalars, place)
        prepared.enqueue(int(cupy.cuda.get_current_stream().ptr))
        found = [int(held[buffer].get()[0]) for buffer in call.sizes]
        exact = exact_shapes(kernel, shapes, scalars, found)
        pairs = zip(call.outputs, exact, strict=True)
        return [held[buffer][: math.prod(shape)].reshape(shape) for buffer, shape in pairs]

    return run
