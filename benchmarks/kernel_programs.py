"""Programs with kernels between their networks, recorded with TensorFlow's answers; replayed on CuPy where a GPU is.

``python -m benchmarks.kernel_programs record FILE [--only "A;B"]`` needs TensorFlow and TensorRT; ``replay FILE
[--on device|host|reference] [--only "A;B"] [--binaries DIR] [--trace] [--report FILE]`` needs neither, but CuPy and
a GPU, or g++, or NumPy alone. Networks are played by the reference executor; kernels by the GPU, on the same memory.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import io
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.kernel_cases import kernels, stored
from tf2trt_core import container, manifest
from tf2trt_core.conformance import graphs
from tf2trt_core.kernels.cupy import on_device
from tf2trt_core.kernels.immediate import Execute, numpy_reference
from tf2trt_core.program import Call
from tf2trt_core.reference import Records
from tf2trt_core.reference.programs import Played, Steps
from tf2trt_core.sidecar import Sidecar
from tf2trt_core.verify import TOLERANCES, differences

#: A size that data decides: int64.
_SIZE_BYTES = 8
_ROUNDS = 20


# -- recording ---------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Recipe:
    """A tf.function, what it takes, and the arrays that it is tried with."""

    function: Any
    specs: tuple[Any, ...]
    feeds: Sequence[tuple[Any, ...]]
    shapes: Mapping[str, Any] | None = None
    precision: str = "float32"


def recipes() -> dict[str, Recipe]:
    """The models of ``tests/test_cut_models.py``, by name."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    models, drawn = importlib.import_module("test_cut_models"), importlib.import_module("helpers").drawn
    random = np.random.default_rng(6)

    def images(*shapes: tuple[int, int]) -> list[tuple[Any, ...]]:
        return [(drawn((batch, height, 16, 3), seed=number),) for number, (batch, height) in enumerate(shapes)]

    def ids(*batches: int) -> list[tuple[Any, ...]]:
        return [(random.integers(0, 50, (batch, 5)).astype(np.int32),) for batch in batches]

    open_image = {"x": [(2, 2, 4), (8, 16, 32), 16, 3]}
    bags, open_ids = (((None, 5), "int32"),), {"x": [(1, 8, 32), 5]}
    rows = [(drawn((count, 3), seed=count) + np.float32(shift),) for count, shift in ((4, 0), (8, 9), (1, -9), (7, 1))]
    return {
        "detector": Recipe(models.detector, ((2, 16, 16, 3),), images((2, 16), (2, 16))),
        "detector, open": Recipe(
            models.detector, ((None, None, 16, 3),), images((2, 8), (2, 16), (4, 32), (3, 21)), open_image
        ),
        "embedding": Recipe(models.bags, (((3, 5), "int32"),), ids(3, 3)),
        "embedding, open": Recipe(models.bags, bags, ids(1, 8, 32), open_ids),
        "embedding, float16": Recipe(models.bags, bags, ids(1, 8, 32), open_ids, "float16"),
        "embedding, bfloat16": Recipe(models.bags, bags, ids(1, 8, 32), open_ids, "bfloat16"),
        "sizes from data": Recipe(models.picked, ((None, 3),), rows, {"x": [(1, 4, 8), 3]}),
    }


def record(path: Path, wanted: Sequence[str]) -> None:
    """Convert, build every network, ask TensorFlow, and write what a replay needs."""
    import tf2trt_core as tf2trt  # noqa: PLC0415 - TensorFlow and TensorRT, where programs are recorded

    made = recipes()
    traced = importlib.import_module("helpers").traced
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, recipe in made.items():
            if wanted and name not in wanted:
                continue
            concrete = traced(recipe.function, *recipe.specs)
            program = tf2trt.from_function(concrete, shapes=recipe.shapes, precision=recipe.precision)
            assert program.is_cut, f"{name} has no kernel"
            archive.writestr(f"{name}/program", bytes(tf2trt.optimize_network(program).data))
            networks = [step for step in Steps.read(program).steps if isinstance(step, Records)]
            for number, network in enumerate(networks):
                with archive.open(f"{name}/networks/{number}", "w") as file:
                    network.save(file)
            for number, arrays in enumerate(recipe.feeds):
                with archive.open(f"{name}/feeds/{number}", "w") as file:
                    np.savez(file, allow_pickle=False, **_asked(concrete, program, arrays))
            print(f"{name}: {len(networks)} networks, {len(program.calls)} kernels, {len(recipe.feeds)} feeds")


