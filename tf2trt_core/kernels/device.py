"""Runs kernels on a GPU: compiled code becomes a module, the steps of a call go to a stream.

``DeviceRunner.run`` takes and returns NumPy arrays, as the CPU run does; ``Prepared`` enqueues a call on memory that
is on the device already, and allocates, compiles and waits for nothing, so it can be captured in a CUDA graph.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY, from_numpy
from tf2trt_core.errors import MissingDependencyError
from tf2trt_core.kernels import compiler
from tf2trt_core.kernels.declaration import Array, Kernel
from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.host import exact_shapes
from tf2trt_core.kernels.plan import Buffer, Call, Copy, DeviceFacts, Memset, Step

#: Outputs and workspace begin with this byte, so that what a kernel does not write is seen.
_POISON = 0xCD
#: What a launch may use without asking.
_PLAIN_SHARED = 48 << 10
Address = Callable[[Buffer], int]


class Prepared:
    """A call with the functions and addresses of its steps resolved: ``enqueue`` it as often as wanted."""

    def __init__(self, runner: DeviceRunner, call: Call, functions: Mapping[str, Any], address: Address) -> None:
        self._driver = runner.driver
        self._steps = [self._resolved(step, functions, address) for step in call.steps]

    def _resolved(self, step: Step, functions: Mapping[str, Any], address: Address) -> Callable[[Any], Any]:
        driver = self._driver
        if isinstance(step, Memset):
            target, byte, size = address(step.target), step.byte, step.target.nbytes
            return lambda stream: driver.cuMemsetD8Async(target, byte, size, stream)
        if isinstance(step, Copy):
            target, source, size = address(step.target), address(step.source), step.target.nbytes
            return lambda stream: driver.cuMemcpyDtoDAsync(target, source, size, stream)
        function, shared = functions[step.entry], step.shared
        if shared > _PLAIN_SHARED:
            largest = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            checked(driver.cuFuncSetAttribute(function, largest, shared))
        values = [_argument(argument, address) for argument in step.arguments]
        pointers = np.array([value.ctypes.data for value in values], np.uint64)

        def launch(stream: Any, _alive: Any = values) -> Any:
            return driver.cuLaunchKernel(
                function, *step.grid, *step.block, shared, stream, pointers.ctypes.data if values else 0, 0
            )

        return launch

    def enqueue(self, stream: int) -> None:
        """Put the steps on a stream, given by its handle."""
        handle = self._driver.CUstream(stream)
        for step in self._steps:
            checked(step(handle))


class DeviceRunner:
    """The current device's primary context, and kernels loaded into it. Raises ``KernelError`` where CUDA fails.

    ``build``: where compiled code comes from. ``poison=False`` leaves fresh memory as it is, for initcheck.
    """

    def __init__(self, *, build: Callable[..., compiler.Binary] = compiler.build, poison: bool = True) -> None:
        try:
            self.driver: Any = importlib.import_module("cuda.bindings.driver")
        except ImportError as error:
            raise MissingDependencyError(
                f"kernels on a GPU need cuda-python, which does not import ({error}): pip install 'tf2trt[cuda]'"
            ) from error
        self._build, self._poison = build, poison
        self._modules: dict[bytes, Any] = {}
        self._functions: dict[tuple[Kernel, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
        driver = self.driver
        checked(driver.cuInit(0))
        self._device = checked(driver.cuDeviceGet(0))
        checked(driver.cuCtxSetCurrent(checked(driver.cuDevicePrimaryCtxRetain(self._device))))
        asked = driver.CUdevice_attribute
        major = self._attribute(asked.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(asked.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self.facts = DeviceFacts(
            self._attribute(asked.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            10 * major + minor,
            self._attribute(asked.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        )
        self._stream = checked(driver.cuStreamCreate(0))

    def _attribute(self, name: Any) -> int:
        return int(checked(self.driver.cuDeviceGetAttribute(name, self._device)))

    # -- code ---------------------------------------------------------------------------------
    def functions(self, kernel: Kernel, bound: Mapping[str, str]) -> dict[str, Any]:
        """The kernel's entries for a binding of its letters, loaded."""
        key = (kernel, tuple(bound.items()))
        if key not in self._functions:
            binary = self._build(kernel, bound, self.facts.capability)
            try:
                module = self._loaded(binary)
            except KernelError:
                if binary.kind != "ptx":
                    raise
                binary = compiler.build(kernel, bound, self.facts.capability)  # PTX newer than the driver
                module = self._loaded(binary)
            self._functions[key] = {
                entry: checked(self.driver.cuModuleGetFunction(module, binary.symbols[expression].encode()))
                for entry, expression in kernel.expressions(bound).items()
            }
        return self._functions[key]

    def _loaded(self, binary: compiler.Binary) -> Any:
        if binary.code not in self._modules:
            self._modules[binary.code] = checked(self.driver.cuModuleLoadData(binary.code))
        return self._modules[binary.code]

    def prepare(
        self,
        kernel: Kernel,
        dtypes: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
        scalars: Mapping[str, Any],
        address: Callable[[Call], Address],
    ) -> tuple[Call, Prepared]:
        """Plan a call for this device; ``address`` is asked once for the planned call where its buffers lie."""
        call = kernel.plan(dtypes, shapes, scalars, self.facts)
        return call, Prepared(self, call, self.functions(kernel, kernel.bind(dtypes, scalars)), address(call))

    # -- running ------------------------------------------------------------------------------
    def run(
        self, kernel: Kernel, inputs: Sequence[Array], scalars: Mapping[str, Any] | None = None, *, shift: int = 0
    ) -> list[Array]:
        """The outputs of one call, cut to their data-dependent sizes; ``shift`` as on the CPU."""
        scalars = dict(scalars or {})
        arrays = [np.asarray(array) for array in inputs]
        dtypes = [from_numpy(array.dtype) for array in arrays]
        shapes = [array.shape for array in arrays]
        held: list[Any] = []
        try:
            addresses: dict[Buffer, int] = {}

            def place(call: Call) -> Address:
                for buffer in (*call.inputs, *call.outputs, *call.sizes, *call.pieces):
                    begin = shift * CARRIER_NUMPY[buffer.dtype].itemsize if buffer.role in ("input", "output") else 0
                    held.append(checked(self.driver.cuMemAlloc(max(begin + buffer.nbytes, 1))))
                    addresses[buffer] = int(held[-1]) + begin
                    self._begin(buffer, addresses[buffer], arrays)
                return lambda buffer: addresses[buffer.root] + buffer.start

            call, prepared = self.prepare(kernel, dtypes, shapes, scalars, place)
            prepared.enqueue(int(self._stream))
            checked(self.driver.cuStreamSynchronize(self._stream))
            sizes = [int(self._back(buffer, (), addresses[buffer])) for buffer in call.sizes]
            exact = exact_shapes(kernel, shapes, scalars, sizes)
            pairs = zip(call.outputs, exact, strict=True)
            return [self._back(buffer, shape, addresses[buffer]) for buffer, shape in pairs]
        finally:
            for one in held:
                self.driver.cuMemFree(one)

    def _begin(self, buffer: Buffer, address: int, arrays: Sequence[Array]) -> None:
        if buffer.role == "input" and buffer.nbytes:
            array = np.ascontiguousarray(arrays[buffer.index])
            checked(self.driver.cuMemcpyHtoD(address, array.ctypes.data, array.nbytes))
        elif self._poison and buffer.nbytes:
            checked(self.driver.cuMemsetD8(address, _POISON, buffer.nbytes))

    def _back(self, buffer: Buffer, shape: tuple[int, ...], address: int) -> Array:
        made = np.empty(shape, CARRIER_NUMPY[buffer.dtype])
        if made.nbytes:
            checked(self.driver.cuMemcpyDtoH(made.ctypes.data, address, made.nbytes))
        return made

    def close(self) -> None:
        """Unload the modules and let go of the context."""
        for module in self._modules.values():
            self.driver.cuModuleUnload(module)
        self._modules.clear()
        self._functions.clear()
        self.driver.cuStreamDestroy(self._stream)
        self.driver.cuDevicePrimaryCtxRelease(self._device)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _argument(given: Any, address: Address) -> Array:
    """The bytes of an argument, at an address that CUDA reads them from."""
    if given is None or isinstance(given, Buffer):
        return np.array(0 if given is None else address(given), np.uint64)
    return np.array(given)


def checked(result: tuple[Any, ...]) -> Any:
    """What a call of the driver returns beside its status. Raises ``KernelError``."""
    status, *rest = result
    if int(status) != 0:
        raise KernelError(f"CUDA says {getattr(status, 'name', status)}")
    return rest[0] if rest else None
