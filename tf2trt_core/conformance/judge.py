"""Judges trials: converts, plays the network or builds it, and compares with TensorFlow."""

from __future__ import annotations

import functools
import io
import re
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tf2trt_core.build import optimize_network
from tf2trt_core.conformance import answers, graphs, tolerance
from tf2trt_core.conformance.cases import Array, Trial
from tf2trt_core.conformance.portable import Expected
from tf2trt_core.conformance.verdicts import Outcome, Verdict
from tf2trt_core.convert import Conversion, PrecisionWarning
from tf2trt_core.errors import BuildError, LimitError, ShapesError, Tf2TrtError, UnsupportedGraph
from tf2trt_core.opdefs import OpDef
from tf2trt_core.program import Program
from tf2trt_core.reference.programs import Played, Steps
from tf2trt_core.registry import Registry
from tf2trt_core.shapes import merged
from tf2trt_core.spec import TensorSpec

#: (ours, theirs, output's number) -> (error in tolerances, what is wrong).
Differ = Callable[[Array, Array, int], tuple[float, str]]


class JudgedError(Exception):
    """Ends a trial with an outcome."""

    def __init__(self, verdict: Verdict, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self.outcome = Outcome(verdict, detail, reason)


@dataclass(frozen=True)
class Recording:
    """A trial that passed, for machines without TensorFlow and TensorRT: answers, and the program as it reads back."""

    expected: Expected
    specs: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]
    steps: bytes


@dataclass(frozen=True)
class Judge:
    """Judges trials in this process, with the plugins of a registry.

    ``engine``: what plays the networks: the ``reference`` executor, or ``tensorrt`` on a GPU (each trial is built).
    """

    registry: Registry
    engine: str = "reference"

    def kernels(self, op: str) -> list[dict[str, list[str]]]:
        """TensorFlow's CPU kernels for an op."""
        return answers.kernels(op)

    def judge(self, trial: Trial, expected: Expected | None = None) -> Outcome:
        """Convert, play by the reference executor, compare with TensorFlow, or with what it once answered."""
        opdef = self._opdef(trial)
        try:
            theirs, differ = self._theirs(trial, opdef, expected)
            program, played = self._played(trial, opdef)
            error = compare(program.outputs, theirs, played, differ, undefined=trial.case.undefined)
        except JudgedError as ended:
            return ended.outcome
        return Outcome(Verdict.PASS, error=error, layers=program.num_layers)

    def judge_without(self, trial: Trial, plugin: str, reason: str) -> Outcome:
        """As ``judge``, with one limit of a plugin switched off: a limit that nothing fails without may be stale."""
        op = next(entry.op for entry in self.registry.entries(trial.case.op) if entry.op.plugin == plugin)
        limits = op.limits
        op.limits = tuple(limit for limit in limits if limit.reason != reason)
        try:
            return self.judge(trial)
        finally:
            op.limits = limits

    def build(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Build the trials as one network; if that fails, each alone, to see which it is."""
        if not trials:
            return []
        try:
            program = self._convert(graphs.write([(trial, self._opdef(trial)) for trial in trials]))
            _build(program)
        except JudgedError as ended:
            if len(trials) == 1:
                return [ended.outcome]
            return [self.build([trial])[0] for trial in trials]
        return [Outcome(Verdict.PASS, layers=program.num_layers)] * len(trials)

    def answer(self, trial: Trial) -> Expected | None:
        """TensorFlow's answer with its tolerances; None where it has none."""
        opdef = self._opdef(trial)
        try:
            answer = answers.answer(trial.case, opdef)
        except answers.RefusedError:
            return None
        moves = tolerance.moves_data(opdef)
        exact = [tolerance.is_exact(array, moves=moves) for array in answer.outputs]
        spreads = [None] * len(exact) if all(exact) else answer.spread()
        found = zip(answer.outputs, answer.own, spreads, exact, strict=True)
        limits = [None if same else tolerance.loose(array, own, spread) for array, own, spread, same in found]
        return Expected(answer.outputs, limits)

    def record(self, trial: Trial) -> Recording | None:
        """What replaying the trial needs; None if it did not pass."""
        if self.judge(trial).verdict is not Verdict.PASS:
            return None
        expected = self.answer(trial)
        if expected is None or self.judge(trial, expected).verdict is not Verdict.PASS:
            return None  # it passed by another right answer than TensorFlow's
        program = self._convert(graphs.write([(trial, self._opdef(trial))]))
        file: Any = io.BytesIO()
        Steps.read(program).save(file)
        return Recording(expected, (program.inputs, program.outputs), file.getvalue())

    def _opdef(self, trial: Trial) -> OpDef:
        found = self.registry.find(trial.case.op)
        if found is None:
            raise ValueError(f"no installed package knows the op {trial.case.op}")
        return found

    def _theirs(self, trial: Trial, opdef: OpDef, expected: Expected | None) -> tuple[list[Array], Differ]:
        moves = tolerance.moves_data(opdef)
        if expected is not None:
            return expected.outputs, against_expected(expected, moves=moves)
        try:
            answer = answers.answer(trial.case, opdef)
        except answers.RefusedError as refused:
            raise JudgedError(Verdict.NO_ANSWER, str(refused), _general(str(refused))) from None
        spread: list[Array | None] = []

        def moved(index: int) -> Array | None:
            spread.extend(answer.spread() if not spread else ())
            return spread[index]

        def differ(ours: Array, theirs: Array, index: int) -> tuple[float, str]:
            ask = functools.partial(moved, index)
            error, wrong = tolerance.difference(ours, theirs, answer.own[index], ask, moves=moves)
            for right in answers.others(trial.case, opdef, answer.outputs) if wrong else ():
                other, still = tolerance.difference(ours, right[index], None, ask, moves=moves)
                if not still:
                    return other, ""
            return error, wrong

        return answer.outputs, differ

    def _played(self, trial: Trial, opdef: OpDef) -> tuple[Program, dict[str, Array]]:
        written = graphs.write([(trial, opdef)])
        program = self._convert(written)
        try:
            return program, PLAYERS[self.engine](program, graphs.carried(program.inputs, written.feeds))
        except Tf2TrtError as error:
            raise JudgedError(Verdict.BUILD_FAILED, f"{self.engine} cannot play it: {error}") from None

    def _convert(self, written: graphs.Written) -> Program:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PrecisionWarning)
                return Conversion(written.graph, self.registry, merged(written.graph.inputs, written.shapes)).run()
        except UnsupportedGraph as group:
            declared = all(isinstance(error, LimitError) for error in group.exceptions)
            verdict = Verdict.REFUSED if declared else Verdict.UNDECLARED
            reasons = "; ".join(getattr(error, "reason", str(error)) for error in group.exceptions)
            raise JudgedError(verdict, "; ".join(map(str, group.exceptions)), reasons) from None
        except Exception as error:  # noqa: BLE001 - whatever a converter raises is its verdict
            raise JudgedError(Verdict.CRASH, _traced(error)) from None


