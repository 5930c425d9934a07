"""Runs a program or a plan: dict in, dict out, on TensorRT with a GPU or on the reference executor without."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from tf2trt_core import container
from tf2trt_core.build import Buildable, optimize_network
from tf2trt_core.dtypes import DTYPES
from tf2trt_core.edition import gpu_count
from tf2trt_core.errors import EngineError, FeedError
from tf2trt_core.feeds import DeviceArray, describe, nearest, prepare, restore
from tf2trt_core.plan import Plan
from tf2trt_core.reference.programs import Played
from tf2trt_core.runner_cuts import CutBackend
from tf2trt_core.runner_tensorrt import TensorRTBackend
from tf2trt_core.spec import TensorSpec, WatchedTensor, view

BACKENDS = ("auto", "tensorrt", "reference")


class Runnable(Buildable, Protocol):
    """What is needed of a program to run it on the reference."""

    @property
    def constants(self) -> Mapping[str, Any]:
        """Contents of layers that TensorRT does not give back, by layer name."""

    @property
    def tensors(self) -> Mapping[str, WatchedTensor]:
        """Where TensorFlow's tensors are in the network, by ``"node"`` or ``"node:1"``."""


class Backend(Protocol):
    """Something that plays a network; tensors by TensorRT's names, in the carriers' dtypes."""

    name: str

    def adopt(self, array: Any) -> DeviceArray:
        """An array on the GPU as this backend sees it. Raises ``FeedError`` when it cannot."""

    def run(
        self, feeds: Mapping[str, np.ndarray[Any, Any] | DeviceArray], watch: Sequence[str]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """All outputs, and the tensors in ``watch``."""

    def close(self) -> None:
        """Give back what is held."""


class ReferenceBackend:
    """The reference executor on the networks of a program: read once, executed many times."""

    name = "reference"

    def __init__(self, program: Runnable) -> None:
        self._played = Played(program)

    def adopt(self, array: Any) -> DeviceArray:
        """Nothing on a GPU can be fed here."""
        raise FeedError(
            f"the reference backend computes on the host and got a {type(array).__name__} on a GPU; copy it to the host"
        )

    def run(
        self, feeds: Mapping[str, np.ndarray[Any, Any] | DeviceArray], watch: Sequence[str]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """All outputs, and the tensors in ``watch``, in NumPy."""
        return self._played.run(feeds, watch=watch)

    def close(self) -> None:
        """Nothing is held."""


class Engine:
    """A program or plan, ready to run; use it in a ``with`` block. One run at a time; other threads wait.

    ``inputs``, ``outputs``: the signature, in its order. ``backend``: ``"tensorrt"`` or ``"reference"``.
    """

    def __init__(
        self,
        backend: Backend,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        tensors: Mapping[str, WatchedTensor],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.backend = backend.name
        self._tensors = tensors
        self._player: Backend | None = backend
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Any], *, watch: Sequence[str] = ()) -> dict[str, np.ndarray[Any, Any]]:
        """Compute the outputs, by signature name, in the signature's order and TensorFlow's dtypes.

        ``feeds``: an array per input, of TensorFlow's dtype; Python numbers and lists take the input's dtype. On
        TensorRT an array in GPU memory (CUDA array interface or DLPack) is used where it is.
        ``watch``: names of TensorFlow tensors inside the model (``"node"`` or ``"node:1"``) whose values are wanted
        too, with TensorFlow's axes; reference backend only. One inside a branch that was not taken is left out.

        Raises ``FeedError`` for wrong feeds, ``EngineError`` when the engine is closed, cannot watch, or fails.
        """
        with self._lock:
            if self._player is None:
                raise EngineError("the engine is closed; make another one with inference_engine(...)")
            watched = self._watched(watch)
            ready = prepare(self.inputs, feeds, self._player.adopt)
            found = self._player.run(ready, [tensor.tensor for tensor in watched.values()])
        results = {spec.name: restore(spec, found[spec.tensor]) for spec in self.outputs}
        for name, tensor in watched.items():
            if tensor.tensor in found:
                results.setdefault(name, _seen(found[tensor.tensor], tensor))
        return results

    def close(self) -> None:
        """Free the memory and handles that the engine holds; more than once does no harm."""
        with self._lock:
            if self._player is not None:
                self._player.close()
                self._player = None

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """The backend and the signature."""
        takes, gives = (", ".join(describe(spec) for spec in specs) for specs in (self.inputs, self.outputs))
        return f"<Engine on {self.backend}: ({takes}) -> ({gives})>"

    def _watched(self, names: Sequence[str]) -> dict[str, WatchedTensor]:
        if not names:
            return {}
        if isinstance(names, str):
            raise EngineError(f"watch={names!r}: expected a list of names, [{names!r}]")
        if self.backend != "reference":
            raise EngineError(
                f"watch={list(names)!r}: only the reference backend keeps values inside the network. Use "
                'inference_engine(program, backend="reference"), or convert with these tensors as outputs='
            )
        unknown = [name for name in names if name not in self._tensors]
        if unknown:
            listed = "; ".join(f"{name!r}{nearest(name, list(self._tensors))}" for name in unknown)
            raise EngineError(f"watch: no tensor of the network stands for {listed}: folded, fused away, or misspelt")
        return {name: self._tensors[name] for name in names}


def inference_engine(program_or_plan: Runnable | Plan, backend: str = "auto") -> Engine:
    """An engine for a program (from a converter) or a plan (built or loaded).

    ``backend``: ``"tensorrt"`` runs on the GPU and builds a program first; ``"reference"`` computes in NumPy, for
    programs only; ``"auto"`` is TensorRT where there is a GPU, else the reference.
    Raises ``EngineError`` when the two do not fit, ``MissingDependencyError`` when something is not installed.
    """
    if backend not in BACKENDS:
        raise EngineError(f"backend={backend!r}: expected one of {', '.join(BACKENDS)}")
    plan = program_or_plan if isinstance(program_or_plan, Plan) else None
    chosen = backend if backend != "auto" else "tensorrt" if gpu_count() else "reference"
    if plan is not None and chosen == "reference":
        why = "this machine has no GPU" if backend == "auto" else 'backend="reference" was asked for'
        raise EngineError(
            f"a plan holds kernels for a GPU and {why}: the reference backend plays networks. Pass the program that "
            "the plan was built from: inference_engine(program)"
        )
    if isinstance(program_or_plan, Plan):
        sidecar = program_or_plan.sidecar
        return Engine(_on_gpu(program_or_plan), sidecar.inputs, sidecar.outputs, {})
    program = program_or_plan
    player = _on_gpu(optimize_network(program)) if chosen == "tensorrt" else ReferenceBackend(program)
    return Engine(player, program.inputs, program.outputs, program.tensors)


def _on_gpu(plan: Plan) -> Backend:
    """What plays a plan."""
    if plan.sidecar.kernels:
        return CutBackend(container.read(plan.data, plan.kernels), plan.sidecar.inputs, plan.sidecar.outputs)
    return TensorRTBackend(plan)


def _seen(array: np.ndarray[Any, Any], watched: WatchedTensor) -> np.ndarray[Any, Any]:
    known = DTYPES.get(watched.dtype)
    seen = view(array, watched)
    return seen if known is None or known.numpy is None else seen.astype(known.numpy, copy=False)
