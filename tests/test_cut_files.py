"""A program with cuts as a file: stored, loaded, damaged, of other kernels."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest

import tf2trt_core as tf2trt
from helpers import traced
from test_cut_models import bags, detector
from tf2trt_core import container
from tf2trt_core.build import BuildArgumentError
from tf2trt_core.cli import main
from tf2trt_core.dims import evaluate
from tf2trt_core.errors import PlanError, ReferenceError_
from tf2trt_core.kernels.plugins import identity
from tf2trt_core.plan import Plan, sidecar_path
from tf2trt_core.program import Call, Numbers
from tf2trt_core.reference.programs import Played, Steps
from tf2trt_core.triton import triton_repository


@pytest.fixture(scope="module")
def program():
    return tf2trt.from_function(traced(bags, ((None, 5), "int32")), shapes={"x": [(1, 8, 32), 5]})


@pytest.fixture(scope="module")
def plan(program):
    return tf2trt.optimize_network(program, compute_capabilities=["8.6"])


def rewritten(plan, name, contents):
    """The container with one file changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plan.data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, contents if entry == name else old.read(entry))
    return Plan(buffer.getvalue(), plan.sidecar)


def manifest_of(plan):
    with zipfile.ZipFile(io.BytesIO(plan.data)) as archive:
        return json.loads(archive.read("manifest.json"))


def test_what_is_stored_is_loaded(program, plan, tmp_path):
    path = tf2trt.store_engine(plan, tmp_path / "model.plan")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.plan"]
    assert not sidecar_path(path).exists()
    loaded = tf2trt.load_engine(path)
    assert loaded.sidecar == plan.sidecar
    assert [one.name for one in loaded.sidecar.kernels] == [identity(call.kernel) for call in program.calls]
    assert (loaded.sidecar.inputs, loaded.sidecar.outputs) == (program.inputs, program.outputs)
    steps = container.read(loaded.data).steps
    assert [isinstance(step, Call) for step in steps] == [isinstance(part, Call) for part in program.parts]
    for step, part in zip(steps, program.parts, strict=True):
        if isinstance(step, Plan):
            assert step.sidecar.inputs == part.inputs
        else:
            assert (step.kernel, step.name, step.dtypes, step.outputs, step.sizes) == (
                part.kernel, part.name, part.dtypes, part.outputs, part.sizes,
            )  # fmt: skip
            assert evaluate(step.scalars["segments"], lambda leaf: {"x": (7, 5)}[leaf.key.name][leaf.axis]) == 7
            np.testing.assert_array_equal(step.inputs[0], part.inputs[0])
            assert step.inputs[1:] == part.inputs[1:]


def test_code_is_compiled_for_the_targets(plan):
    found = container.read(plan.data)
    ((_, binaries),) = found.code.items()
    assert [(one.kind, one.capability) for one in binaries] == [("cubin", 86)]
    (call,) = (step for step in found.steps if isinstance(step, Call))
    bound = call.kernel.bind(call.dtypes, call.scalars)
    assert found.binary(call.kernel, bound, 86) is binaries[0]
    assert found.binary(call.kernel, bound, 90).capability == 90  # compiled now


def test_without_targets_there_is_code_for_all():
    program = tf2trt.from_function(traced(detector, (2, 16, 16, 3)))
    found = container.read(tf2trt.optimize_network(program).data)
    for call in program.calls:
        bound = call.kernel.bind(call.dtypes, call.scalars)
        assert found.binary(call.kernel, bound, 120).kind == "ptx"


def test_numbers_and_dimensions_survive(program):
    import tensorflow as tf

    def model(x):
        return tf.math.bincount(tf.shape(x), minlength=tf.shape(x)[0] * 2, maxlength=tf.shape(x)[0] * 2)

    program = tf2trt.from_function(traced(model, (None, 3)), shapes={"x": [(1, 3, 8), 3]})
    (call,) = (step for step in container.read(tf2trt.optimize_network(program).data).steps if isinstance(step, Call))
    numbers = [operand for operand in call.inputs if isinstance(operand, Numbers)]
    assert [one.array(lambda leaf: 6).tolist() for one in numbers] == [[6, 3]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[: len(data) // 2], "is no zip file"),
        (lambda data: b"PK\x03\x04" + b"\0" * 50, "is no zip file"),
    ],
)
def test_a_damaged_file_says_so(plan, tmp_path, change, said):
    path = tmp_path / "model.plan"
    path.write_bytes(change(bytes(plan.data)))
    with pytest.raises(PlanError, match=said):
        tf2trt.load_engine(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.update(format=2), "has format 2"),
        (lambda found: found.pop("sidecar"), "no manifest with a sidecar"),
        (lambda found: found["sidecar"].pop("inputs"), "lacks 'inputs'"),
    ],
)
def test_a_damaged_manifest_says_so(plan, tmp_path, change, said):
    found = manifest_of(plan)
    change(found)
    path = tf2trt.store_engine(rewritten(plan, "manifest.json", json.dumps(found)), tmp_path / "model.plan")
    with pytest.raises(PlanError, match=said):
        tf2trt.load_engine(path)


