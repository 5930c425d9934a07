"""Runs a plan on a GPU: TensorRT's execution context, device buffers and one stream, through cuda-python."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY, trt_dtype
from tf2trt_core.edition import edition, gpu_count
from tf2trt_core.errors import EngineError, FeedError, MissingDependencyError, PlanError
from tf2trt_core.feeds import DeviceArray
from tf2trt_core.kernels.plugins.loading import require
from tf2trt_core.plan import Plan
from tf2trt_core.tensorrt_log import log, logger

Shape = tuple[int, ...]


@contextmanager
def _checked(what: str) -> Iterator[None]:
    """CUDA's exceptions (it has several kinds) as ours."""
    try:
        yield
    except Exception as error:
        raise EngineError(f"{what} failed: {error}") from error


class Cuda:
    """The part of cuda-python that a run needs: one device, one stream, buffers and copies; each call is checked."""

    def __init__(self) -> None:
        if gpu_count() == 0:
            raise MissingDependencyError(
                "no GPU: the CUDA driver is not installed or sees no device. Pass the program instead of the plan and "
                'use inference_engine(program, backend="reference")'
            )
        try:
            core: Any = importlib.import_module("cuda.core")
            self._views: Any = importlib.import_module("cuda.core.utils")
            self.driver: Any = importlib.import_module("cuda.bindings.driver")
        except ImportError as error:
            raise MissingDependencyError(
                f"running on the GPU needs cuda-python, which does not import ({error}): pip install 'tf2trt[cuda]'"
            ) from error
        with _checked("starting CUDA"):
            self.device = core.Device()
            self.device.set_current()
            self.stream = self.device.create_stream()
            self._pinned = core.LegacyPinnedMemoryResource()

    @property
    def handle(self) -> int:
        """The stream as TensorRT takes it."""
        return int(self.stream.handle)

    def attach(self) -> None:
        """Make the device current in the calling thread."""
        self.device.set_current()

    def on_device(self, size: int) -> Any:
        """A buffer on the GPU of at least one byte (TensorRT takes no null address)."""
        with _checked(f"allocating {size:,} bytes on the GPU"):
            return self.device.allocate(max(size, 1), stream=self.stream)

    def on_host(self, size: int) -> Any:
        """A page-locked buffer on the host of at least one byte."""
        with _checked(f"allocating {size:,} page-locked bytes"):
            return self._pinned.allocate(max(size, 1))

    def copy(self, target: int, source: int, size: int) -> None:
        """Begin copying ``size`` bytes between two addresses, in the stream's order."""
        if size:
            (status,) = self.driver.cuMemcpyAsync(target, source, size, self.stream.handle)
            if status != self.driver.CUresult.CUDA_SUCCESS:
                raise EngineError(f"copying {size:,} bytes between host and GPU failed: {status.name}")

    def sync(self) -> None:
        """Wait until the stream has done all it was given."""
        with _checked("waiting for the GPU"):
            self.stream.sync()

    def adopt(self, array: Any) -> DeviceArray:
        """The memory of an array on the GPU, ordered behind what its owner still does there."""
        try:
            seen = self._views.StridedMemoryView.from_any_interface(array, stream_ptr=self.handle)
        except (BufferError, TypeError, ValueError, RuntimeError) as error:
            raise FeedError(f"a {type(array).__name__} on the GPU cannot be used: {error}") from error
        shape = tuple(seen.shape)
        if seen.device_id not in (-1, self.device.device_id):
            raise FeedError(
                f"a {type(array).__name__} is on GPU {seen.device_id}, the engine on GPU {self.device.device_id}"
            )
        whole = seen.strides is None or tuple(seen.strides) == _strides(shape) or 0 in shape
        return DeviceArray(int(seen.ptr), np.dtype(seen.dtype), shape, whole, (array, seen))

    def close(self) -> None:
        """Free the stream."""
        self.stream.close()


