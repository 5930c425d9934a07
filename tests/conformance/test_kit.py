"""The kit itself: drawing, tolerances, lists, portable trials, saved failures, recordings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.command import main
from tf2trt_core import Registry, opdefs
from tf2trt_core.conformance import NoCasesError, Verdict, judge_file, portable, run_op, tolerance
from tf2trt_core.conformance.cases import Case, CaseError, Constant, FromShape, Runtime, Trial, make
from tf2trt_core.conformance.judge import Judge
from tf2trt_core.conformance.runner import Result
from tf2trt_core.conformance.session import ListError, Session, Settings
from tf2trt_core.conformance.trials import target, trials
from tf2trt_core.conformance.verdicts import Outcome

WRONG = ("conformance.wrong",)


def settings(**more) -> Settings:
    return Settings(isolate=False, engines=0, registered=WRONG, **more)


def wrong(name: str) -> Result:
    session = Session(settings())
    return session.run(next(one for one in session.all if one.startswith(f"{name}@conformance.wrong")))


# -- failures that do not stay --------------------------------------------------------------------
@pytest.mark.parametrize("failing", [{5}, {5, 6}, {5, 7}, {5, 6, 7, 9}, set(range(5, 400, 3))])
def test_a_trial_that_fails_at_times_is_kept_as_it_was(failing: set[int]) -> None:
    """The cases are not to blame where what judges them is not steady."""
    registry = Registry.default()

    class Unsteady(Judge):
        seen = 0

        def judge(self, trial: Trial, expected: portable.Expected | None = None) -> Outcome:
            self.seen += 1
            if self.seen in failing:
                return Outcome(Verdict.WRONG_NUMBERS, "this time")
            return super().judge(trial, expected)

    result = run_op("AddV2", max_examples=20, registry=registry, executor=Unsteady(registry))
    assert not result.problem
    assert [failure.outcome.detail for failure in result.failures] == ["this time"]


# -- drawing --------------------------------------------------------------------------------------
def draws(name: str, count: int = 150) -> list[Trial]:
    import hypothesis

    registry = Registry.default()
    aim = target(registry.entries(name)[0].op, registry)
    found: list[Trial] = []

    @hypothesis.seed(1)
    @hypothesis.settings(max_examples=count, database=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(trials(aim))
    def draw(trial: Trial) -> None:
        found.append(trial)

    draw()
    return found


def test_constants_runtime_values_and_shapes_are_drawn_by_annotation() -> None:
    found = draws("Slice")
    kinds = {kind: {type(trial.given[kind]) for trial in found} for kind in ("input", "begin", "size")}
    assert kinds == {"input": {Constant, Runtime}, "begin": {Constant, FromShape}, "size": {Constant, FromShape}}
    assert {trial.dynamic for trial in found} == {True, False}
    assert not any(all(isinstance(how, Constant) for how in trial.given.values()) for trial in found)
    assert {trial.case.attributes["Index"] for trial in found} == {"int32", "int64"}
    drawn = {trial.case.attributes["T"] for trial in found}
    assert {"float32", "float16", "bfloat16", "int32", "int64", "bool"} <= drawn
    assert drawn & {"int8", "uint8", "int16", "uint16"}


def test_inputs_come_with_another_layout_pending() -> None:
    orders = {trial.given["x"].order for trial in draws("Exp", 300) if isinstance(trial.given["x"], Runtime)}
    assert () in orders
    assert any(None in order for order in orders)
    assert any(order and list(order) != sorted(order) for order in orders if None not in order)


def test_an_input_that_must_be_constant_always_is() -> None:
    assert {type(trial.given["perm"]) for trial in draws("Transpose", 50)} == {Constant}


def test_one_dtype_a_case_for_each_type_attribute() -> None:
    for trial in draws("AddV2", 50):
        assert len({array.dtype for _, _, array in trial.case.tensors()}) == 1


def test_special_values_empty_and_open_dimensions_appear() -> None:
    found = draws("Identity", 600)
    arrays = [array for trial in found for _, _, array in trial.case.tensors()]
    floats = [array.astype(np.float64) for array in arrays if array.dtype.kind == "f" and array.size]
    assert any(np.isnan(array).any() for array in floats)
    assert any(np.isinf(array).any() for array in floats)
    assert any((np.signbit(array) & (array == 0)).any() for array in floats)
    assert any(array.size == 0 for array in arrays)
    wide = [array for array in arrays if array.dtype in (np.int16, np.int32, np.int64) and array.size]
    assert any(array.max() == np.iinfo(array.dtype).max for array in wide)


def test_switches_that_the_case_leaves_alone_are_varied() -> None:
    assert {trial.case.attributes["use_cudnn_on_gpu"] for trial in draws("Conv2D")} == {True, False}


def test_the_same_seed_draws_the_same() -> None:
    first, second, other = (run_op("Slice", max_examples=10, seed=seed).passed for seed in (7, 7, 8))
    described = [[trial.describe() for trial in found] for found in (first, second, other)]
    assert described[0] == described[1] != described[2]


def test_numbers_take_the_dtype_of_the_opdef() -> None:
    slice_ = opdefs.find("Slice")
    assert slice_ is not None
    given = {"input": np.ones(3, np.float16), "begin": [1], "size": [-1]}
    case = make(slice_, given, lambda _: "int64")
    assert case.attributes == {"T": "float16", "Index": "int64"}
    assert case.inputs["begin"].dtype == np.int64


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input": np.ones(3), "begin": [0]}, "no value for the input size"),
        ({"input": np.ones(3), "begin": [0], "size": [1], "sice": 1}, "no argument sice"),
        ({"input": np.ones(3), "begin": np.zeros(1, np.int32), "size": np.ones(1, np.int64)}, "Index is int32 already"),
    ],
)
def test_a_wrong_case_is_said(given: dict[str, object], message: str) -> None:
    slice_ = opdefs.find("Slice")
    assert slice_ is not None
    with pytest.raises(CaseError, match=message):
        make(slice_, given, lambda _: "int32")


def test_an_oracle_that_cannot_go_to_a_worker_is_refused() -> None:
    exp = opdefs.find("Exp")
    assert exp is not None
    with pytest.raises(CaseError, match="must be a function of its module"):
        make(exp, {"x": np.ones(2)}, lambda _: "float32", lambda *_: [])


# -- verdicts -------------------------------------------------------------------------------------
def test_wrong_numbers_are_shrunk_and_replayed_by_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = wrong("Neg")
    (failure,) = result.failures
    assert failure.outcome.verdict is Verdict.WRONG_NUMBERS
    ((_, _, array),) = failure.trial.case.tensors()
    assert array.size <= 2
    word = str(failure).rpartition(" ")[2]
    trial, _ = portable.read(word)
    assert trial.describe() == failure.trial.describe()
    assert main(["--case", word]) == 0  # the right converter is installed: the replay passes
    assert "pass: Neg(" in capsys.readouterr().out


def test_a_refusal_that_nobody_declared_is_a_failure() -> None:
    assert [failure.outcome.verdict for failure in wrong("Sign").failures] == [Verdict.UNDECLARED]


def test_a_declared_refusal_is_none() -> None:
    result = wrong("Abs")
    assert not result.failures
    assert result.refusals == {"only scalars": result.verdicts[Verdict.REFUSED]}


def test_a_limit_that_nothing_fails_without_is_reported() -> None:
    result = wrong("Square")
    assert result.stale == ["it used to be"]
    assert "perhaps stale" in result.summary()
    assert wrong("Abs").stale == ["only scalars"]


def test_too_many_refusals_are_a_complaint_unless_listed(tmp_path: Path) -> None:
    name = "Abs@conformance.wrong:Abs"
    assert "nothing was compared in" in Session(settings()).attempt(name).complaint
    listed = tmp_path / "refusals.txt"
    listed.write_text(f"{name}  # it is picky\n")
    assert Session(settings(refusals=listed)).attempt(name).complaint == ""


def test_no_cases_and_broken_cases_are_errors_of_their_own() -> None:
    with pytest.raises(NoCasesError, match=r"write @no_cases\.cases"):
        wrong("Exp")
    assert "no argument y; it is Log(" not in wrong("Log").problem
    assert (
        "the cases are broken: CaseError: case of Log: no argument y; no value for the input x" in wrong("Log").problem
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("Slice\n", "Slice has no reason"), ("Slcie  # why\n", "no such id: Slcie")],
)
def test_a_list_is_checked(text: str, message: str, tmp_path: Path) -> None:
    listed = tmp_path / "skips.txt"
    listed.write_text("# a comment\n\n" + text)
    with pytest.raises(ListError, match=message):
        Session(settings(skips=listed)).check()


def test_an_unknown_op_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Slcie"]) == 2
    assert "Slcie: no installed package converts it" in capsys.readouterr().err


def test_more_axes_than_tensorrt_has_are_refused_as_declared() -> None:
    inputs = {
        "input": np.ones((1, 2), np.float32),
        **{name: np.ones(9, np.int32) for name in ("begin", "end", "strides")},
    }
    masks = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 128, "new_axis_mask": 127 + 256, "shrink_axis_mask": 0}
    case = Case("StridedSlice", inputs, {"T": "float32", "Index": "int32", **masks})
    outcome = Judge(Registry.default()).judge(Trial(case, {"input": Runtime()}))
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, "a tensor of 10 axes; TensorRT's have 8 at most")


# -- tolerance ------------------------------------------------------------------------------------
def off(ours: object, theirs: object, dtype: object = np.float32, *, moves: bool = False) -> bool:
    _, text = tolerance.difference(
        np.asarray(ours, dtype),
        np.asarray(theirs, dtype),
        None,
        lambda: None,
        moves=moves,  # type: ignore[call-overload]
    )
    return bool(text)


def test_what_is_equal() -> None:
    assert not off([np.nan, np.inf, 0.0], [np.nan, np.inf, -0.0])
    assert off([np.inf], [-np.inf])
    assert off([np.nan], [1.0])
    assert off([0.0], [-0.0], moves=True)
    assert not off([np.nan, -0.0], [np.nan, -0.0], moves=True)
    assert off([1.0], [np.nextafter(np.float32(1), np.float32(2))], moves=True)
    assert not off([1.0], [1.0 + 2 * 2.0**-23])
    assert off([1.0], [1.0 + 6 * 2.0**-23])
    assert not off([1.0], [1.0 + 3 * 2.0**-7], ml_dtypes.bfloat16)
    assert off([3], [4], np.int32)
    assert off([True], [False], np.bool_)


def test_tensorflows_own_error_and_the_spread_widen_it() -> None:
    ours, theirs = np.array([1.0], np.float32), np.array([1.001], np.float32)
    for own, spread in ((np.array([0.001]), None), (None, np.array([0.001]))):
        assert tolerance.difference(ours, theirs, own, lambda spread=spread: spread, moves=False)[1] == ""  # type: ignore[misc]
    assert tolerance.difference(ours, theirs, None, lambda: None, moves=False)[1]


# -- portable -------------------------------------------------------------------------------------
def test_a_trial_goes_through_text_and_back() -> None:
    attributes = {
        "T": "bfloat16",
        "dims": (2, -1),
        "names": ["a", "b"],
        "raw": b"\0x",
        "alpha": float("inf"),
        "on": True,
    }
    inputs = {"x": np.ones((2, 0), ml_dtypes.bfloat16), "ys": [np.array(3, np.int8), np.array([True])]}
    given = {"x": Runtime((None, (0, 0, 4)), (1, 0)), "ys_0": Constant(), "ys_1": FromShape(((1, 2, 3),), -1)}
    trial, expected = portable.read(portable.token(Trial(Case("Some>Op", inputs, attributes), given)))
    assert expected is None
    assert trial.case.attributes == attributes
    assert dict(trial.given) == given
    for mine, theirs in zip(
        [inputs["x"], *inputs["ys"]], [trial.case.inputs["x"], *trial.case.inputs["ys"]], strict=True
    ):
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("word", ["nonsense", "eJwrSS0uAQAEXQHB", '{"format": 99}'])
def test_what_is_no_trial_is_said(word: str) -> None:
    with pytest.raises(portable.FormatError):
        portable.read(word)


def test_a_saved_failure_is_a_test_that_fails(tmp_path: Path) -> None:
    session = Session(settings(failures=tmp_path))
    complaint = session.attempt("Sign@conformance.wrong:Sign").complaint
    made = tmp_path / "Sign-1"
    assert f"replay: pytest {made}" in complaint
    assert sorted(path.name for path in made.iterdir()) == ["arrays.npz", "graph.pb", "test_sign.py", "trial.json"]
    assert judge_file(made / "trial.json", registry=session.registry).verdict is Verdict.UNDECLARED
    from tf2trt_core import from_tensorflow_pb_file

    program = from_tensorflow_pb_file(made / "graph.pb", ["x"], None, ["op"])  # by the right converter
    assert [spec.name for spec in program.inputs] == ["x"]


def test_a_recording_replays_without_tensorflow_tensorrt_and_hypothesis(tmp_path: Path) -> None:
    path = tmp_path / "recording.zip"
    ops = ["Slice", "MatMul", "Lgamma", "Unique"]  # the last two are cut at kernels, and data decides a size
    assert main([*ops, "--record", str(path), "--max-examples", "10", "--engines", "0", "--same-process"]) == 0
    blocked = "import sys; sys.modules.update(tensorflow=None, tensorrt=None, tensorrt_rtx=None, hypothesis=None)\n"
    command = f"from tf2trt_core.cli import main; main(['conformance', '--replay', {str(path)!r}])"
    told = subprocess.run([sys.executable, "-c", blocked + command], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\d+ pass\n", told)
    code = (
        f"{blocked}from tf2trt_core.conformance import replay\n"
        f"outcomes = [(trial.case.op, str(outcome.verdict)) for trial, outcome in replay({str(path)!r})]\n"
        "print(len(outcomes), sorted(set(outcomes)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    count, _, rest = told.partition(" ")
    assert int(count) >= 30
    assert rest.strip() == str([(op, "pass") for op in sorted(ops)])


def test_a_changed_answer_in_a_recording_is_seen(tmp_path: Path) -> None:
    import zipfile

    from tf2trt_core.conformance import replay

    path, other = tmp_path / "recording.zip", tmp_path / "changed.zip"
    main(["Neg", "--record", str(path), "--max-examples", "5", "--engines", "0", "--same-process"])
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as changed:
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("trials/"):
                trial, expected = portable.loads(data.decode())
                assert expected is not None
                expected.outputs[0] = expected.outputs[0] + 1
                data = portable.dumps(trial, expected).encode()
            changed.writestr(name, data)
    assert {outcome.verdict for _, outcome in replay(other)} <= {Verdict.WRONG_NUMBERS, Verdict.PASS}
    assert Verdict.WRONG_NUMBERS in {outcome.verdict for _, outcome in replay(other)}


def test_kernels_of_a_recording_are_played_by_whom_one_says(tmp_path: Path) -> None:
    from tf2trt_core.conformance import replay
    from tf2trt_core.kernels.immediate import numpy_reference

    path = tmp_path / "recording.zip"
    main(["Lgamma", "--record", str(path), "--max-examples", "5", "--engines", "0", "--same-process"])
    names = []

    def execute(kernel: Any, arrays: Any, scalars: Any) -> Any:
        names.append(kernel.name)
        return numpy_reference(kernel, arrays, scalars)

    assert {outcome.verdict for _, outcome in replay(path, kernels=execute)} == {Verdict.PASS}
    assert set(names) == {"lgamma"}


def test_a_run_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    name = "Neg@conformance.wrong:Neg"
    first = Session(settings(resume=tmp_path)).attempt(name)
    again = Session(settings(resume=tmp_path))
    assert again.attempt(name).complaint == first.complaint
    assert again.last is None
    other = Session(settings(resume=tmp_path, max_examples=31))
    other.attempt(name)
    assert other.last is not None