def _asked(concrete: Any, program: Any, arrays: Sequence[Any]) -> dict[str, Any]:
    """The feeds by ``"in NUMBER"`` and TensorFlow's answers by ``"out NUMBER"``, both in the signature's order."""
    tf = importlib.import_module("tensorflow")
    answers = tf.nest.flatten(concrete(*map(tf.constant, arrays)))
    assert (len(arrays), len(answers)) == (len(program.inputs), len(program.outputs))
    given = {f"in {number}": array for number, array in enumerate(arrays)}
    return given | {f"out {number}": answer.numpy() for number, answer in enumerate(answers)}


# -- replaying ---------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Recorded:
    """A recorded program: its file as stored, that as steps, and pairs of feeds and answers, by TensorRT's names."""

    name: str
    about: Sidecar
    file: container.Container
    steps: Steps
    trials: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]

    @classmethod
    def load(cls, archive: zipfile.ZipFile, name: str) -> Recorded:
        """The plans of the stored program make room for the records of their networks."""
        data = archive.read(f"{name}/program")
        about = manifest.sidecar(data)
        file = container.read(data, kernels())
        networks = (Records.load(io.BytesIO(archive.read(entry))) for entry in _inside(archive, f"{name}/networks/"))
        steps = tuple(step if isinstance(step, Call) else next(networks) for step in file.steps)
        trials = []
        for entry in _inside(archive, f"{name}/feeds/"):
            with np.load(io.BytesIO(archive.read(entry)), allow_pickle=False) as arrays:
                fed = {spec.name: arrays[f"in {number}"] for number, spec in enumerate(about.inputs)}
                answers = {spec.tensor: arrays[f"out {number}"] for number, spec in enumerate(about.outputs)}
            trials.append((graphs.carried(about.inputs, fed), answers))
        return cls(name, about, file, Steps(steps, tuple(spec.tensor for spec in about.outputs)), trials)


def _inside(archive: zipfile.ZipFile, folder: str) -> list[str]:
    found = [name for name in archive.namelist() if name.startswith(folder)]
    return sorted(found, key=lambda name: int(name.rpartition("/")[2]))


class Host:
    """Kernels on the CPU, by their own source or by their references."""

    xp: Any = np

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    @contextlib.contextmanager
    def watched(self, recorded: Recorded) -> Iterator[tuple[Execute, list[int]]]:
        """What runs kernels, and a list of the bytes of each copy to the host that nobody asked for."""
        del recorded
        yield self._execute, []

    def plain(self, recorded: Recorded) -> contextlib.AbstractContextManager[Execute]:
        """What runs kernels, without being watched."""
        del recorded
        return contextlib.nullcontext(self._execute)

    def sync(self) -> None:
        """Wait for what was begun."""

    def fetched(self, array: Any) -> Any:
        """An array for NumPy."""
        return array

    def held(self, function: Callable[[], Any]) -> int:
        """Bytes that the pool of memory takes for a function; 0 where there is none."""
        function()
        return 0


