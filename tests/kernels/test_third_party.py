"""A stranger's package with a kernel: installed in a fresh environment, it goes through the same door as ours."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fresh
from tf2trt_core.kernels import compiler

SAMPLE = Path(__file__).parent.parent / "sample_kernel"
RUN = """
import json
import numpy as np
from acme_kernels.running_max import RUNNING_MAX
from tf2trt_core import Registry
from tf2trt_core.kernels.host import HostRunner
x = np.array([[1, 3, 2, 5], [4, 4, 0, -1]], np.int32)
with HostRunner() as runner:
    y = runner.run(RUNNING_MAX, [x], seed=3, shift=1)[0]
(entry,) = Registry.default().entries("AcmeRunningMax")
print(json.dumps([y.tolist(), entry.distribution, entry.version, Registry.default().problems]))
"""

STORE = """
import tf2trt_core as tf2trt
from tensorflow.core.framework import graph_pb2
proto = graph_pb2.GraphDef()
proto.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
proto.node.add(name="y", op="AcmeRunningMax", input=["x"]).attr["T"].type = 1
program = tf2trt.from_tensorflow_graph_def(proto, ["x"], [(2, 3)], ["y"])
tf2trt.store_engine(tf2trt.optimize_network(program), "acme.plan")
"""
LOAD = """
import json
import tf2trt_core as tf2trt
from tf2trt_core import container
plan = tf2trt.load_engine("acme.plan")
(call,) = container.read(plan.data, plan.kernels).steps
print(json.dumps([call.kernel.launches.__module__, plan.sidecar.kernels[0].package]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("third-party-kernel")
    shutil.copytree(SAMPLE, folder / "source")
    return fresh.wheel(folder / "source", folder / "dist")


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A fresh environment with the sample's wheel."""
    found = fresh.environment(tmp_path_factory.mktemp("environment") / "venv")
    fresh.install(found, wheel)
    return found


def test_the_wheel_brings_the_source(wheel):
    assert "acme_kernels/running_max.cu" in zipfile.ZipFile(wheel).namelist()


def test_the_installed_kernel_runs(python, tmp_path):
    answers, distribution, version, problems = json.loads(fresh.run(python, "-c", RUN, cwd=tmp_path))
    assert answers == [[1, 3, 3, 5], [4, 4, 4, 4]]
    assert (distribution, version, problems) == ("acme-kernels", "0.4.0", [])


def test_its_programs_are_stored_and_loaded_again(python, tmp_path):
    fresh.run(python, "-c", STORE, cwd=tmp_path)
    assert json.loads(fresh.run(python, "-c", LOAD, cwd=tmp_path)) == ["acme_kernels.running_max", "acme-kernels 0.4.0"]
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "acme_running_max of acme-kernels 0.4.0 (no installed package declares it). Install acme-ker" in done.stderr


def test_its_source_compiles(monkeypatch):
    monkeypatch.syspath_prepend(SAMPLE)
    kernel = importlib.import_module("acme_kernels.running_max").RUNNING_MAX
    (binary,) = compiler.build_all([kernel], 75).values()
    assert "acme::running_max<tf2trt::half>" in binary.symbols
    for name in ("acme_kernels", "acme_kernels.running_max"):
        del sys.modules[name]


def test_conformance_converts_it_and_builds_the_networks_around_it(python, tmp_path):
    out = tmp_path / "verdicts.json"
    command = [python, "-m", "pytest", "-q", "--pyargs", "tf2trt_core.conformance", "--op", "AcmeRunningMax"]
    fresh.run(
        *command, "--derandomize", "--max-examples", "15", "--engines-built", "2", "--verdicts", out, cwd=tmp_path
    )
    (result,) = json.loads(out.read_text())["results"]
    assert result["plugin"] == "acme_kernels.running_max:AcmeRunningMax"
    assert result["verdicts"]["pass"] >= 14
    assert result["engines"] >= 1
