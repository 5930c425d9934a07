"""Runs ops: draws trials with hypothesis, has them judged, counts verdicts, shrinks what fails, builds engines."""

from __future__ import annotations

import collections
import time
import traceback
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tf2trt_core.conformance import portable
from tf2trt_core.conformance.cases import Trial
from tf2trt_core.conformance.drawing import Once, for_each
from tf2trt_core.conformance.fingerprint import fingerprint
from tf2trt_core.conformance.judge import Judge, Recording
from tf2trt_core.conformance.portable import Expected
from tf2trt_core.conformance.saving import replay_line
from tf2trt_core.conformance.trials import NoCasesError, Target, target, trials
from tf2trt_core.conformance.verdicts import Outcome, Verdict
from tf2trt_core.dtypes import from_numpy
from tf2trt_core.op import Limit, Op
from tf2trt_core.opdefs import OpDef
from tf2trt_core.registry import Registry

#: A larger share of trials in which nothing was compared needs a listed reason.
ALLOWED_REFUSALS = 0.1
#: A limit may be stale if all trials that it refused pass without it: of few nothing follows, of many some are tried.
_STALE_AFTER, _STALE_MOST = 5, 40


class Executor(Protocol):
    """Who judges: this process, or workers that may crash."""

    def kernels(self, op: str) -> list[dict[str, list[str]]]:
        """TensorFlow's CPU kernels for an op."""

    def judge(self, trial: Trial) -> Outcome:
        """Play one trial."""

    def judge_without(self, trial: Trial, plugin: str, reason: str) -> Outcome:
        """Play one trial with a limit of a plugin switched off."""

    def answer(self, trial: Trial) -> Expected | None:
        """TensorFlow's answer with its tolerances."""

    def record(self, trial: Trial) -> Recording | None:
        """What replaying the trial elsewhere needs."""

    def build(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Build engines."""


@dataclass
class Failure:
    """A trial that failed, shrunk, and its outcome."""

    trial: Trial
    outcome: Outcome
    expected: Expected | None = None
    saved: str = ""

    def __str__(self) -> str:
        line = f"pytest {self.saved}" if self.saved else replay_line(self.trial, self.expected)
        return f"{self.outcome.verdict}: {self.trial.describe()}\n    {self.outcome.detail}\n    replay: {line}"


@dataclass
class Result:
    """What became of one plugin's trials."""

    op: str
    plugin: str
    seed: int
    source: str = ""
    verdicts: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[Failure] = field(default_factory=list)
    refusals: collections.Counter[str] = field(default_factory=collections.Counter)
    dtypes: collections.Counter[str] = field(default_factory=collections.Counter)
    ranks: collections.Counter[int] = field(default_factory=collections.Counter)
    attributes: dict[str, collections.Counter[str]] = field(default_factory=dict)
    dynamic: int = 0
    engines: int = 0
    largest_error: float = 0.0
    seconds: float = 0.0
    problem: str = ""
    passed: list[Trial] = field(default_factory=list, repr=False)
    limited: dict[str, list[Trial]] = field(default_factory=dict, repr=False)
    stale: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Trials that were judged."""
        return sum(self.verdicts.values())

    @property
    def ok(self) -> bool:
        """Whether nothing failed and something passed."""
        return not self.failures and not self.problem and self.verdicts[Verdict.PASS] > 0

    @property
    def refused(self) -> float:
        """The share of trials in which nothing was compared."""
        return (self.verdicts[Verdict.REFUSED] + self.verdicts[Verdict.NO_ANSWER]) / max(self.cases, 1)

    def undrawn(self, opdef: OpDef, limits: Sequence[Limit]) -> list[str]:
        """Values that the OpDef allows for a switch, that no limit names, and that no trial had."""
        missing = []
        for name, attr in opdef.attributes.items():
            values = ("False", "True") if attr.kind == "bool" else attr.allowed if attr.kind == "string" else ()
            seen = self.attributes.get(name) or collections.Counter()
            missing += [
                f"{name}={value}" for value in values if value not in seen and not _limited(limits, name, value)
            ]
        return missing

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Count a trial."""
        self.verdicts[outcome.verdict] += 1
        for name, value in trial.case.attributes.items():
            if isinstance(value, bool | str):
                self.attributes.setdefault(name, collections.Counter())[str(value)] += 1
        if outcome.verdict in (Verdict.REFUSED, Verdict.NO_ANSWER):
            self.refusals[outcome.reason or outcome.detail] += 1
            self.limited.setdefault(outcome.reason, []).append(trial)
        if outcome.verdict is not Verdict.PASS:
            return
        for array in [array for _, _, array in trial.case.tensors()][:1]:
            self.dtypes[from_numpy(array.dtype)] += 1
            self.ranks[array.ndim] += 1
        self.dynamic += trial.dynamic
        self.largest_error = max(self.largest_error, outcome.error)

    def summary(self) -> str:
        """One line, and the failures."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.most_common())
        head = (
            f"{self.op}: {counts or 'no trials'}; {self.engines} engines; error {self.largest_error:.2f} tolerances; "
            f"{self.seconds:.1f} s; seed {self.seed}"
        )
        problem = [f"  {self.problem}"] if self.problem else []
        stale = [f"  perhaps stale: every trial passes without the limit {reason!r}" for reason in self.stale]
        return "\n".join([head, *problem, *stale, *(f"  {failure}" for failure in self.failures)])


def _limited(limits: Sequence[Limit], name: str, value: str) -> bool:
    """Whether a limit refuses this value of a switch, whatever else there is."""
    plain = value == "True" if value in ("True", "False") else value
    return any(limit.when is not None and limit.arguments == (name,) and limit.when(plain) for limit in limits)


class _FailedError(Exception):
    """A trial failed; one subclass per verdict, so that hypothesis keeps them apart."""


_FAILED = {verdict: type(f"Failed_{verdict.name}", (_FailedError,), {}) for verdict in Verdict if verdict.failed}


def run_op(
    name: str,
    *,
    max_examples: int = 30,
    engines: int = 0,
    seed: int = 0,
    plugin: str = "",
    registry: Registry | None = None,
    executor: Executor | None = None,
) -> Result:
    """Try one op (``plugin`` picks among several that convert it) and return the verdicts.

    ``engines``: how many distinct trials to build for real. ``seed``: the same seed draws the same trials.
    Raises ``NoCasesError`` where the plugin has no cases, ``KeyError`` where no plugin converts the op.
    """
    book = registry or Registry.default()
    judge = executor or Judge(book)
    one = _pick(book, name, plugin)
    aim = target(one, book, judge.kernels(name))
    number = zlib.crc32(f"{one.plugin}/{seed}".encode())
    result = Result(name, one.plugin, seed, fingerprint(one))
    started = time.perf_counter()
    result.passed = _draw(aim, judge, result, max_examples, number)
    _build(judge, result, result.passed, engines)
    result.stale = [limit.reason for limit in one.limits if not limit.unseen and _stale(judge, result, limit.reason)]
    for failure in result.failures:
        if failure.trial.case.oracle is not None:  # an oracle cannot be stored; what it answered can
            failure.expected = judge.answer(failure.trial)
    result.seconds = time.perf_counter() - started
    return result


def judge_file(path: Path | str, *, registry: Registry | None = None) -> Outcome:
    """The outcome of a saved trial (or of a token from a replay line) in this process."""
    trial, expected = portable.read(str(path))
    return Judge(registry or Registry.default()).judge(trial, expected)


def plugins(registry: Registry, names: Iterable[str] = ()) -> list[Op]:
    """The plugins of these ops (all if none is named) that conformance tries, sorted by op."""
    wanted = list(names) or list(registry.ops)
    return [entry.op for name in wanted for entry in registry.entries(name)]


def _pick(registry: Registry, name: str, plugin: str) -> Op:
    entries = registry.entries(name)
    if not entries:
        raise KeyError(f"no installed package converts {name}")
    found = [entry.op for entry in entries if entry.op.plugin == plugin] if plugin else [entry.op for entry in entries]
    if not found:
        raise KeyError(f"{plugin} does not convert {name}; {', '.join(entry.op.plugin for entry in entries)} do")
    return found[0]


def _draw(aim: Target, judge: Executor, result: Result, max_examples: int, seed: int) -> list[Trial]:
    """Draw and judge; returns what passed, for engines."""
    last: dict[str, Failure] = {}
    passed: list[Trial] = []
    once = Once()

    def attempt(trial: Trial) -> None:
        # after a failure it is hypothesis that tries again, and a rejection would be news to it
        key = 0 if last else once.begin(trial)
        outcome = judge.judge(trial)
        if not last:
            result.add(trial, outcome)
            if outcome.verdict is Verdict.PASS:
                passed.append(trial)
        if outcome.verdict.failed:
            last[outcome.verdict] = Failure(trial, outcome)
            raise _FAILED[outcome.verdict](outcome.detail)
        if not last:
            once.done(key)

    try:
        for_each(trials(aim), attempt, max_examples, seed)
    except _FailedError:
        pass
    except ExceptionGroup as group:
        others = group.split(_FailedError)[1]
        if others is not None:
            result.problem = _broken(others.exceptions[0])
    except Exception as error:  # noqa: BLE001 - the author's cases may raise anything
        result.problem = _broken(error)
    result.failures = list(last.values())
    return passed


def _broken(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"the cases are broken: {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


def _stale(judge: Executor, result: Result, reason: str) -> bool:
    """Whether every trial that the limit refused passes without it; of few trials nothing follows."""
    refused = result.limited.get(reason, [])[:_STALE_MOST]
    if len(refused) < _STALE_AFTER:
        return False
    return all(judge.judge_without(trial, result.plugin, reason).verdict is Verdict.PASS for trial in refused)


def _build(judge: Executor, result: Result, passed: Sequence[Trial], engines: int) -> None:
    """Build distinct trials, packed into one network."""
    if not engines:
        return
    distinct = list({trial.signature(): trial for trial in passed}.values())[:engines]
    for trial, outcome in zip(distinct, judge.build(distinct), strict=True):
        if outcome.verdict is Verdict.PASS:
            result.engines += 1
        else:
            result.verdicts[outcome.verdict] += 1
            result.failures.append(Failure(trial, outcome))


__all__ = ["Executor", "Failure", "NoCasesError", "Result", "judge_file", "plugins", "run_op"]