class Device(Host):
    """Kernels and networks on a GPU's memory, which CuPy allocates."""

    def __init__(self, cupy: Any, binaries: Path | None) -> None:
        self.xp, self._binaries = cupy, binaries

    @contextlib.contextmanager
    def plain(self, recorded: Recorded) -> Iterator[Execute]:
        """Kernels of ``--binaries``, else the stored machine code."""
        from tf2trt_core.kernels.device import DeviceRunner  # noqa: PLC0415 - needs a GPU

        build = stored(self._binaries) if self._binaries else recorded.file.binary
        with DeviceRunner(build=build, poison=False) as runner:
            yield on_device(runner, self.xp)
            self.sync()

    @contextlib.contextmanager
    def watched(self, recorded: Recorded) -> Iterator[tuple[Execute, list[int]]]:
        """Kernels must get and give arrays of CuPy's and read sizes alone; the list is of what the networks read."""
        cupy = self.xp
        with reads(cupy) as seen, self.plain(recorded) as execute:
            int(cupy.arange(3)[1])
            assert seen == [_SIZE_BYTES], f"CuPy's copies to the host are not seen: {seen}"
            seen.clear()

            def checked(kernel: Any, arrays: Sequence[Any], scalars: Mapping[str, Any]) -> Sequence[Any]:
                before = len(seen)
                made = execute(kernel, arrays, scalars)
                strangers = [type(one).__name__ for one in (*arrays, *made) if not isinstance(one, cupy.ndarray)]
                assert not strangers, f"arrays that are not on the device: {strangers}"
                assert seen[before:] == [_SIZE_BYTES] * len(kernel.sizes), f"copied to the host: {seen[before:]}"
                del seen[before:]
                return made

            yield checked, seen

    def sync(self) -> None:
        """Wait for the device."""
        self.xp.cuda.Device().synchronize()

    def fetched(self, array: Any) -> Any:
        """A copy for NumPy."""
        return array.get()

    def held(self, function: Callable[[], Any]) -> int:
        """What the pool holds in the end, which gives nothing back meanwhile."""
        pool = self.xp.get_default_memory_pool()
        pool.free_all_blocks()
        function()
        self.sync()
        return int(pool.total_bytes())


@contextlib.contextmanager
def reads(cupy: Any) -> Iterator[list[int]]:
    """The bytes of each copy to the host: all go through ``ndarray.get``, also those of ``int`` and ``bool``."""
    seen: list[int] = []
    get = cupy.ndarray.get

    def counted(array: Any, *given: Any, **named: Any) -> Any:
        seen.append(int(array.nbytes))
        return get(array, *given, **named)

    with patch.object(cupy.ndarray, "get", counted):
        yield seen


