"""The command line: what each command prints, its exit codes, and that nothing half-done is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tf2trt_core.cli import main, models, options, screen
from tf2trt_core.errors import FeedError, ShapesError, SourceError
from tf2trt_core.registry import Registry
from tf2trt_core.spec import TensorSpec
from tf2trt_core.verify import Row, VerifyResult

COMMANDS = (
    "demo",
    "check",
    "convert",
    "verify",
    "run",
    "inspect",
    "explain",
    "ops",
    "new-plugin",
    "conformance",
    "doctor",
)


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def tf2trt(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(int(left.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of y = max(w x + 1, 0) for a [batch, 3] input, as a SavedModel with two signatures."""
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable(np.eye(3, dtype=np.float32) * 2, name="w")

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def serve(x):
        return {"y": tf.nn.relu(tf.matmul(x, module.w) + 1)}

    @tf.function(input_signature=[tf.TensorSpec((2, 3), tf.float32, name=name) for name in "ab"])
    def pair(a, b):
        return {"sum": a + b, "product": a * b}

    path = tmp_path_factory.mktemp("models") / "saved"
    tf.saved_model.save(module, str(path), signatures={"serving_default": serve, "pair": pair})
    return path


@pytest.fixture(scope="module")
def unconvertible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen graph with two nodes that nobody converts."""
    import tensorflow as tf

    def function(x):
        text = tf.strings.as_string(x)
        for _ in range(12):
            x = tf.nn.relu(x)
        return tf.raw_ops.ReadFile(filename=text[0]), x

    graph = tf.function(function).get_concrete_function(tf.TensorSpec((4,), tf.float32, name="x")).graph
    path = tmp_path_factory.mktemp("models") / "bad.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


# -- the whole -----------------------------------------------------------------------------------
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tf2trt: Callable[..., Done], command: str) -> None:
    done = tf2trt(command, "--help")
    assert done.code == 0
    assert "Usage" in done.out


def test_the_help_lists_the_commands_and_the_exit_codes(tf2trt: Callable[..., Done]) -> None:
    done = tf2trt("--help")
    assert all(command in done.out for command in COMMANDS)
    assert "Exit codes" in done.out


def test_the_version(tf2trt: Callable[..., Done]) -> None:
    assert tf2trt("--version").out.startswith("tf2trt ")


@pytest.mark.parametrize("arguments", [("nonsense",), ("convert",), ("run", "m", "--backend", "x"), ("ops", "-x")])
def test_wrong_usage_is_exit_code_2(tf2trt: Callable[..., Done], arguments: tuple[str, ...]) -> None:
    assert tf2trt(*arguments).code == 2


@pytest.mark.parametrize("arguments", [["ops", "--json"], ["explain", "Conv2D"], ["doctor", "--json"], ["--help"]])
def test_these_commands_do_not_import_tensorflow(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom tf2trt_core.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit as left:\n    assert not left.code, left.code\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bug_has_its_own_exit_code_and_shows_the_traceback(
    tf2trt: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(models, "_checked", broken)
    done = tf2trt("check", tmp_path)
    assert done.code == 70
    assert "ZeroDivisionError: oops" in done.err
    assert "bug in tf2trt" in done.err


# -- ops, explain, doctor ------------------------------------------------------------------------
def test_ops_lists_what_converts(tf2trt: Callable[..., Done]) -> None:
    rows = tf2trt("ops", "--json").json
    found = {row["op"]: row for row in rows}
    assert found["Slice"]["chain"][0]["plugin"] == "tf2trt_ops.slice_:Slice"
    assert "Slice" in tf2trt("ops").out


def test_ops_writes_its_table_and_checks_it(tf2trt: Callable[..., Done], tmp_path: Path) -> None:
    table = tmp_path / "ops.md"
    assert tf2trt("ops", "--markdown", table, "--check").code == 1
    assert not table.exists()
    assert tf2trt("ops", "--markdown", table).code == 0
    assert tf2trt("ops", "--markdown", table, "--check").code == 0
    table.write_text(table.read_text().replace("`Slice`", "`Slyce`"))
    done = tf2trt("ops", "--markdown", table, "--check")
    assert done.code == 1
    assert "`Slyce`" in table.read_text()
    assert tf2trt("ops", "--markdown", tmp_path / "absent" / "ops.md").code == 2


def test_explain_tells_plugin_place_dtypes_and_limits(tf2trt: Callable[..., Done]) -> None:
    done = tf2trt("explain", "MatMul")
    assert done.code == 0
    for piece in ("tf2trt_ops.matmul:MatMul", "built in", "matmul.py:", "dtypes: T: float32", "not converted: "):
        assert piece in done.out
    chain = tf2trt("explain", "MatMul", "--json").json["chain"]
    assert chain[0]["limits"][0]["reason"] in done.out


def test_explain_of_a_misspelt_op_names_the_nearest(tf2trt: Callable[..., Done]) -> None:
    done = tf2trt("explain", "conv2d")
    assert done.code == 2
    assert "nearest: " in done.err
    assert "Conv2D" in done.err


def test_explain_of_an_op_without_plugin_shows_its_schema(tf2trt: Callable[..., Done]) -> None:
    done = tf2trt("explain", "WriteFile")
    assert done.code == 1
    assert "filename: string" in done.out


def test_doctor_says_what_is_here(tf2trt: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tf2trt("doctor", "--json").json
    assert {"parts", "abilities", "tasks"} <= facts.keys()
    assert "convert to a TensorRT network" in tf2trt("doctor").out
    from tf2trt_core import doctor

    monkeypatch.setattr(doctor, "examine", lambda: doctor.Facts((), {}, 0, (), ("it is broken",)))
    done = tf2trt("doctor")
    assert done.code == 3
    assert "it is broken" in done.err


def test_new_plugin_writes_a_package_once(tf2trt: Callable[..., Done], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    done = tf2trt("new-plugin", "my-ops", "--out", folder)
    assert done.code == 0
    assert (folder / "pyproject.toml").exists()
    assert (folder / "my_ops" / "ops.py").exists()
    assert f"pip install -e '{folder}[test]'" in done.out
    again = tf2trt("new-plugin", "my-ops", "--out", folder)
    assert (again.code, "nothing was written" in again.err) == (2, True)
    assert tf2trt("new-plugin", "3ops", "--out", tmp_path / "x").code == 2
    (tmp_path / "file").write_text("")
    assert tf2trt("new-plugin", "my-ops", "--out", tmp_path / "file").code == 2


# -- check ---------------------------------------------------------------------------------------
def test_check_of_what_converts(tf2trt: Callable[..., Done], model: Path) -> None:
    done = tf2trt("check", model)
    assert (done.code, "nodes convert" in done.out) == (0, True)
    assert tf2trt("check", model, "--json").json["ok"] is True


def test_check_names_every_failure_at_once(tf2trt: Callable[..., Done], unconvertible: Path) -> None:
    done = tf2trt("check", unconvertible)
    assert done.code == 1
    assert "AsString" in done.out
    assert "ReadFile" in done.out
    report = tf2trt("check", unconvertible, "--json").json
    assert report["ok"] is False
    assert {"AsString", "ReadFile"} <= {failure["op"] for failure in report["failures"]}


def test_check_can_be_cut(tf2trt: Callable[..., Done], unconvertible: Path) -> None:
    assert tf2trt("check", unconvertible, "--output", "relu=Relu").code == 0


def test_check_says_where_to_cut_ready_to_paste(tf2trt: Callable[..., Done], unconvertible: Path) -> None:
    cut = tf2trt("check", unconvertible, "--json").json["cut"]
    pasted = tf2trt("check", unconvertible).out.rstrip().splitlines()[-1].split()
    assert pasted[0] == "--output"
    assert len(pasted) == 2 * len(cut["outputs"])
    assert tf2trt("check", unconvertible, *pasted).code == 0


def test_bad_input_is_one_line_without_traceback(tf2trt: Callable[..., Done], tmp_path: Path) -> None:
    done = tf2trt("check", tmp_path / "nothing.keras")
    assert done.code == 2
    assert done.err.count("SourceError: ") == 1
    assert "Traceback" not in done.err


def test_an_error_is_json_where_json_was_asked_for(tf2trt: Callable[..., Done], tmp_path: Path) -> None:
    found = tf2trt("check", tmp_path / "nothing.keras", "--json").json
    assert (found["ok"], found["error"]) == (False, "SourceError")
    assert "nothing.keras" in found["message"]


# -- convert -------------------------------------------------------------------------------------
def test_convert_writes_a_plan_and_its_sidecar(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    done = tf2trt("convert", model, "-o", plan, "--shape", "x=1|2|4,3", "--verify")
    assert done.code == 0, done.err
    assert plan.stat().st_size > 10_000
    sidecar = json.loads(plan.with_name("m.plan.json").read_text())
    assert sidecar["inputs"][0]["ranges"][0] == [1, 2, 4]
    assert "x: float32[1..4, 3]" in done.out
    assert "1e-04" in done.out  # the comparison


def test_convert_in_json(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    facts = tf2trt("convert", model, "--signature", "pair", "-o", plan, "--verify", "--json").json
    assert facts["ok"]
    assert facts["verify"]["ok"]
    assert [spec["name"] for spec in facts["inputs"]] == ["a", "b"]
    assert {spec["name"] for spec in facts["outputs"]} == {"sum", "product"}
    assert plan.stat().st_size == facts["bytes"]


def test_the_plan_is_called_after_the_model(
    tf2trt: Callable[..., Done], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tf2trt("convert", model, "--shape", "x=1,3").code == 0
    assert (tmp_path / "saved.plan").exists()


def test_an_open_dimension_prints_the_option_to_paste(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    done = tf2trt("convert", model, "-o", plan)
    assert done.code == 2
    assert '--shape "x=1|8|32,3"' in done.err
    assert list(tmp_path.iterdir()) == []


def test_verify_knows_the_schemas_of_plugins(
    tf2trt: Callable[..., Done], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def recorded(*_: Any, find: Any, **__: Any) -> VerifyResult:
        asked.append(find.__func__)
        return VerifyResult((), ())

    monkeypatch.setattr(models, "verify", recorded)
    assert tf2trt("verify", model, "--shape", "x=2,3").code == 0
    assert asked == [Registry.find]


def test_what_does_not_verify_writes_no_plan(
    tf2trt: Callable[..., Done], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Row("y", "Relu", "float32", (2, 3), 0.5, 0.25, 1e-4)
    monkeypatch.setattr(models, "verify", lambda *_, **__: VerifyResult((bad,), (bad,)))
    done = tf2trt("convert", model, "-o", tmp_path / "m.plan", "--shape", "x=1,3", "--verify")
    assert done.code == 1
    assert "first node out of tolerance" in done.out
    assert list(tmp_path.iterdir()) == []
    found = tf2trt("convert", model, "-o", tmp_path / "m.plan", "--shape", "x=1,3", "--verify", "--json").json
    assert found["ok"] is False


def test_convert_writes_the_page_too(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert tf2trt("convert", model, "-o", tmp_path / "m.plan", "--shape", "x=1,3", "--page", page).code == 0
    assert "All outputs are within tolerance." in page.read_text()


# -- verify ----------------------------------------------------------------------------------------
def test_verify_says_that_all_is_well(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    page, cut = tmp_path / "page.html", tmp_path / "cut"
    done = tf2trt("verify", model, "--page", page, "--save", cut)
    assert done.code == 0, done.err
    assert "worst node" in done.out
    assert "saved in float32" in page.read_text()
    assert sorted(tmp_path.iterdir()) == [page]  # nothing to cut out


def test_verify_cuts_out_the_first_error(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    done = tf2trt("verify", model, "--tolerance", "-1", "--save", tmp_path / "cut", "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert done.json["verify"]["first"]
    names = sorted(path.suffix for path in (tmp_path / "cut").iterdir())
    assert names == [".npz", ".pb", ".py"]


def test_verify_takes_feeds(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((5, 3), np.float32))
    facts = tf2trt("verify", model, "--feed", tmp_path / "x.npy", "--json").json
    assert facts["verify"]["outputs"][0]["shape"] == [5, 3]
    assert tf2trt("verify", model, "--page", tmp_path / "no" / "page.html").code == 2


def test_what_does_not_convert_is_exit_code_1(tf2trt: Callable[..., Done], unconvertible: Path, tmp_path: Path) -> None:
    done = tf2trt("convert", unconvertible, "-o", tmp_path / "m.plan")
    assert done.code == 1
    assert "will not convert" in done.err
    assert list(tmp_path.iterdir()) == []


def test_precision_and_what_is_kept(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    common = ("convert", model, "-o", plan, "--shape", "x=1,3", "--precision", "float16")
    assert tf2trt(*common, "--json").code == 0
    assert json.loads(plan.with_name("m.plan.json").read_text())["precision"] == "float16"
    kept = tf2trt(*common, "--keep-float32", "Relu", "--json").json["kept"]
    assert any("Relu" in name for name in kept)


def test_a_gpu_that_tensorrt_does_not_know_is_wrong_usage(
    tf2trt: Callable[..., Done], model: Path, tmp_path: Path
) -> None:
    done = tf2trt("convert", model, "-o", tmp_path / "m.plan", "--shape", "x=1,3", "--compute-capability", "1.0")
    assert done.code == 2
    assert "compute_capabilities" in done.err


def test_a_triton_repository(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    done = tf2trt("convert", model, "-o", tmp_path / "m.plan", "--shape", "x=1,3", "--triton", tmp_path / "repository")
    assert done.code == 0, done.err
    assert (tmp_path / "repository" / "m" / "config.pbtxt").exists()


# -- run -----------------------------------------------------------------------------------------
def test_run_on_arrays_from_files(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    x = np.array([[1, -2, 3]], np.float32)
    np.save(tmp_path / "x.npy", x)
    for feed in (f"x={tmp_path / 'x.npy'}", str(tmp_path / "x.npy")):
        done = tf2trt("run", model, "--backend", "reference", "--feed", feed, "--save", tmp_path / "out.npz")
        assert done.code == 0, done.err
        with np.load(tmp_path / "out.npz") as saved:
            np.testing.assert_array_equal(saved["y"], np.maximum(2 * x + 1, 0))


def test_run_on_an_archive_of_arrays(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    arrays = {"a": np.full((2, 3), 2, np.float32), "b": np.full((2, 3), 5, np.float32)}
    np.savez(tmp_path / "feeds.npz", **arrays)
    common = ("run", model, "--signature", "pair", "--backend", "reference", "--json")
    found = tf2trt(*common, "--feed", tmp_path / "feeds.npz").json["outputs"]
    assert (found["sum"]["max"], found["product"]["min"]) == (7.0, 10.0)


def test_random_feeds_follow_the_seed(tf2trt: Callable[..., Done], model: Path) -> None:
    def outputs(*more: object) -> Any:
        return tf2trt("run", model, "--backend", "reference", "--json", *more).json["outputs"]

    assert outputs() == outputs("--seed", 20)
    assert outputs() != outputs("--seed", 21)


def test_a_plan_without_a_gpu_says_that_a_gpu_is_missing(
    tf2trt: Callable[..., Done], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "m.plan"
    assert tf2trt("convert", model, "-o", plan, "--shape", "x=1,3").code == 0
    monkeypatch.setattr(models, "gpu_count", lambda: 0)
    done = tf2trt("run", plan)
    assert done.code == 3
    assert "needs a GPU" in done.err


def test_a_damaged_plan_is_refused(tf2trt: Callable[..., Done], tmp_path: Path) -> None:
    plan = tmp_path / "m.plan"
    plan.write_bytes(b"not a plan")
    assert tf2trt("run", plan).code == 2


def test_an_output_file_that_cannot_be_written(tf2trt: Callable[..., Done], model: Path, tmp_path: Path) -> None:
    done = tf2trt("run", model, "--backend", "reference", "--save", tmp_path / "absent" / "out.npz")
    assert done.code == 2
    assert "cannot write" in done.err


# -- options -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1|8|32,224,224,3", {"x": [(1, 8, 32), 224, 224, 3]}),
        ("x=?, -1,7", {"x": [None, None, 7]}),
        ("a=b=5", {"a=b": [5]}),
        ("scalar=", {"scalar": []}),
    ],
)
def test_shapes_are_read(text: str, expected: dict[str, Any]) -> None:
    assert options.shapes([text]) == expected


@pytest.mark.parametrize("text", ["x", "=1,2", "x=1|2", "x=a", "x=1.5", "x=1,,2", "x=-3"])
def test_shapes_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ShapesError, match="--shape"):
        options.shapes([text])


def test_a_shape_given_twice_is_refused() -> None:
    with pytest.raises(ShapesError, match="twice"):
        options.shapes(["x=1", "x=2"])


def test_cuts_are_read() -> None:
    assert options.cut(["image=Placeholder:0", "logits"], "--input") == {"image": "Placeholder:0", "logits": "logits"}
    assert options.cut(None, "--input") is None
    for wrong in (["x="], ["a=b", "a=c"]):
        with pytest.raises(SourceError, match="--input"):
            options.cut(wrong, "--input")


def test_ranges_that_are_known_are_kept_in_what_is_pasted() -> None:
    specs = [
        TensorSpec("x", "x", "float32", "float32", (-1, -1, 3), ((1, 2, 4), None, None)),
        TensorSpec("done", "done", "float32", "float32", (-1,), ((1, 2, 3),)),
    ]
    with pytest.raises(ShapesError, match=r'--shape "x=1\|2\|4,1\|64\|256,3"$'):
        options.need_ranges(specs)
    options.need_ranges(specs[1:])


@pytest.mark.parametrize("contents", [b"", b"text", b"PK\x03\x04 damaged"])
def test_feeds_that_are_no_arrays_are_refused(tmp_path: Path, contents: bytes) -> None:
    file = tmp_path / "x.npy"
    file.write_bytes(contents)
    with pytest.raises(FeedError, match=r"no \.npy or \.npz"):
        options.feeds([str(file)], [TensorSpec("x", "x", "float32", "float32", (1,))])


def test_pickled_feeds_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FeedError):
        options.feeds([f"x={tmp_path / 'x.npy'}"], [])


def test_a_bare_array_needs_a_single_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1))
    specs = [TensorSpec(name, name, "float32", "float32", (1,)) for name in "ab"]
    with pytest.raises(FeedError, match="say which"):
        options.feeds([str(tmp_path / "x.npy")], specs)
    with pytest.raises(FeedError, match="cannot read"):
        options.feeds([f"a={tmp_path / 'absent.npy'}"], specs)


# -- progress ------------------------------------------------------------------------------------
def test_a_long_step_gives_signs_of_life_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = threading.Event()

    class Watching(Console):
        def print(self, *objects: Any, **_: Any) -> None:
            if "Building ... kernels" in str(objects[0]):
                alive.set()

    monkeypatch.setattr(screen, "HEARTBEAT", 0.01)
    monkeypatch.setattr(screen, "err", lambda: Watching(force_terminal=False))
    with screen.step("Building") as step:
        step.follow("kernels", 0.0)
        assert alive.wait(60)


def test_the_time_ticks_by_itself_on_a_terminal() -> None:
    step = screen.Step("Building")
    step.phase = "kernels"
    ticking = screen._Ticking(step)
    texts = []
    for passed in (0.0, 5.0):
        step._began -= passed
        console = Console(width=80, force_terminal=True)
        with console.capture() as capture:
            console.print(ticking)
        texts.append(capture.get())
    assert "kernels" in texts[0]
    assert "5." in texts[1]
    assert texts[0] != texts[1]


def test_a_step_that_fails_shows_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), screen.step("Building"):
        raise ValueError("no")
    assert "Building" not in capsys.readouterr().err
