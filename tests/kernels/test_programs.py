"""``benchmarks/kernel_programs.py``: recorded here, replayed where neither TensorFlow nor TensorRT can be imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fresh

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "tensorrt", "tensorrt_rtx"}:
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Absent())
from benchmarks.kernel_programs import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "programs.zip"
    command = [sys.executable, "-m", "benchmarks.kernel_programs", "record", path]
    fresh.run(*command, "--only", "embedding, bfloat16;sizes from data", cwd=ROOT)
    return path


@pytest.mark.parametrize("on", ["reference", "host"])
def test_a_replay_needs_neither_tensorflow_nor_tensorrt(recorded, on):
    _, _, *rows = fresh.run(sys.executable, "-c", WITHOUT, "replay", recorded, "--on", on, cwd=ROOT).splitlines()
    assert [row.split(" | ")[:4] for row in rows] == [
        ["| embedding, bfloat16", "2", "sparse_segment_mean", "1x5; 8x5; 32x5"],
        ["| sizes from data", "4", "where, unique_with_counts, unsorted_segment_sum", "4x3; 8x3; 1x3; 7x3"],
    ]


@pytest.fixture
def programs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.kernel_programs")


def test_a_wrong_answer_fails(programs, recorded, capsys):
    import zipfile

    with zipfile.ZipFile(recorded) as archive:
        found = programs.Recorded.load(archive, "sizes from data")
    for _, answers in found.trials:
        answers[found.steps.outputs[1]][...] += 1
    row = programs.replay(found, programs.player("reference", None))
    assert len(row["wrong"]) == 3  # one of the four has none positive
    assert "of the norm" in row["wrong"][0]


class Array(np.ndarray):
    """Stands for CuPy's: everything that comes to the host goes through ``get``."""

    def get(self):
        return np.asarray(self)

    def __int__(self):
        return int(self.get().item())


def on_fake(programs, execute):
    cupy = SimpleNamespace(ndarray=Array, arange=lambda count: np.arange(count).view(Array).reshape(count, 1))
    device = programs.Device(cupy, None)
    device.plain = lambda recorded: programs.contextlib.nullcontext(execute)
    return device.watched(None)


def test_kernels_may_read_their_sizes_and_nothing_else(programs, monkeypatch):
    kernel, array = SimpleNamespace(sizes=("found",)), np.zeros(4).view(Array)

    def reads(*parts):
        return lambda kernel, arrays, scalars: [*arrays, *(part.get().view(Array) for part in parts)]

    size = np.zeros(1, np.int64).view(Array)
    with on_fake(programs, reads(size)) as (run, seen):
        run(kernel, [array], {})
        assert seen == []
        array.get()
        assert seen == [32]
        with pytest.raises(AssertionError, match="not on the device"):
            run(kernel, [np.zeros(4)], {})
    for parts in ((), (array,), (size, size)):
        with on_fake(programs, reads(*parts)) as (run, _), pytest.raises(AssertionError, match="copied to the host"):
            run(kernel, [array], {})
    monkeypatch.setattr(Array, "__int__", lambda array: 0)
    with pytest.raises(AssertionError, match="are not seen"), on_fake(programs, reads(size)):
        pass