def traced_copies(torch: Any, function: Callable[[], Any]) -> list[int]:
    """The bytes of each copy to the host while a function runs, as CUPTI reports them to PyTorch's profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        function()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        profile.export_chrome_trace(f"{folder}/trace.json")
        events = json.loads(Path(folder, "trace.json").read_text())["traceEvents"]
    found = [event["args"] for event in events if str(event.get("name")).startswith("Memcpy DtoH")]
    return [int(entry.get("bytes", 0)) for entry in found]


def replay(recorded: Recorded, on: Host, *, trace: bool = False) -> dict[str, Any]:
    """Play each trial twice under watch, compare, then time it."""
    wrong: list[str] = []
    row: dict[str, Any] = {"name": recorded.name, "precision": recorded.about.precision, "wrong": wrong}
    row["kernels"] = [step.kernel.name for step in recorded.steps.steps if isinstance(step, Call)]
    row["networks"] = len(recorded.steps.steps) - len(row["kernels"])
    row |= {"feeds": [], "largest": 0.0, "error": 0.0, "read": [], "ms": []}
    fed = [{name: on.xp.asarray(array) for name, array in feeds.items()} for feeds, _ in recorded.trials]
    with on.watched(recorded) as (execute, seen):
        played = Played(recorded.steps, kernels=execute)
        for number, (feeds, (_, answers)) in enumerate(zip(fed, recorded.trials, strict=True)):
            row["feeds"].append([list(array.shape) for array in feeds.values()])
            both = []
            for _ in range(2):
                seen.clear()
                found = played.run(feeds, xp=on.xp)
                row["read"].append(list(seen))
                both.append({name: on.fetched(array) for name, array in found.items()})
            for spec in recorded.about.outputs:
                mine, again = (one[spec.tensor] for one in both)
                if mine.tobytes() != again.tobytes():
                    wrong.append(f"feed {number}, {spec.name}: the second run gives other bytes")
                said, largest, error = _compared(graphs.uncarried(spec, mine), answers[spec.tensor], row["precision"])
                wrong.extend([f"feed {number}, {spec.name}: {said}"] if said else [])
                row["largest"], row["error"] = max(row["largest"], largest), max(row["error"], error)
    with on.plain(recorded) as execute:
        _measure(row, Played(recorded.steps, kernels=execute), fed, on, trace=trace)
    return row


def _compared(mine: Any, theirs: Any, precision: str) -> tuple[str, float, float]:
    """(what is wrong, largest difference, difference by norm): integers exactly, floats as ``verify`` has it."""
    if (mine.dtype, mine.shape) != (theirs.dtype, theirs.shape):
        return f"{mine.dtype}{list(mine.shape)}; TensorFlow has {theirs.dtype}{list(theirs.shape)}", 0.0, 0.0
    largest, error = differences(mine, theirs)
    allowed = TOLERANCES[precision] if theirs.dtype.kind == "f" else 0.0
    return "" if error <= allowed else f"{error:.2e} of the norm, {allowed:.0e} are allowed", largest, error


def _measure(row: dict[str, Any], played: Played, fed: Sequence[Any], on: Host, *, trace: bool) -> None:
    for feeds in fed:
        took = []
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            played.run(feeds, xp=on.xp)
            on.sync()
            took.append((time.perf_counter() - started) * 1e3)
        row["ms"].append(statistics.median(took))
    runs = [functools.partial(played.run, feeds, xp=on.xp) for feeds in fed]
    row["held"] = max(map(on.held, runs))
    if trace:
        torch = importlib.import_module("torch")
        row["traced"] = [traced_copies(torch, run) for run in runs]


# -- telling -----------------------------------------------------------------------------------
HEAD = "| program | networks | kernels | feeds | greatest difference | by norm | ms | pool, MiB | networks read |"


def line(row: Mapping[str, Any]) -> str:
    """A row of Markdown; what the networks read are values of shape tensors and conditions."""
    shapes = "; ".join(", ".join("x".join(map(str, shape)) for shape in fed) for fed in row["feeds"])
    ms = f"{min(row['ms']):.2f}-{max(row['ms']):.2f}"
    read = [size for run in row["read"] for size in run]
    told = f"{max(map(len, row['read']))} times at most {max(read)} B" if read else "0"
    return (
        f"| {row['name']} | {row['networks']} | {', '.join(row['kernels'])} | {shapes} | {row['largest']:.1e} "
        f"| {row['error']:.1e} | {ms} | {row['held'] / (1 << 20):.2f} | {told} |"
    )


def player(on: str, binaries: Path | None) -> Host:
    """Who plays."""
    if on == "device":
        return Device(importlib.import_module("cupy"), binaries)
    if on == "reference":
        return Host(numpy_reference)
    from tf2trt_core.kernels.host import HostRunner  # noqa: PLC0415 - needs g++

    return Host(HostRunner(sanitize=False).run)


def main(arguments: Sequence[str]) -> int:
    """Record, or replay and print the table; 1 if something does not match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("record", "replay"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--only", default="", help="programs, with ; between")
    parser.add_argument("--on", default="device", choices=("device", "host", "reference"))
    parser.add_argument("--binaries", type=Path)
    parser.add_argument("--trace", action="store_true", help="count copies with PyTorch's profiler, too")
    parser.add_argument("--report", type=Path)
    given = parser.parse_args(arguments)
    wanted = [name for name in given.only.split(";") if name]
    if given.what == "record":
        record(given.path, wanted)
        return 0
    on = player(given.on, given.binaries)
    rows: list[dict[str, Any]] = []
    failed = False
    print(f"{HEAD}\n|---|--:|---|---|--:|--:|--:|--:|--:|")
    with zipfile.ZipFile(given.path) as archive:
        names = dict.fromkeys(entry.partition("/")[0] for entry in archive.namelist())
        for name in (one for one in names if not wanted or one in wanted):
            try:
                row = replay(Recorded.load(archive, name), on, trace=given.trace)
            except Exception as error:  # noqa: BLE001 - one program's end must not end the others
                row = {"name": name, "wrong": [f"{type(error).__name__}: {error}"]}
            else:
                print(line(row), flush=True)
            rows.append(row)
            failed = failed or bool(row["wrong"])
            for said in row["wrong"]:
                print(f"{name}: {said}"[:1500], flush=True)
    if given.report:
        given.report.write_text(json.dumps(rows, indent=1))
    return int(failed or not rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
