"""DeviceRunner against a fake driver, in which host memory plays the device's and launches are Python functions."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tf2trt_core.kernels import Call, DeviceFacts, Kernel, KernelError, KernelFaultError, compiler, extents
from tf2trt_core.kernels.compiler import Binary
from tf2trt_core.kernels.device import DeviceRunner


class Driver:
    """The calls that ``DeviceRunner`` makes; ``live`` holds memory by address, ``code`` what launches do by symbol."""

    def __init__(self) -> None:
        self.live: dict[int, Any] = {}
        self.code: dict[str, Callable[..., int]] = {}
        self.loaded: list[bytes] = []
        self.shared: dict[str, int] = {}
        names = ("CAPABILITY_MAJOR", "CAPABILITY_MINOR", "PROCESSORS", "SHARED")
        keys = ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT",
                "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")  # fmt: skip
        self.CUdevice_attribute = SimpleNamespace(
            **{f"CU_DEVICE_ATTRIBUTE_{key}": name for key, name in zip(keys, names, strict=True)}
        )
        largest = "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES"
        self.CUfunction_attribute = SimpleNamespace(**{largest: largest})
        self.facts = dict(zip(names, (9, 0, 132, 232448), strict=True))

    def __getattr__(self, name: str) -> Callable[..., tuple[int, ...]]:
        if name in ("cuInit", "cuCtxSetCurrent", "cuStreamDestroy", "cuStreamSynchronize", "cuModuleUnload",
                    "cuDevicePrimaryCtxRelease"):  # fmt: skip
            return lambda *_: (0,)
        if name in ("cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuStreamCreate"):
            return lambda *_: (0, 7)
        raise AttributeError(name)

    def cuDeviceGetAttribute(self, name: str, device: int) -> tuple[int, int]:  # noqa: N802 - CUDA's name
        return 0, self.facts[name]

    def CUstream(self, handle: int) -> int:  # noqa: N802
        return handle

    def cuModuleLoadData(self, code: bytes) -> tuple[int, int]:  # noqa: N802
        self.loaded.append(code)
        return 0, len(self.loaded)

    def cuModuleGetFunction(self, module: int, name: bytes) -> tuple[int, str]:  # noqa: N802
        return (0, name.decode()) if name.decode() in self.code else (500, "")

    def cuFuncSetAttribute(self, function: str, name: str, value: int) -> tuple[int]:  # noqa: N802
        self.shared[function] = value
        return (0,)

    def cuMemAlloc(self, size: int) -> tuple[int, int]:  # noqa: N802
        memory = ctypes.create_string_buffer(size)
        self.live[ctypes.addressof(memory)] = memory
        return 0, ctypes.addressof(memory)

    def cuMemFree(self, address: int) -> tuple[int]:  # noqa: N802
        del self.live[address]
        return (0,)

    def cuMemsetD8(self, address: int, byte: int, size: int) -> tuple[int]:  # noqa: N802
        ctypes.memset(address, byte, size)
        return (0,)

    def cuMemcpyHtoD(self, target: int, source: int, size: int) -> tuple[int]:  # noqa: N802
        ctypes.memmove(target, source, size)
        return (0,)

    cuMemcpyDtoH = cuMemcpyHtoD  # noqa: N815

    def cuMemsetD8Async(self, address: int, byte: int, size: int, stream: int) -> tuple[int]:  # noqa: N802
        return self.cuMemsetD8(address, byte, size)

    def cuMemcpyDtoDAsync(self, target: int, source: int, size: int, stream: int) -> tuple[int]:  # noqa: N802
        return self.cuMemcpyHtoD(target, source, size)

    def cuLaunchKernel(self, function: str, *given: Any) -> tuple[int]:  # noqa: N802
        *_, parameters, _ = given
        pointers = ctypes.cast(parameters, ctypes.POINTER(ctypes.c_void_p))
        return (self.code[function](pointers),)


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    with patch.dict(sys.modules, {"cuda.bindings.driver": made}):
        yield made


def _launches(call: Call) -> None:
    (x,), (y, z), (found,) = call.inputs, call.outputs, call.sizes
    scratch = call.workspace("int32", 2, 4)
    call.memset(scratch, 1)
    call.copy(y, x)
    call.launch("work", 1, 32, x, scratch.part(1), z, found, None, call.number("by"), extents((2, 3)), shared=64 << 10)


KERNEL = Kernel(
    "work(x: int32, by: int) -> y: int32, z: int32",
    Path("work.cu"),
    {},
    {"work": "work"},
    shape=lambda x, found: [x, (found,)],
    launches=_launches,
    sizes={"found": lambda x: x[0]},
)


def _build(kernel: Kernel, bound: Any, capability: int) -> Binary:
    assert capability == 90
    return Binary("cubin", capability, {"work": "_Z4work"}, b"code")


def _work(pointers: Any, *, found: int = 2, status: int = 0) -> int:
    """The kernel: z[0] = x[0] + scratch[1][0] + by + extents[1]; z[1] is left as it was."""
    x, scratch, z, size, nothing, by = (ctypes.cast(pointers[i], ctypes.POINTER(ctypes.c_int64))[0] for i in range(6))
    dims = ctypes.cast(pointers[6], ctypes.POINTER(ctypes.c_int64))
    assert nothing == 0
    number = ctypes.c_int32.from_address
    number(z).value = number(x).value + number(scratch).value + by + dims[1]
    ctypes.c_int64.from_address(size).value = found
    return status


def test_run(driver: Driver) -> None:
    driver.code["_Z4work"] = _work
    with DeviceRunner(build=_build) as runner:
        assert runner.facts == DeviceFacts(132, 90, 232448)
        for shift in (0, 1):
            y, z = runner.run(KERNEL, [np.array([5, 6, 7], np.int32)], {"by": 10}, shift=shift)
            assert y.tolist() == [5, 6, 7]
            assert z.tolist() == [5 + 0x01010101 + 10 + 3, np.int32(np.uint32(0xCDCDCDCD).astype(np.int32))]
    assert driver.loaded == [b"code"]
    assert driver.shared == {"_Z4work": 64 << 10}
    assert not driver.live


def test_ptx_newer_than_the_driver_is_compiled_here(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.code["_Z4work"], load = _work, driver.cuModuleLoadData
    monkeypatch.setattr(driver, "cuModuleLoadData", lambda code: (222, 0) if b".version" in code else load(code), False)
    monkeypatch.setattr(compiler, "build", _build)

    def build(kernel: Kernel, bound: Any, capability: int) -> Binary:
        return Binary(kind, 75, {"work": "_Z4work"}, b".version 99")

    kind = "ptx"
    with DeviceRunner(build=build) as runner:
        assert runner.run(KERNEL, [np.array([5, 6, 7], np.int32)], {"by": 10})[0].tolist() == [5, 6, 7]
    assert driver.loaded == [b"code"]
    kind = "cubin"
    with pytest.raises(KernelError, match="CUDA says 222"), DeviceRunner(build=build) as runner:
        runner.run(KERNEL, [np.array([5, 6, 7], np.int32)], {"by": 10})


def test_errors(driver: Driver) -> None:
    runner = DeviceRunner(build=_build)
    given = [np.array([1], np.int32)]
    with pytest.raises(KernelError, match="CUDA says 500"):
        runner.run(KERNEL, given, {"by": 1})
    driver.code["_Z4work"] = lambda pointers: _work(pointers, status=700)
    with pytest.raises(KernelError, match="CUDA says 700"):
        runner.run(KERNEL, given, {"by": 1})
    driver.code["_Z4work"] = lambda pointers: _work(pointers, found=5)
    with pytest.raises(KernelFaultError, match="size 'found' is 5; the bound is 1"):
        runner.run(KERNEL, given, {"by": 1})
    assert not driver.live
