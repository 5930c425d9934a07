"""The repository itself: the README is true, every module stands alone, nothing points outside."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGES = ("tf2trt_core", "tf2trt_ops", "tf2trt_plugins_cuda")
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: Alternatives of what is pinned, and what only a benchmark needs: not in CI.
UNPINNED = {"tensorflow", "tensorrt-cu13"}


def tracked() -> list[Path]:
    """Files under version control (or about to be); all files where this is no checkout."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def modules() -> list[str]:
    found = []
    for package in PACKAGES:
        for path in sources(package):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run_python(script: str, *options: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", script]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_readmes_commands_are_in_its_first_screen_and_in_the_makefile() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"^\$ make (\w+)", "\n".join(README.splitlines()[:24]), re.MULTILINE)
    assert commands == ["demo", "test"]
    assert set(commands) <= targets


def test_ci_runs_the_readmes_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    doing = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert doing == ["exec make test"]


def test_the_readmes_example_runs(tmp_path: Path) -> None:
    example = blocks("python")[0]
    check = "\nassert outputs['y'].shape == (2, 4)\nassert tf2trt.load_engine('model.plan') == plan\nassert result.ok\n"
    done = run_python(example + check, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_a_real_op() -> None:
    match = re.search(r"<!-- (\S+\.py) -->\n```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert match is not None
    assert (ROOT / match[1]).read_text() == match[2]


def test_the_readmes_links_and_extras_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    named = set(re.findall(r"`tf2trt\[([\w-]+)\]`", README))
    assert named <= set(PROJECT["project"]["optional-dependencies"])


def test_the_readmes_subcommands_exist() -> None:
    done = run_python("import sys; sys.argv = ['tf2trt', '--help']; from tf2trt_core.cli import main; main()")
    assert done.returncode == 0, done.stderr
    for command in {*re.findall(r"`tf2trt (\w+)", README), "demo"}:
        assert re.search(rf"\b{command}\b", done.stdout), command


def test_the_entry_points_load() -> None:
    points = {point.name: point for point in importlib.metadata.entry_points(group="tf2trt")}
    assert points["builtin"].value == "tf2trt_ops:OPS"
    assert len(points["builtin"].load()) > 0
    assert points["cuda"].value == "tf2trt_plugins_cuda:OPS"
    points["cuda"].load()


@pytest.mark.parametrize("name", modules())
def test_every_module_imports_alone(name: str) -> None:
    done = run_python(f"import {name}", "-W", "error")
    assert done.returncode == 0, done.stderr


def test_importing_the_core_imports_neither_tensorflow_nor_tensorrt() -> None:
    foreign = ("tensorflow", "keras", "tensorrt", "tensorrt_rtx", "cuda.core", "tf2trt_ops", "tf2trt_plugins_cuda")
    done = run_python(f"import sys, tf2trt_core; print([name for name in {foreign} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_core_names_no_op_package() -> None:
    for path in sources("tf2trt_core"):
        found = re.findall(r"^\s*(?:from|import) (tf2trt_ops|tf2trt_plugins_cuda)\b", path.read_text(), re.MULTILINE)
        assert not found, path


@pytest.mark.parametrize(
    ("package", "limit"), [("tf2trt_core", 400), ("tf2trt_ops", 120), ("tf2trt_plugins_cuda", 120)]
)
def test_files_stay_small(package: str, limit: int) -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(package)}
    assert {name: count for name, count in long.items() if count > limit} == {}


def test_every_python_file_says_what_it_is_for() -> None:
    mute = [
        path.relative_to(ROOT)
        for path in tracked()
        if path.suffix == ".py" and not path.read_text().lstrip().startswith(('"""', 'r"""', "#!"))
    ]
    assert mute == []


def test_nothing_points_at_a_machine_or_a_package_index() -> None:
    forbidden = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "pypi" + ".org", "file:" + "///"]
    forbidden += ["/work" + "/", "/opt" + "/venv", "/root" + "/", "shared" + "/design"]
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {word}" for word in forbidden if word in text]
    assert found == []


def pins() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_]+)", line)
        assert match, f"constraints.txt: {line!r} is not name==version"
        found[canonical(match[1])] = Version(match[2])
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_everything_that_ci_installs_is_pinned() -> None:
    pinned = pins()
    wanted = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    for requirement in map(Requirement, wanted):
        name = canonical(requirement.name)
        if name not in {*UNPINNED, "tf2trt"}:
            assert name in pinned, f"{name} is not in constraints.txt"
            assert pinned[name] in requirement.specifier, f"{name}=={pinned[name]} is not {requirement.specifier}"
