"""What both plugin interfaces do: formats, dtypes, shapes, workspace, code, and the steps of a call on a stream."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tf2trt_core.dtypes import trt_dtype
from tf2trt_core.kernels import compiler
from tf2trt_core.kernels.compiler import Binary
from tf2trt_core.kernels.declaration import Kernel
from tf2trt_core.kernels.device import DeviceRunner, Prepared, checked
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, Copy
from tf2trt_core.kernels.plugins.shapes import output_shapes
from tf2trt_core.kernels.plugins.state import CARRIED, Setting, Stored

Shapes = tuple[tuple[int, ...], ...]
#: Plans and resolved calls that a plugin keeps: TensorRT mostly repeats shapes and addresses.
_KEPT = 16
#: Bytes of a size in the workspace: the kernel writes an int64.
_SIZE = 8
#: What TensorRT's size tensors, int32, can hold.
_LARGEST_SIZE = 2**31 - 1


@functools.cache
def device() -> DeviceRunner:
    """The first GPU, which plugins launch on; opened when one needs it. Raises ``KernelError`` on another GPU."""
    current = importlib.import_module("cuda.bindings.driver").cuCtxGetDevice()
    if int(current[0]) == 0 and int(current[1]) != 0:
        raise KernelError(
            f"plugins launch on GPU 0, and TensorRT is on GPU {int(current[1])}: set CUDA_VISIBLE_DEVICES"
        )
    return DeviceRunner(build=_code)


#: Code that came with plans: (kernel's name, C++ expressions) → binary.
_BROUGHT: dict[tuple[str, tuple[str, ...]], Binary] = {}


def _key(kernel: Kernel, bound: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    return f"{kernel.source} {kernel.name}", tuple(kernel.expressions(bound).values())


def _code(kernel: Kernel, bound: Mapping[str, str], capability: int) -> Binary:
    """What a plan brought, if it is for this GPU; else from the disk, or compiled."""
    brought = _BROUGHT.get(_key(kernel, bound))
    return brought if brought and brought.capability == capability else compiler.build(kernel, bound, capability)


class Behaviour:
    """One plugin object's work; ``clone`` shares code and promises, and has its own memory and plans."""

    def __init__(self, trt: Any, stored: Stored) -> None:
        self.trt = trt
        self.setting: Setting = stored.setting
        self.kernel = stored.setting.kernel
        self._promises = [stored.promised] if stored.promised >= 0 else []
        self._code = stored.code
        self._functions: Mapping[str, Any] | None = None
        self._largest: Shapes = ()
        self._calls: dict[Shapes, Call] = {}
        self._prepared: dict[Any, Prepared] = {}
        self._own: Any = None
        self._own_bytes = 0
        bound = self.setting.bound
        outputs = self.kernel.output_dtypes(bound)
        inputs = (*self.setting.dtypes, *("int32" for _ in range(self.setting.extras)))
        self.num_inputs = len(inputs)
        self.num_outputs = len(outputs) + len(self.kernel.sizes)
        sizes = ("int32" for _ in self.kernel.sizes)  # what TensorRT asks of size tensors
        self._types = [trt_dtype(trt, CARRIED.get(one, one)) for one in (*inputs, *outputs, *sizes)]

    def clone(self) -> Self:
        """With the same setting, configuration, code and promises."""
        made = type(self)(self.trt, Stored(self.setting, self._code))
        made._promises, made._functions, made._largest = self._promises, self._functions, self._largest  # noqa: SLF001
        return made

    # -- what a builder asks ------------------------------------------------------------------
    def output_types(self) -> list[Any]:
        """TensorRT's dtypes of the outputs, sizes included."""
        return self._types[self.num_inputs :]

    def supports(self, position: int, described: Any) -> bool:
        """Linear tensors of the setting's dtypes: networks are strongly typed, so there is one combination."""
        linear = described.format == self.trt.TensorFormat.LINEAR
        return bool(linear and described.type == self._types[position])

    def output_shapes(self, inputs: Sequence[Any], builder: Any) -> list[Any]:
        """``DimsExprs`` of the outputs."""
        return output_shapes(self.trt, builder, self.setting, inputs)

    def configure(self, largest: Sequence[Sequence[int]], types: Sequence[Any]) -> None:
        """Before a build measures or an engine runs: takes the largest shapes, and compiles. Raises ``KernelError``."""
        if list(types) != self._types:
            raise KernelError(f"plugin {self.kernel.name} is configured with {list(types)}, not {self._types}")
        self._largest = _shapes(largest)
        self._check_sizes()
        self.load()

    def _check_sizes(self) -> None:
        given = self._largest[: len(self.setting.dtypes)]
        for name, most in self.kernel.bounds(given, self._scalars(self._largest)).items():
            if not isinstance(most, int) or most > _LARGEST_SIZE:
                raise KernelError(
                    f"plugin {self.kernel.name}: {name!r} can be {most}, and TensorRT takes sizes up to "
                    f"{_LARGEST_SIZE}: give smaller ranges in shapes="
                )

    def workspace(self) -> int:
        """Bytes for the largest shapes."""
        asked = self._bytes(self._call(self._largest))
        self._promises.append(asked)
        return asked

    def stored(self) -> Stored:
        """What a plan keeps, with code for this GPU."""
        return Stored(self.setting, self._binary(), min(self._promises, default=-1))

    # -- code ---------------------------------------------------------------------------------
    def _binary(self) -> Binary:
        if self._code is None:
            self._code = _code(self.kernel, self.setting.bound, device().facts.capability)
        return self._code

    def load(self) -> None:
        """Have the code on the GPU: from the plan, from the disk, or compiled. Never called while an engine runs."""
        if self._functions is None:
            code = self._binary()
            _BROUGHT.setdefault(_key(self.kernel, self.setting.bound), code)
            self._functions = device().functions(self.kernel, self.setting.bound)

    # -- running ------------------------------------------------------------------------------
    def prepare(self, inputs: Sequence[Sequence[int]]) -> None:
        """Plan for these shapes; memory beyond what TensorRT was asked for is taken now.

        Extents that depend on data are -1 until the plugin runs.
        """
        self.load()
        shapes = _shapes(inputs)
        if all(extent >= 0 for shape in shapes for extent in shape):
            self._room(self._bytes(self._call(shapes)))

    def _room(self, needed: int) -> None:
        """A smaller problem can need more than the largest one, where a kernel splits it otherwise."""
        if not self._promises or needed <= max(min(self._promises), self._own_bytes):
            return
        self.free()
        self._own, self._own_bytes = checked(device().driver.cuMemAlloc(needed)), needed

    def free(self) -> None:
        """Give back memory of its own."""
        if self._own is not None:
            self._prepared.clear()
            checked(device().driver.cuMemFree(self._own))
            self._own, self._own_bytes = None, 0

    def enqueue(
        self,
        shapes: Sequence[Sequence[int]],
        inputs: Sequence[int],
        outputs: Sequence[int],
        workspace: int,
        stream: int,
    ) -> None:
        """Put the steps on the stream; compiles nothing, and waits for nothing."""
        if self._functions is None:
            raise KernelError(f"plugin {self.kernel.name} is to run and was neither configured nor attached")
        planned = _shapes(shapes)
        key = (planned, *inputs, None, *outputs, workspace)
        found = self._prepared.get(key)
        if found is None:
            count = len(self.setting.dtypes)
            self.kernel.check_shapes(planned[:count], self._scalars(planned))
            call = self._call(planned)
            self._room(self._bytes(call))
            own = self._own is not None and self._bytes(call) > min(self._promises)
            begin = int(self._own) if own else workspace
            found = Prepared(device(), call, self._functions, _address(call, inputs, outputs, begin))
            _keep(self._prepared, key, found)
        found.enqueue(stream)

    def _call(self, shapes: Shapes) -> Call:
        """The plan for inputs of these shapes, with the sizes copied to where TensorRT reads them."""
        found = self._calls.get(shapes)
        if found is None:
            given, scalars = shapes[: len(self.setting.dtypes)], self._scalars(shapes)
            found = self.kernel.plan(self.setting.dtypes, given, scalars, device().facts, largest=True)
            for size in found.sizes:
                target = Buffer("output", len(found.outputs) + size.index, "int32", ())
                found.steps.append(Copy(target, Buffer("size", size.index, "int32", ())))  # its low half
            _keep(self._calls, shapes, found)
        return found

    def _scalars(self, shapes: Shapes) -> dict[str, Any]:
        """The setting's scalars, those filled in that tensors' extents give."""
        return self.setting.filled(extent for (extent,) in shapes[len(self.setting.dtypes) :])

    def _bytes(self, call: Call) -> int:
        return call.workspace_bytes + _SIZE * len(call.sizes)


def _address(call: Call, inputs: Sequence[int], outputs: Sequence[int], workspace: int) -> Callable[[Buffer], int]:
    def address(buffer: Buffer) -> int:
        root = buffer.root
        begins = {
            "input": lambda: inputs[root.index],
            "output": lambda: outputs[root.index],
            "workspace": lambda: workspace + root.offset,
            "size": lambda: workspace + call.workspace_bytes + _SIZE * root.index,
        }
        return int(begins[root.role]()) + buffer.start

    return address


def _shapes(given: Sequence[Sequence[int]]) -> Shapes:
    return tuple(tuple(int(extent) for extent in shape) for shape in given)


def _keep(kept: dict[Any, Any], key: Any, made: Any) -> None:
    if len(kept) >= _KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = made
