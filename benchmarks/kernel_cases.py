"""Conformance cases of the kernel ops with TensorFlow's answers in one file, and their replay where there is a GPU.

``python -m benchmarks.kernel_cases record FILE [--cases 200] [--ops A,B]`` needs TensorFlow; ``replay FILE
[--on host|device] [--limit N] [--ops A,B] [--jobs N] [--binaries DIR] [--report FILE]`` needs NumPy and a GPU, or g++.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import importlib
import json
import multiprocessing
import pkgutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tf2trt_plugins_cuda
from tf2trt_core.conformance import portable, tolerance
from tf2trt_core.conformance.cases import Case, Trial
from tf2trt_core.errors import LimitError, Tf2TrtError
from tf2trt_core.kernels import Kernel, compiler
from tf2trt_core.kernels.immediate import Execute, play
from tf2trt_core.op import Family, Op

_SHOWN = 3


def modules() -> list[Any]:
    """The modules that declare kernels."""
    names = [found.name for found in pkgutil.iter_modules(tf2trt_plugins_cuda.__path__)]
    found = [importlib.import_module(f"tf2trt_plugins_cuda.{name}") for name in names if not name.startswith("_")]
    return [module for module in found if hasattr(module, "KERNELS")]


def kernels() -> list[Kernel]:
    """Every kernel."""
    listed = [module.KERNELS for module in modules()]
    return [one for found in listed for one in (found.values() if isinstance(found, dict) else found)]


def ops() -> dict[str, Op]:
    """The ops that have kernels, by name."""
    families = [family for module in modules() for family in vars(module).values() if isinstance(family, Family)]
    return {op.name: op for family in families for op in family}


@dataclasses.dataclass(frozen=True)
class Run:
    """How a file is replayed: ``on`` the host or the device, ``limit`` cases of an entry (0: all)."""

    path: Path
    on: str
    binaries: Path | None = None
    limit: int = 0
    poison: bool = True


# -- recording ---------------------------------------------------------------------------------
def record(path: Path, cases: int, wanted: Sequence[str]) -> None:
    """Draw cases of each op and dtype, and write them with TensorFlow's answers."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        there = set(archive.namelist())
        for name, op in sorted(ops().items()):
            if wanted and name not in wanted:
                continue
            for dtype, lines in _recorded(op, cases, there):
                archive.writestr(f"{name}/{dtype}", "\n".join(lines))
                print(f"{name} {dtype}: {len(lines)}", flush=True)


def _recorded(op: Op, cases: int, there: set[str]) -> Iterator[tuple[str, list[str]]]:
    from tf2trt_core.conformance.judge import Judge  # noqa: PLC0415 - TensorFlow, where cases are recorded
    from tf2trt_core.conformance.trials import target  # noqa: PLC0415
    from tf2trt_core.registry import Registry  # noqa: PLC0415

    registry = Registry()
    registry.register(op)
    judge = Judge(registry)
    aim = target(op, registry, judge.kernels(op.name))
    attr = max(aim.dtypes, key=lambda name: len(set(aim.dtypes[name])), default="")
    for dtype in dict.fromkeys(aim.dtypes.get(attr, ("any",))):
        if f"{op.name}/{dtype}" in there:
            continue
        chosen = {**aim.dtypes, attr: (dtype,)} if attr else aim.dtypes
        lines: dict[str, None] = {}
        for case in _drawn(dataclasses.replace(aim, dtypes=chosen), 2 * cases):
            expected = judge.answer(Trial(case)) if len(lines) < cases else None
            if expected is not None and _settled(Trial(case), op.schema, expected):
                expected.tolerances = [_coarse(limit) for limit in expected.tolerances]
                lines[portable.dumps(Trial(case), expected)] = None
        yield dtype, list(lines)


def _drawn(aim: Any, count: int) -> list[Case]:
    from tf2trt_core.conformance.drawing import for_each  # noqa: PLC0415 - hypothesis, where cases are drawn
    from tf2trt_core.conformance.trials import trials  # noqa: PLC0415

    found: list[Case] = []
    for_each(trials(aim), lambda trial: found.append(trial.case), count, 0)
    return found


def _settled(trial: Trial, opdef: Any, expected: portable.Expected) -> bool:
    """Whether TensorFlow's answer is the only right one: not where it takes denormal numbers as zeros, say."""
    from tf2trt_core.conformance import answers  # noqa: PLC0415 - TensorFlow, where cases are recorded

    for other in answers.others(trial.case, opdef, expected.outputs):
        for found, want, limit in zip(other, expected.outputs, expected.tolerances, strict=True):
            if (tolerance.exactly(found, want) if limit is None else tolerance.within(found, want, limit))[1]:
                return False
    return True


