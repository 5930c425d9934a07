"""Recordings: cases with TensorFlow's answers and the programs made of them, in one file; replayed with NumPy alone.

``record`` needs TensorFlow and TensorRT; ``replay`` neither: for GPU machines without them (``xp=cupy``), and to see
whether the reference executor still computes what it computed.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tf2trt_core.conformance import graphs, portable, tolerance
from tf2trt_core.conformance.cases import Array, Trial
from tf2trt_core.conformance.verdicts import Outcome, Verdict
from tf2trt_core.errors import PlanError, ReferenceError_
from tf2trt_core.kernels.immediate import Execute, numpy_reference
from tf2trt_core.reference.programs import Played, Steps
from tf2trt_core.spec import TensorSpec

FORMAT = 2


class Recorder:
    """Writes recordings into one zip file: ``index.json``, ``trials/N.json``, ``programs/N.zip``."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._entries: list[dict[str, Any]] = []

    def add(self, trial: Trial, recording: Any) -> None:
        """Add a trial with its ``judge.Recording``."""
        number = len(self._entries)
        inputs, outputs = recording.specs
        self._archive.writestr(f"trials/{number}.json", portable.dumps(trial, recording.expected))
        self._archive.writestr(f"programs/{number}.zip", recording.steps)
        self._entries.append(
            {
                "op": trial.case.op,
                "inputs": [asdict(spec) for spec in inputs],
                "outputs": [asdict(spec) for spec in outputs],
            }
        )

    def close(self) -> None:
        """Write the index and close the file."""
        self._archive.writestr("index.json", json.dumps({"format": FORMAT, "trials": self._entries}))
        self._archive.close()

    def __len__(self) -> int:
        return len(self._entries)


def replay(
    path: Path, *, ops: Iterable[str] = (), xp: Any = np, kernels: Execute = numpy_reference
) -> Iterator[tuple[Trial, Outcome]]:
    """Each recorded trial with its outcome now. Raises ``portable.FormatError`` for another file.

    ``kernels``: what computes kernels, by default their NumPy references. With CuPy as ``xp`` it must take CuPy's
    arrays: ``tf2trt_core.kernels.cupy.on_device``.
    """
    wanted = set(ops)
    try:
        archive = zipfile.ZipFile(path)
        index = json.loads(archive.read("index.json"))
        if index["format"] != FORMAT:
            raise portable.FormatError(f"{path}: a recording of format {index['format']}; this version reads {FORMAT}")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise portable.FormatError(f"{path} is no recording: {error}") from error
    with archive:
        for number, entry in enumerate(index["trials"]):
            if wanted and entry["op"] not in wanted:
                continue
            trial, expected = portable.loads(archive.read(f"trials/{number}.json").decode())
            if expected is None:
                raise portable.FormatError(f"{path}: trial {number} has no answer")
            steps = archive.read(f"programs/{number}.zip")
            yield trial, _replayed(trial, expected, entry, functools.partial(_play, steps, xp, kernels))


def _play(steps: bytes, xp: Any, kernels: Execute, feeds: Mapping[str, Array]) -> dict[str, Any]:
    file: Any = io.BytesIO(steps)
    return Played(Steps.load(file), kernels=kernels).run({name: xp.asarray(feeds[name]) for name in feeds}, xp=xp)


def _replayed(
    trial: Trial,
    expected: portable.Expected,
    entry: dict[str, Any],
    play: Callable[[Mapping[str, Array]], dict[str, Any]],
) -> Outcome:
    try:
        played = play(graphs.carried([_spec(spec) for spec in entry["inputs"]], graphs.feeds(trial)))
    except (ReferenceError_, PlanError) as error:
        return Outcome(Verdict.BUILD_FAILED, str(error))
    largest = 0.0
    results = zip(entry["outputs"], expected.outputs, expected.tolerances, strict=True)
    for index, (spec, theirs, limit) in enumerate(results):
        if index in trial.case.undefined:
            continue
        ours = graphs.uncarried(_spec(spec), _host(played[spec["tensor"]]))
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            found = f"{ours.dtype}{list(ours.shape)}; TensorFlow had {theirs.dtype}{list(theirs.shape)}"
            return Outcome(Verdict.WRONG_SHAPE, found)
        off, wrong = tolerance.exactly(ours, theirs) if limit is None else tolerance.within(ours, theirs, limit)
        if wrong:
            return Outcome(Verdict.WRONG_NUMBERS, wrong)
        largest = max(largest, off)
    return Outcome(Verdict.PASS, error=largest)


def _spec(stored: dict[str, Any]) -> TensorSpec:
    ranges = tuple(tuple(entry) if entry else None for entry in stored["ranges"])
    return TensorSpec(**{**stored, "shape": tuple(stored["shape"]), "ranges": ranges})


def _host(array: Any) -> Array:
    return np.asarray(array.get() if hasattr(array, "get") else array)
