"""The file of verdicts and the page of it: written, brought up to date, checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.command import main
from tf2trt_core import Context, Registry, Value, op
from tf2trt_core.conformance import fingerprint, report
from tf2trt_core.conformance.session import Session, Settings
from tf2trt_core.kernels import Kernel

SHORT = ["--max-examples", "5", "--engines", "1", "--same-process"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A file with the verdicts of two ops."""
    path = tmp_path / "run.json"
    assert main(["Slice", "Cast", "--json", str(path), *SHORT]) == 0
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


def old(path: Path) -> dict[str, str]:
    session = Session(Settings(ops=["Slice", "Cast"]))
    ops = {name: session.all[name] for name in session.ids}
    return report.outdated(report.read(path), ops, {}, engine="reference")


def test_a_page_has_every_op_its_limits_and_a_search(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = run.with_suffix(".html")
    options = ["Slice", "--json", str(run), "--page", str(page)]
    assert main([*options, "--update", *SHORT]) == 0
    text = page.read_text()
    assert "<b>Slice</b>" in text
    assert "<b>Cast</b>" in text
    assert "TensorRT has no dtype that carries DstT" in text
    assert 'id="search"' in text
    assert main(["Slice", "Cast", "--json", str(run), "--page", str(page), "--check"]) == 0
    page.write_text(text.replace("Slice", "Slcie"))
    assert main(["Slice", "Cast", "--json", str(run), "--page", str(page), "--check"]) == 1
    assert "run.html is not what" in "".join(capsys.readouterr().err.split("\n"))


def test_what_is_asked_about_a_file_needs_the_file() -> None:
    assert main(["Slice", "--check"]) == 2
    assert main(["Slice", "--update"]) == 2
    assert main(["Slice", "--json", "/nowhere/at/all", "--check"]) == 1


def test_the_same_run_writes_the_same_file(run: Path) -> None:
    before = run.read_bytes()
    assert main(["Slice", "Cast", "--json", str(run), *SHORT]) == 0
    assert run.read_bytes() == before


def test_an_update_tries_what_changed_and_keeps_the_rest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads(run.read_text())

    def change(stored: dict[str, Any]) -> None:
        stored["results"][0]["source"] = "another"

    changed(run, change)
    assert old(run) == {"Cast": "found on another version of its source"}
    skips = run.with_name("skips.txt")
    skips.write_text(
        "".join(f"{name}  # not here\n" for name in Session(Settings()).all if name not in ("Cast", "Slice"))
    )
    capsys.readouterr()
    assert main(["--json", str(run), "--update", "--skips", str(skips), *SHORT]) == 0
    told = capsys.readouterr().out
    assert "Cast: 5 pass" in told
    assert "\nSlice: " not in told
    after = json.loads(run.read_text())
    assert [result for result in after["results"] if "skipped" not in result] == before["results"]
    assert {"op": "Abs", "plugin": "tf2trt_ops.unary:Abs", "skipped": "not here"} in after["results"]
    assert main(["--json", str(run), "--check", "--skips", str(skips)]) == 0
    assert main(["--json", str(run), "--check"]) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda stored: stored["results"].pop(0), "no verdict"),
        (lambda stored: stored["results"][0]["verdicts"].update(crash=1), "crash"),
        (lambda stored: stored["results"][0].update(problem="the cases are broken"), "the cases are broken"),
        (lambda stored: stored["results"][0].update(skipped="why"), "its skip is another"),
        (lambda stored: stored["versions"].update(numpy="0.1"), "numpy 0.1"),
        (lambda stored: stored.update(engine="tensorrt"), "engine tensorrt"),
    ],
)
def test_what_is_out_of_date_is_told(run: Path, change: Callable[[dict[str, Any]], None], reason: str) -> None:
    assert old(run) == {}
    changed(run, change)
    assert reason in old(run)["Cast"]


def test_verdicts_of_what_is_not_installed_are_told(run: Path) -> None:
    changed(run, lambda stored: stored["results"].append(report.skipped(Session(Settings()).all["Abs"], "why")))
    session = Session(Settings())
    ops = {name: session.all[name] for name in ("Slice", "Cast")}
    with pytest.raises(report.StaleError, match=r"tf2trt_ops\.unary:Abs: not installed"):
        report.check(run, None, ops, {}, engine="reference")


def test_a_fingerprint_covers_the_helpers_of_the_package_and_nothing_else() -> None:
    assert fingerprint.reached("tf2trt_ops.avg_pool") >= {
        "tf2trt_ops.avg_pool",
        "tf2trt_ops.max_pool",
        "tf2trt_ops._layout",
        "tf2trt_ops._windows",
    }
    assert all(name.startswith("tf2trt_ops.") for name in fingerprint.reached("tf2trt_ops.avg_pool"))
    assert "tf2trt_ops._windows" not in fingerprint.reached("tf2trt_ops.slice_")


def test_a_fingerprint_covers_the_kernels_sources_with_what_they_include() -> None:
    def names(op: str) -> set[str]:
        (one,) = (entry.op for entry in Registry.default().entries(op) if entry.op.package == "tf2trt_plugins_cuda")
        modules = fingerprint.reached(one.plugin.partition(":")[0])
        return {file.name for file in fingerprint.sources(one, modules)}

    assert names("Dilation2D") == {"dilation2d.cu", "channels.cuh", "base.cuh"}
    assert names("Where") == {"where.cu", "prefix.cuh", "base.cuh"}
    (one,) = (entry.op for entry in Registry.default().entries("Slice"))
    assert not fingerprint.sources(one, fingerprint.reached("tf2trt_ops.slice_"))


def test_a_changed_kernel_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a.cu": '#include "b.cuh"\n  # include "tf2trt/base.cuh"\n#include <cstdint>\n#include "nowhere.h"\n',
        "b.cuh": '#include "folder/c.cuh"\n',
        "folder/c.cuh": '#include "../b.cuh"\n#include "d.cuh"\n',
        "folder/d.cuh": "// d\n",
        "other.cuh": "// nobody includes this\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    kernel = Kernel("f(x: float32) -> y: float32", tmp_path / "a.cu", {}, {}, lambda x: [x], lambda call: None)

    @op("Fingerprinted", schema="Fingerprinted(x: float32) -> y: float32")
    def fingerprinted(ctx: Context, x: Value) -> Value:
        return ctx.launch(kernel, x)[0]

    (one,) = fingerprinted
    assert {file.name for file in fingerprint.sources(one, [])} == {"a.cu", "b.cuh", "c.cuh", "d.cuh", "base.cuh"}
    monkeypatch.setattr(fingerprint, "reached", lambda module: set())

    def found() -> str:
        fingerprint._contents.cache_clear()
        return fingerprint.fingerprint(one)

    before = found()
    for name, same in {"a.cu": False, "folder/d.cuh": False, "other.cuh": True}.items():
        (tmp_path / name).write_text(files[name] + "// changed\n")
        assert (found() == before) == same, name
        (tmp_path / name).write_text(files[name])
        assert found() == before
