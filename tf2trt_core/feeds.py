"""Checks what is fed against a signature and brings it to the network's dtypes, and results back from them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from tf2trt_core.dtypes import CARRIER_NUMPY, DTYPES
from tf2trt_core.errors import EngineError, FeedError
from tf2trt_core.spec import Range, TensorSpec

#: DLPack's device types of memory that CUDA addresses: CUDA, CUDA managed.
_CUDA_DEVICES = (2, 13)


class DeviceArray(NamedTuple):
    """An array in GPU memory: its address, what it holds, and the object that keeps it alive."""

    address: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    contiguous: bool
    owner: object


class Adopt(Protocol):
    """How a backend looks at an array that is on the GPU."""

    def __call__(self, array: Any) -> DeviceArray:
        """The array's memory as it is. Raises ``FeedError`` when the backend cannot use it."""


def is_on_device(array: Any) -> bool:
    """Whether an object is an array in GPU memory (CUDA array interface, or DLPack on a CUDA device)."""
    if isinstance(array, np.ndarray):
        return False
    if hasattr(array, "__cuda_array_interface__"):
        return True
    return hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] in _CUDA_DEVICES


def prepare(
    specs: Sequence[TensorSpec], feeds: Mapping[str, Any], adopt: Adopt
) -> dict[str, np.ndarray[Any, Any] | DeviceArray]:
    """The arrays by TensorRT's tensor name, in the carriers' dtypes, C-contiguous.

    Raises ``FeedError`` with everything that is wrong, and what is expected, at once.
    """
    if not isinstance(feeds, Mapping):
        raise FeedError(f"feeds are a dict by input name, not {type(feeds).__name__}: {_expected(specs)}")
    problems = _wrong_names([spec.name for spec in specs], feeds)
    ready: dict[str, np.ndarray[Any, Any] | DeviceArray] = {}
    for spec in specs:
        if spec.name in feeds:
            try:
                ready[spec.tensor] = _one(spec, feeds[spec.name], adopt)
            except FeedError as error:
                problems.append(str(error))
    if problems:
        raise FeedError("".join(f"{problem}\n  " for problem in problems) + f"the engine takes {_expected(specs)}")
    return ready


def restore(spec: TensorSpec, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A result in TensorFlow's dtype."""
    return array.astype(numpy_dtype(spec), copy=False)


def numpy_dtype(spec: TensorSpec) -> np.dtype[Any]:
    """The NumPy dtype of what TensorFlow has there. Raises ``EngineError`` for dtypes that are no numbers."""
    known = DTYPES.get(spec.dtype)
    if known is None or known.numpy is None:
        raise EngineError(f"{spec.name!r} is {spec.dtype}, which cannot be fed or fetched; cut the model behind it")
    return known.numpy


def describe(spec: TensorSpec) -> str:
    """``image: float32[1..32, 224, 224, 3]``; an open dimension with no range is ``?``."""
    return f"{spec.name}: {spec.dtype}{extents(spec.shape, spec.ranges)}"


def extents(shape: Sequence[int], ranges: Sequence[Range | None]) -> str:
    """``[1..32, 224, 224, 3]``."""
    pairs = zip(shape, ranges, strict=True)
    return f"[{', '.join(str(one) if one >= 0 else f'{has[0]}..{has[2]}' if has else '?' for one, has in pairs)}]"


def nearest(name: str, known: Sequence[str]) -> str:
    """A piece of a message: the known names that look like this one."""
    close = difflib.get_close_matches(name, known, n=3)
    return f" (nearest: {', '.join(map(repr, close))})" if close else ""


def _expected(specs: Sequence[TensorSpec]) -> str:
    return "{" + ", ".join(describe(spec) for spec in specs) + "}"


def _wrong_names(names: Sequence[str], feeds: Mapping[str, Any]) -> list[str]:
    problems = [f"{name!r} is not an input{nearest(str(name), names)}" for name in feeds if name not in names]
    problems += [f"input {name!r} is not fed" for name in names if name not in feeds]
    return problems


def _one(spec: TensorSpec, value: Any, adopt: Adopt) -> np.ndarray[Any, Any] | DeviceArray:
    wanted, carrier = numpy_dtype(spec), CARRIER_NUMPY[spec.carrier]
    if is_on_device(value):
        array = adopt(value)
        _check_shape(spec, array.shape)
        if array.dtype != carrier:
            raise FeedError(
                f"input {spec.name!r}: an array on the GPU is used as it is, so it must be {carrier.name} "
                f"(the engine's own dtype there), not {array.dtype.name}; convert it, or feed a host array"
            )
        if not array.contiguous:
            raise FeedError(f"input {spec.name!r}: an array on the GPU must be C-contiguous; make a contiguous copy")
        return array
    host = _host(spec, value, wanted)
    _check_shape(spec, host.shape)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, as TensorFlow's cast makes it
        return np.asarray(host, dtype=carrier, order="C")


def _host(spec: TensorSpec, value: Any, wanted: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype != wanted:
            raise FeedError(
                f"input {spec.name!r}: expected {wanted.name}, got {array.dtype}; "
                f"feed array.astype({wanted.name!r}) if that is what you mean"
            )
        return array
    try:  # Python numbers and lists have no dtype of their own
        array = np.asarray(value)
        if array.size and _rung(array.dtype) > _rung(wanted):
            raise FeedError(f"input {spec.name!r}: expected {wanted.name}, got Python values of {array.dtype}")
        return np.asarray(value, dtype=wanted)
    except (ValueError, TypeError, OverflowError) as error:
        raise FeedError(f"input {spec.name!r}: {type(value).__name__} does not become {wanted.name}: {error}") from None


def _rung(dtype: np.dtype[Any]) -> int:
    """Python values go up this ladder, never down: bool, integer, float, complex, the rest."""
    if dtype.kind in "biufc":
        return {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}[dtype.kind]
    return 2 if dtype.name.startswith(("bfloat", "float")) else 4


def _check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    if len(shape) != len(spec.shape):
        raise FeedError(f"input {spec.name!r}: expected rank {len(spec.shape)}, got shape {list(shape)}")
    for axis, (found, extent, bound) in enumerate(zip(shape, spec.shape, spec.ranges, strict=True)):
        if extent >= 0 and found != extent:
            raise FeedError(f"input {spec.name!r}: axis {axis} is {extent}, got {found} (shape {list(shape)})")
        if extent < 0 and bound and not bound[0] <= found <= bound[2]:
            raise FeedError(
                f"input {spec.name!r}: axis {axis} goes from {bound[0]} to {bound[2]}, got {found} "
                f"(shape {list(shape)}); convert with a wider range in shapes= and build again"
            )