def _coarse(limit: Any) -> Any:
    """A tolerance a little smaller, of few digits, which take less room."""
    if limit is None:
        return None
    return (limit.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


# -- replaying ---------------------------------------------------------------------------------


def verdict(op: Op, line: str, execute: Execute) -> str:
    """What is wrong with a recorded case: nothing where it comes out as recorded, "refused" where a limit applies."""
    trial, expected = portable.loads(line)
    expected = expected or portable.Expected()
    try:
        ours = play(op, trial.case.inputs, trial.case.attributes, execute)
    except LimitError:
        return "refused"
    except Tf2TrtError as error:
        return f"{type(error).__name__}: {error}"
    for index, (mine, want, limit) in enumerate(zip(ours, expected.outputs, expected.tolerances, strict=True)):
        if index in trial.case.undefined:
            continue
        if (mine.dtype, mine.shape) != (want.dtype, want.shape):
            return f"output {index}: {mine.dtype} {mine.shape}; TensorFlow has {want.dtype} {want.shape}"
        wrong = (tolerance.exactly(mine, want) if limit is None else tolerance.within(mine, want, limit))[1]
        if wrong:
            return f"{trial.describe()}: output {index}: {wrong}"
    return ""


def stored(folder: Path) -> Callable[..., compiler.Binary]:
    """Binaries that ``compile_all`` wrote, as a ``build`` for ``DeviceRunner``."""
    found: dict[str, compiler.Binary] = {}

    def build(kernel: Kernel, bound: Any, capability: int) -> compiler.Binary:
        del bound, capability
        unit = f"{kernel.source.stem}{'' if kernel.fma else ' without fma'}"
        if unit not in found:
            found[unit] = compiler.Binary.from_bytes((folder / unit).read_bytes())
        return found[unit]

    return build


def compile_all(folder: Path, capability: int = 90) -> None:
    """Compile every source for every dtype into files that ``stored`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for unit, binary in compiler.build_all(kernels(), capability).items():
        (folder / unit).write_bytes(binary.to_bytes())


def executor(on: str, binaries: Path | None, *, poison: bool = True) -> Callable[[int], Execute]:
    """Of a number that differs from case to case: who computes."""
    if on == "host":
        from tf2trt_core.kernels.host import HostRunner  # noqa: PLC0415 - needs g++

        host = HostRunner(sanitize=False)
        return lambda number: lambda *call: host.run(*call, seed=number % 7, shift=number % 3)
    from tf2trt_core.kernels.device import DeviceRunner  # noqa: PLC0415 - needs a GPU

    device = DeviceRunner(build=stored(binaries) if binaries else compiler.build, poison=poison)
    return lambda number: lambda *call: device.run(*call, shift=number % 3)


def replay(run: Run, entries: Sequence[str]) -> list[dict[str, Any]]:
    """Replay the cases of some ops and dtypes, each an entry of the file."""
    made = executor(run.on, run.binaries, poison=run.poison)
    rows = []
    with zipfile.ZipFile(run.path) as archive:
        for entry in entries:
            started = time.perf_counter()
            lines = archive.read(entry).decode().splitlines()[: run.limit or None]
            op = ops()[entry.partition("/")[0]]
            said = [verdict(op, line, made(number)) for number, line in enumerate(lines)]
            wrong = [one for one in said if one not in ("", "refused")]
            row = {"entry": entry, "match": said.count(""), "refused": said.count("refused"), "wrong": len(wrong)}
            rows.append(
                {**row, "examples": [text[:1500] for text in wrong[:_SHOWN]], "seconds": time.perf_counter() - started}
            )
    return rows


def main(arguments: Sequence[str]) -> int:
    """Record, compile or replay; 1 if something does not match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("record", "compile", "replay"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--ops", default="")
    parser.add_argument("--on", default="device", choices=("device", "host"))
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--binaries", type=Path)
    parser.add_argument("--no-poison", action="store_true")
    parser.add_argument("--report", type=Path)
    given = parser.parse_args(arguments)
    wanted = [name for name in given.ops.split(",") if name]
    if given.what == "record":
        record(given.path, given.cases, wanted)
        return 0
    if given.what == "compile":
        compile_all(given.path)
        return 0
    with zipfile.ZipFile(given.path) as archive:
        entries = [name for name in archive.namelist() if not wanted or name.partition("/")[0] in wanted]
    rows = []
    run = Run(given.path, given.on, given.binaries, given.limit, poison=not given.no_poison)
    for row in _rows(run, entries, given.jobs):
        rows.append(row)
        if row["wrong"]:
            print(f"{row['entry']}: {row['wrong']} wrong: {row['examples'][0][:300]}", flush=True)
    total = {key: sum(row[key] for row in rows) for key in ("match", "refused", "wrong")}
    print(f"{len(rows)} of {len(entries)} ops and dtypes: {total}", flush=True)
    if given.report:
        given.report.write_text(json.dumps({"total": total, "rows": rows}, indent=1))
    return int(total["wrong"] > 0 or len(rows) < len(entries))


def _rows(run: Run, entries: Sequence[str], jobs: int) -> Iterator[dict[str, Any]]:
    """A process for each op: what one does to the GPU harms no other."""
    if jobs <= 1:
        yield from replay(run, entries)
        return
    names = list(dict.fromkeys(entry.partition("/")[0] for entry in entries))
    groups = [[entry for entry in entries if entry.partition("/")[0] == name] for name in names]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, spawn, max_tasks_per_child=1) as pool:
        tasks = [pool.submit(replay, run, group) for group in groups]
        for group, task in zip(groups, tasks, strict=True):
            try:
                yield from task.result()
            except Exception as error:  # noqa: BLE001 - one op's end must not end the others
                row = {"entry": group[0], "match": 0, "refused": 0, "wrong": 1, "seconds": 0.0}
                yield {**row, "examples": [f"{type(error).__name__}: {error}"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
