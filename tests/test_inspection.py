"""``tf2trt inspect``: plans, programs with cuts, bare engines; and files that are none of these, or damaged."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import tf2trt_core as tf2trt
from fakes.programs import affine
from helpers import traced
from test_cut_models import picked
from tf2trt_core import plan as plans
from tf2trt_core.cli import main
from tf2trt_core.errors import PlanError
from tf2trt_core.inspection import inspect_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """``a.plan`` with its sidecar, and ``cut.bin``, a program with three kernels in a chain."""
    made = tmp_path_factory.mktemp("stored")
    tf2trt.store_engine(tf2trt.optimize_network(affine(2), compute_capabilities=["8.6"]), made / "a.plan")
    program = tf2trt.from_function(traced(picked, (None, 3)), shapes={"x": [(1, 4, 8), 3]})
    tf2trt.store_engine(tf2trt.optimize_network(program), made / "cut.bin")
    return made


@pytest.fixture
def told(capsys):
    """What the command prints and its exit code."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["inspect", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run


def rewritten(source, target, change):
    """A container with its files changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        files = {name: old.read(name) for name in old.namelist()}
        change(files)
        for name, contents in files.items():
            new.writestr(name, contents)
    return target


def of_manifest(change):
    def changed(files):
        found = json.loads(files["manifest.json"])
        change(found)
        files["manifest.json"] = json.dumps(found).encode()

    return changed


# -- what is said ---------------------------------------------------------------------------------
def test_a_plan(folder):
    found = inspect_file(folder / "a.plan")
    plan = tf2trt.load_engine(folder / "a.plan")
    assert (found["kind"], found["bytes"], found["sha256"]) == ("plan", len(plan.data), plan.sidecar.sha256)
    assert (found["edition"], found["tensorrt"]) == (plan.sidecar.edition, plan.sidecar.tensorrt)
    assert found["compute_capabilities"] == ("8.6",)
    assert [(spec["name"], spec["dtype"], spec["shape"]) for spec in found["inputs"]] == [("x", "float32", (2, 3))]
    assert [spec["name"] for spec in found["outputs"]] == ["y", "doubled"]
    assert (found["steps"], found["kernels"], found["refused"]) == ([], [], "")


def test_a_program_with_cuts(folder):
    found = inspect_file(folder / "cut.bin")
    assert [(step["kind"], step["level"]) for step in found["steps"]] == [
        ("network", 0), ("kernel", 0), ("network", 1), ("kernel", 1), ("network", 2), ("kernel", 2), ("network", 3),
    ]  # fmt: skip
    kernels = [step for step in found["steps"] if step["kind"] == "kernel"]
    assert [step["kernel"] for step in kernels] == [one["name"] for one in found["kernels"]]
    assert kernels[0]["name"] == "Where"
    assert kernels[0]["code"] == [{"kind": "ptx", "capability": 75}]
    assert all(one["package"].startswith("tf2trt ") and not one["absent"] for one in found["kernels"])
    assert sum(step["bytes"] for step in found["steps"]) < found["bytes"]
    assert found["inputs"][0]["ranges"] == ((1, 4, 8), None)


def test_the_command_prints_it(folder, told):
    code, out, err = told(folder / "cut.bin")
    assert (code, err) == (0, "")
    for text in ("4 networks, 3 kernels on 4 levels", "x[1..8, 3]", "tf2trt::where", "ptx 7.5", "float32[?, 3]"):
        assert text in out, text
    code, out, _ = told(folder / "cut.bin", "--json")
    assert json.loads(out) == {"ok": True} | json.loads(json.dumps(inspect_file(folder / "cut.bin")))


def test_an_engine_with_nothing_beside_it_says_who_made_it(folder, tmp_path, told):
    shutil.copy(folder / "a.plan", tmp_path / "b.engine")
    found = inspect_file(tmp_path / "b.engine")
    about = tf2trt.load_engine(folder / "a.plan").sidecar
    assert (found["kind"], found["edition"], found["tensorrt"]) == ("engine", about.edition, about.tensorrt)
    assert found["sha256"] == about.sha256
    code, out, err = told(tmp_path / "b.engine")
    assert code == 0
    assert f"made by {about.edition} {about.tensorrt}" in out
    assert "b.engine.json, which is not here" in err
    (tmp_path / "full.engine").write_bytes(b"ftrt" + bytes(20) + bytes([10, 9, 0, 34]) + bytes(9))
    assert inspect_file(tmp_path / "full.engine") | {"sha256": ""} == {
        "kind": "engine", "file": str(tmp_path / "full.engine"), "bytes": 37, "sha256": "", "edition": "tensorrt",
        "tensorrt": "10.9.0.34",
    }  # fmt: skip


def test_kernels_that_are_not_here_are_no_error(folder, tmp_path, told):
    def change(found):
        found["sidecar"]["kernels"][0].update(name="tf2trt::polish", package="acme 2.0")
        found["sidecar"]["kernels"][1].update(digest="0")

    path = rewritten(folder / "cut.bin", tmp_path / "other.plan", of_manifest(change))
    absent = [one["absent"] for one in inspect_file(path)["kernels"]]
    assert absent[0] == "no installed package declares it"
    assert "another source or launches" in absent[1]
    assert absent[2] == ""
    code, out, _ = told(path)
    assert code == 0
    assert "acme 2.0" in out


def test_a_plan_of_another_tensorrt_is_a_note(folder, tmp_path, told):
    shutil.copy(folder / "a.plan", tmp_path / "a.plan")
    about = json.loads((folder / "a.plan.json").read_text()) | {"tensorrt": "1.0.0.1"}
    (tmp_path / "a.plan.json").write_text(json.dumps(about))
    code, out, err = told(tmp_path / "a.plan")
    assert code == 0
    assert "1.0.0.1" in out
    assert "loads only in the version that made it" in " ".join(err.split())


def test_neither_tensorflow_nor_tensorrt_is_needed(folder):
    script = (
        "import sys\nsys.modules.update(tensorflow=None, tensorrt=None, tensorrt_rtx=None)\n"
        "import tf2trt_core.edition as editions\neditions.installed = lambda: ()\n"
        f"from tf2trt_core.cli import main\nmain(['inspect', {str(folder / 'cut.bin')!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "program with cuts" in done.stdout


def test_a_program_of_any_name_is_run_as_one(folder, monkeypatch, capsys):
    monkeypatch.setattr("tf2trt_core.cli.models.gpu_count", lambda: 0)
    with pytest.raises(SystemExit, match="3"):
        main(["run", str(folder / "cut.bin")])
    assert "is a plan, which needs a GPU" in capsys.readouterr().err


# -- what is refused ------------------------------------------------------------------------------
def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b"", "is empty"),
        (b"import numpy as np\n", "is no file of tf2trt's or TensorRT's: it begins with b'import n'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no file of tf2trt's or TensorRT's"),
        (b"vtrt", "is cut off: it has 4 bytes of TensorRT's header"),
        (zipped(config="{}"), "is no program with cuts: the zip file has no manifest.json"),
        (zipped(config="{}")[:-10], "is no zip file"),
        (b"PK\x03\x04" + bytes(50), "is no zip file"),
    ],
)
def test_other_files_are_refused(tmp_path, told, contents, says):
    path = tmp_path / "model.plan"
    path.write_bytes(contents)
    code, out, err = told(path)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    code, out, _ = told(path, "--json")
    assert code == 2
    assert json.loads(out)["error"] == "PlanError"


def test_what_cannot_be_read_is_refused(tmp_path, told):
    for path, says in ((tmp_path / "absent.plan", "No such file"), (tmp_path, "Is a directory")):
        code, _, err = told(path)
        assert code == 2
        assert says in err


def test_a_plan_that_was_cut_off_or_changed_is_refused(folder, tmp_path, told):
    shutil.copy(folder / "a.plan.json", tmp_path / "a.plan.json")
    data = (folder / "a.plan").read_bytes()
    for damaged, says in ((data[:500], "it was cut off"), (data[:-1] + b"x", "is damaged")):
        (tmp_path / "a.plan").write_bytes(damaged)
        code, _, err = told(tmp_path / "a.plan")
        assert code == 2
        assert says in " ".join(err.split())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda files: files.update({"0.plan": b"nothing"}), "0.plan has another hash"),
        (lambda files: files.pop("0.plan"), "0.plan"),
        (lambda files: [files.update({name: b"nothing"}) for name in files if "code" in name], "no compiled kernel"),
        (lambda files: files.update({"manifest.json": b"[" * 100_000}), "has a damaged manifest"),
        (lambda files: files.update({"manifest.json": b"\xff"}), "codec can't decode"),
        (of_manifest(lambda found: found.update(steps="text")), "is damaged"),
        (of_manifest(lambda found: found["steps"][1].update(kernel=9)), "is damaged"),
        (of_manifest(lambda found: found["steps"][1].update(inputs=[{"tensor": "nowhere"}])), "'nowhere'"),
        (of_manifest(lambda found: found["steps"][1].update(code=7)), "is damaged"),
    ],
)
def test_a_damaged_program_is_refused(folder, tmp_path, told, change, says):
    path = rewritten(folder / "cut.bin", tmp_path / "damaged.plan", change)
    code, out, err = told(path)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())
    assert "Traceback" not in err


def test_bytes_that_changed_give_an_answer_or_a_plan_error(folder, tmp_path):
    """Wherever a byte of the manifest, the directory or the files changes."""
    data = (folder / "cut.bin").read_bytes()
    begin, path, refused = data.index(b'{\n "format"'), tmp_path / "changed.plan", 0
    dice = np.random.default_rng(7)
    for place in [*dice.integers(begin, len(data), 60), *dice.integers(0, len(data), 20)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ dice.integers(1, 256)]) + data[place + 1 :])
        try:
            inspect_file(path)
        except PlanError:
            refused += 1
    assert refused >= 70


def test_reading_does_not_depend_on_the_installed_version(folder, tmp_path):
    path = rewritten(
        folder / "cut.bin", tmp_path / "old.plan", of_manifest(lambda found: found["sidecar"].update(tensorrt="1.0"))
    )
    assert plans.read_plan(path).sidecar.tensorrt == "1.0"
    with pytest.raises(PlanError, match="loads only in the version that made it"):
        tf2trt.load_engine(path)