def test_damaged_steps_say_so(plan):
    def changed(change):
        found = manifest_of(plan)
        change(found["sidecar"]["kernels"][0], next(step for step in found["steps"] if "kernel" in step))
        return rewritten(plan, "manifest.json", json.dumps(found)).data

    with pytest.raises(PlanError, match=r"needs the kernel tf2trt::nothing of tf2trt .* \(no installed package"):
        container.read(changed(lambda needed, _: needed.update(name="tf2trt::nothing")))
    with pytest.raises(PlanError, match="another source or launches"):
        container.read(changed(lambda needed, _: needed.update(digest="0")))
    with pytest.raises(PlanError, match="another signature"):
        container.read(changed(lambda needed, _: needed.update(digest="0", signature="f(x: T) -> y: T")))
    with pytest.raises(PlanError, match="is damaged"):
        container.read(changed(lambda _, step: step.pop("outputs")))
    with pytest.raises(PlanError, match="is damaged"):
        container.read(changed(lambda _, step: step.update(kernel=7)))
    with pytest.raises(PlanError, match=r"is damaged .*lacks 'digest'"):
        container.read(changed(lambda needed, _: needed.pop("digest")))
    name = next(step for step in manifest_of(plan)["steps"] if "kernel" in step)["code"][0]
    with pytest.raises(PlanError, match="no compiled kernel"):
        container.read(rewritten(plan, name, b"nothing").data)
    with pytest.raises(PlanError, match="another hash"):
        container.read(rewritten(plan, manifest_of(plan)["steps"][-1]["plan"], b"nothing").data)


@pytest.mark.parametrize(
    "arguments",
    [{"fp16_mode": True}, {"max_batch_size": 8}, {"flags": {"NONE": True}}, {"compute_capabilities": ["99.9"]}],
)
def test_wrong_arguments_are_refused_where_there_is_no_network_too(arguments):
    import tensorflow as tf

    program = tf2trt.from_function(traced(tf.math.lgamma, (2, 3)))
    assert not program.networks
    with pytest.raises(BuildArgumentError):
        tf2trt.optimize_network(program, **arguments)


def test_triton_takes_no_program_with_cuts(plan, tmp_path):
    with pytest.raises(PlanError, match="no plan that Triton's"):
        triton_repository(plan, tmp_path, "model")


def test_the_command_line_says_what_was_cut(tmp_path, capsys):
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2, 16, 16, 3), name="x")])
        def __call__(self, x):
            return dict(zip(("boxes", "best", "count", "seen"), detector(x), strict=True))

    model = Model()
    tf.saved_model.save(model, tmp_path / "model", signatures=model.__call__)
    target = tmp_path / "model.plan"
    with pytest.raises(SystemExit, match="0"):
        main(["convert", str(tmp_path / "model"), "-o", str(target), "--verify"])
    assert "3 networks, 2 kernels" in capsys.readouterr().out
    assert len(container.read(tf2trt.load_engine(target).data).steps) == 5


# -- what the reference plays, as a file -----------------------------------------------------------
def saved(program):
    file = io.BytesIO()
    Steps.read(program).save(file)
    return file


def test_saved_steps_play_as_the_program_does(program):
    x = {"x": np.random.default_rng(1).integers(0, 50, (7, 5)).astype(np.int32)}
    found = Played(Steps.load(saved(program))).run(x)
    for name, array in Played(program).run(x).items():
        np.testing.assert_array_equal(found[name], array)


def test_saved_steps_take_another_version_of_a_kernel_with_the_same_signature(program):
    (kernel,) = {call.kernel for call in program.calls}
    changed = dataclasses.replace(kernel, fma=not kernel.fma)
    calls = [step for step in Steps.load(saved(program), [changed]).steps if isinstance(step, Call)]
    assert {call.kernel for call in calls} == {changed}
    calls = [step for step in Steps.load(saved(program), [changed, kernel]).steps if isinstance(step, Call)]
    assert {call.kernel for call in calls} == {kernel}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda found: found.update(format=9), ReferenceError_, "steps of format 9, this version reads 1"),
        (lambda found: found.pop("outputs"), ReferenceError_, "not a file of a program's steps .'outputs'"),
        (
            lambda found: found["kernels"][0].update(signature="f(x: T) -> y: T", digest="0"),
            PlanError,
            "another signature",
        ),
    ],
)
def test_damaged_steps_files_say_so(program, change, error, said):
    stored = Plan(saved(program).getvalue(), None)
    found = manifest_of(stored)
    change(found)
    with pytest.raises(error, match=said):
        Steps.load(io.BytesIO(rewritten(stored, "manifest.json", json.dumps(found)).data))
    with pytest.raises(ReferenceError_, match="not a file of a program's steps"):
        Steps.load(io.BytesIO(b"nothing"))