def _on_reference(program: Program, feeds: dict[str, Array]) -> dict[str, Array]:
    return Played(program).run(feeds)


def _on_tensorrt(program: Program, feeds: dict[str, Array]) -> dict[str, Array]:
    from tf2trt_core.runner_tensorrt import TensorRTBackend  # noqa: PLC0415 - it needs CUDA's libraries

    backend = TensorRTBackend(optimize_network(program))
    try:
        return backend.run(feeds)
    finally:
        backend.close()


#: What plays a network: tensors by TensorRT's names, in its dtypes.
PLAYERS: dict[str, Callable[[Program, dict[str, Array]], dict[str, Array]]] = {
    "reference": _on_reference,
    "tensorrt": _on_tensorrt,
}


def _build(program: Program) -> None:
    try:
        for part in program.networks:
            optimize_network(part)
    except (BuildError, ShapesError) as error:
        raise JudgedError(Verdict.BUILD_FAILED, str(error)) from None


def against_expected(expected: Expected, *, moves: bool) -> Differ:
    """The difference to a stored answer."""

    def differ(ours: Array, theirs: Array, index: int) -> tuple[float, str]:
        limit = expected.tolerances[index]
        return tolerance.exactly(ours, theirs, signs=moves) if limit is None else tolerance.within(ours, theirs, limit)

    return differ


def compare(
    specs: Sequence[TensorSpec],
    outputs: Sequence[Array],
    played: dict[str, Array],
    differ: Differ,
    *,
    undefined: Sequence[int] = (),
) -> float:
    """The largest error in tolerances; of ``undefined`` outputs only the dtype counts.

    Raises ``JudgedError`` for another dtype, shape, or number.
    """
    largest = 0.0
    for index, (spec, theirs) in enumerate(zip(specs, outputs, strict=True)):
        ours = graphs.uncarried(spec, played[spec.tensor])
        where = f"output {index}" if len(specs) > 1 else "the output"
        if ours.dtype != theirs.dtype:
            raise JudgedError(Verdict.WRONG_SHAPE, f"{where} is {ours.dtype}; TensorFlow has {theirs.dtype}")
        if index in undefined:
            continue
        declared = len(spec.shape) == theirs.ndim and all(
            dim in (-1, extent) for dim, extent in zip(spec.shape, theirs.shape, strict=True)
        )
        if ours.shape != theirs.shape or not declared:
            raise JudgedError(
                Verdict.WRONG_SHAPE,
                f"{where} is {list(ours.shape)}, declared {list(spec.shape)}; TensorFlow has {list(theirs.shape)}",
            )
        error, wrong = differ(ours, theirs, index)
        if wrong:
            raise JudgedError(Verdict.WRONG_NUMBERS, f"{where}: {wrong}")
        largest = max(largest, error)
    return largest


def _general(text: str) -> str:
    """TensorFlow's message without what differs from case to case."""
    text = re.sub(r"\{\{.*?\}\} ?", "", text.partition(" All kernels")[0])
    return re.sub(r"\[.*?\]|-?\d+", "#", text.rpartition("CPU kernel fails: ")[2])


def _traced(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    at = "".join(f" ({frame.filename}:{frame.lineno})" for frame in last)
    return f"{type(error).__name__}: {error}{at}"