class Memory:
    """Buffers by tensor, kept between runs and replaced only by larger ones."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._device: dict[str, Any] = {}
        self._host: dict[str, Any] = {}

    def device(self, name: str, size: int) -> int:
        """The address of at least ``size`` bytes on the GPU."""
        held = self._device.get(name)
        if held is None or held.size < size:
            if held is not None:
                held.close(self._cuda.stream)
                del self._device[name]
            held = self._device[name] = self._cuda.on_device(size)
        return int(held.handle)

    def host(self, name: str, dtype: np.dtype[Any], shape: Shape) -> np.ndarray[Any, Any]:
        """A page-locked array, valid until the next call for this tensor."""
        count = int(np.prod(shape, dtype=np.int64))
        size = count * dtype.itemsize
        held = self._host.get(name)
        if held is None or held.size < size:
            if held is not None:
                held.close()
                del self._host[name]
            held = self._host[name] = self._cuda.on_host(size)
        raw = memoryview((ctypes.c_uint8 * size).from_address(int(held.handle)))
        array: np.ndarray[Any, Any] = np.frombuffer(raw, dtype=dtype, count=count)
        return array.reshape(shape)

    def close(self) -> None:
        """Free all of it."""
        for held in self._device.values():
            held.close(self._cuda.stream)
        self._cuda.sync()
        for held in self._host.values():
            held.close()
        self._device.clear()
        self._host.clear()


def output_allocator(memory: Memory) -> Any:
    """An ``IOutputAllocator`` for outputs whose size only the run knows; ``shapes`` and ``errors`` tell afterwards."""
    trt = edition().trt

    class Allocator(trt.IOutputAllocator):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.shapes: dict[str, Shape] = {}
            self.addresses: dict[str, int] = {}
            self.errors: list[Exception] = []

        def reallocate_output_async(
            self, tensor_name: str, memory_: int, size: int, alignment: int, stream: int
        ) -> int:
            del memory_, alignment, stream  # CUDA's allocations are aligned more than TensorRT asks
            try:
                self.addresses[tensor_name] = memory.device(tensor_name, size)
            except Exception as error:  # noqa: BLE001 - TensorRT would swallow it; it is raised after the run
                self.errors.append(error)
                return 0
            return self.addresses[tensor_name]

        def reallocate_output(self, tensor_name: str, memory_: int, size: int, alignment: int) -> int:
            return self.reallocate_output_async(tensor_name, memory_, size, alignment, 0)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            self.shapes[tensor_name] = tuple(shape)

    return Allocator()


class TensorRTBackend:
    """A deserialised engine with one execution context.

    ``cuda``: the stream to work on, which the caller closes; by default one of its own.
    """

    name = "tensorrt"

    def __init__(self, plan: Plan, cuda: Cuda | None = None) -> None:
        self._trt = edition().trt
        self._borrowed = cuda is not None
        self._cuda = Cuda() if cuda is None else cuda
        self._memory = Memory(self._cuda)
        self._allocator = output_allocator(self._memory)
        try:
            self._load(plan)
        except BaseException:
            self.close()
            raise

    def _load(self, plan: Plan) -> None:
        here, mark = edition(), log.mark()
        self._check_target(plan)
        require(here, plan.sidecar.plugins, plan.kernels)
        self._runtime = self._trt.Runtime(logger())
        self._engine = self._runtime.deserialize_cuda_engine(plan.data)
        if self._engine is None:
            raise PlanError(
                f"{here.name} {here.version} does not load this plan (made by {plan.sidecar.edition} "
                f"{plan.sidecar.tensorrt}): {_said(mark)}. Rebuild it here with optimize_network; on a GPU that this "
                'TensorRT does not support, use inference_engine(program, backend="reference")'
            )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"TensorRT made no execution context: {_said(mark)}. Is the GPU's memory full?")
        self._inputs, self._outputs = self._tensors()
        self._check_names(plan)

    def adopt(self, array: Any) -> DeviceArray:
        """An array on the GPU, used where it is."""
        self._cuda.attach()
        return self._cuda.adopt(array)

    def run(
        self, feeds: Mapping[str, np.ndarray[Any, Any] | DeviceArray], watch: Sequence[str] = ()
    ) -> dict[str, np.ndarray[Any, Any]]:
        """All outputs, as new arrays on the host."""
        if watch:
            raise EngineError("the TensorRT backend keeps no values inside the network; use the reference backend")
        self._cuda.attach()
        try:
            shapes = self._bind(feeds)
            self.execute()
            results = {name: self._fetch(name, shape) for name, shape in shapes.items()}
        finally:
            self._cuda.sync()  # nobody may touch the buffers while a copy is under way
        return {name: np.array(array) for name, array in results.items()}

    def bind(self, feeds: Mapping[str, DeviceArray]) -> dict[str, DeviceArray]:
        """Give the context its inputs, on the GPU, and memory for its outputs; ``execute`` then fills that."""
        made = {}
        for name, shape in self._bind(feeds).items():
            if shape is None:
                raise EngineError(f"the size of {name!r} is known when the engine has run, and something follows")
            dtype = self._outputs[name]
            if self._on_host(name):  # page-locked, so that the GPU reads it there
                address = self._memory.host(name, dtype, shape).ctypes.data
            else:
                address = self._memory.device(name, 0)
            made[name] = DeviceArray(address, dtype, shape, contiguous=True, owner=self)
        return made

    def execute(self) -> None:
        """Put the engine's work on the stream."""
        mark = log.mark()
        self._allocator.errors.clear()
        done = self._context.execute_async_v3(self._cuda.handle)
        if self._allocator.errors:
            raise EngineError(f"an output could not be allocated: {self._allocator.errors[0]}")
        if not done:
            raise EngineError(f"TensorRT did not run the engine: {_said(mark)}")

    def _bind(self, feeds: Mapping[str, np.ndarray[Any, Any] | DeviceArray]) -> dict[str, Shape | None]:
        mark = log.mark()
        self._choose_profile({name: tuple(feeds[name].shape) for name in self._inputs}, mark)
        for name in self._inputs:
            self._feed(name, feeds[name], mark)
        missing = self._context.infer_shapes()
        if missing:
            raise EngineError(f"TensorRT still needs shapes or values of {list(missing)}: {_said(mark)}")
        return {name: self._place(name, mark) for name in self._outputs}

    def close(self) -> None:
        """Free buffers, context, engine and stream, in this order."""
        self._cuda.attach()
        self._cuda.sync()
        self._memory.close()
        self._allocator = self._context = self._engine = self._runtime = None
        if not self._borrowed:
            self._cuda.close()

    def _check_target(self, plan: Plan) -> None:
        """Refuse before deserialising what was built for other GPUs only."""
        built = plan.sidecar.compute_capabilities
        capability = self._cuda.device.compute_capability
        here = f"{capability.major}.{capability.minor}"
        if built and here not in built:
            raise PlanError(
                f"the plan was built for compute capability {', '.join(built)} and this GPU "
                f'({self._cuda.device.name}) is {here}. Rebuild it with compute_capabilities=["{here}"]'
            )

    def _tensors(self) -> tuple[dict[str, np.dtype[Any]], dict[str, np.dtype[Any]]]:
        carriers = {trt_dtype(self._trt, carrier): dtype for carrier, dtype in CARRIER_NUMPY.items()}
        inputs: dict[str, np.dtype[Any]] = {}
        outputs: dict[str, np.dtype[Any]] = {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            dtype = carriers[self._engine.get_tensor_dtype(name)]
            mode = self._engine.get_tensor_mode(name)
            (inputs if mode == self._trt.TensorIOMode.INPUT else outputs)[name] = dtype
        return inputs, outputs

    def _check_names(self, plan: Plan) -> None:
        for found, specs in ((self._inputs, plan.sidecar.inputs), (self._outputs, plan.sidecar.outputs)):
            said = {spec.tensor: CARRIER_NUMPY[spec.carrier] for spec in specs}
            if found != said:
                raise PlanError(
                    f"the engine has the tensors {_listed(found)}, the sidecar says {_listed(said)}: they are of "
                    "different builds. Build and store the plan again"
                )

    def _on_host(self, name: str) -> bool:
        """Whether TensorRT reads or writes this tensor in host memory (shapes and sizes)."""
        return bool(self._engine.get_tensor_location(name) == self._trt.TensorLocation.HOST)

    def _choose_profile(self, shapes: Mapping[str, Shape], mark: int) -> None:
        count = self._engine.num_optimization_profiles
        fitting = [index for index in range(count) if self._fits(index, shapes)]
        if not fitting:
            raise FeedError(f"none of the plan's {count} profiles takes the shapes {dict(shapes)}; build one that does")
        if fitting[0] != self._context.active_optimization_profile and not (
            self._context.set_optimization_profile_async(fitting[0], self._cuda.handle)
        ):
            raise EngineError(f"TensorRT did not take profile {fitting[0]}: {_said(mark)}")

    def _fits(self, profile: int, shapes: Mapping[str, Shape]) -> bool:
        for name, shape in shapes.items():
            low, _, high = (tuple(bound) for bound in self._engine.get_tensor_profile_shape(name, profile))
            if not all(a <= extent <= b for a, extent, b in zip(low, shape, high, strict=True)):
                return False
        return True

    def _feed(self, name: str, value: np.ndarray[Any, Any] | DeviceArray, mark: int) -> None:
        shape = tuple(value.shape)
        if not self._context.set_input_shape(name, shape):
            raise FeedError(f"TensorRT does not take the shape {shape} for input {name!r}: {_said(mark)}")
        if isinstance(value, DeviceArray):
            self._address(name, value.address, mark)
            return
        staged = self._memory.host(f"{name} (input)", self._inputs[name], shape)
        staged[...] = value
        if self._on_host(name):
            self._address(name, staged.ctypes.data, mark)
            return
        address = self._memory.device(name, staged.nbytes)
        self._cuda.copy(address, staged.ctypes.data, staged.nbytes)
        self._address(name, address, mark)

    def _place(self, name: str, mark: int) -> Shape | None:
        """Give an output memory; its shape, or None when only the run knows it."""
        shape = tuple(self._context.get_tensor_shape(name))
        if -1 in shape:
            if not self._context.set_output_allocator(name, self._allocator):
                raise EngineError(f"TensorRT did not take an allocator for output {name!r}: {_said(mark)}")
            return None
        dtype = self._outputs[name]
        if self._on_host(name):
            self._address(name, self._memory.host(name, dtype, shape).ctypes.data, mark)
        else:
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            self._address(name, self._memory.device(name, size), mark)
        return shape

    def _address(self, name: str, address: int, mark: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise EngineError(f"TensorRT did not take the address of {name!r}: {_said(mark)}")

    def _fetch(self, name: str, shape: Shape | None) -> np.ndarray[Any, Any]:
        """Begin copying an output into page-locked memory."""
        dtype = self._outputs[name]
        if shape is not None and self._on_host(name):
            return self._memory.host(name, dtype, shape)
        if shape is None:
            shape, address = self._allocator.shapes[name], self._allocator.addresses.get(name, 0)
        else:
            address = self._memory.device(name, 0)
        array = self._memory.host(name, dtype, shape)
        self._cuda.copy(array.ctypes.data, address, array.nbytes)
        return array


def _strides(shape: Shape) -> Shape:
    """The strides, in elements, of a C-contiguous array."""
    return tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))


def _listed(tensors: Mapping[str, np.dtype[Any]]) -> str:
    return "{" + ", ".join(f"{name}: {dtype.name}" for name, dtype in sorted(tensors.items())) + "}"


def _said(mark: int) -> str:
    return "; ".join(log.since(mark)) or "it logged no reason"
