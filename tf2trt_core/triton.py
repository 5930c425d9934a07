"""A model repository for Triton Inference Server, written from a plan and its signature."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from tf2trt_core.errors import PlanError
from tf2trt_core.files import flush_folder, replace_together
from tf2trt_core.plan import Plan
from tf2trt_core.spec import TensorSpec

#: Triton's names of TensorRT's dtypes.
TYPES = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "int8": "TYPE_INT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "float32": "TYPE_FP32",
}


def triton_repository(plan: Plan, directory: str | os.PathLike[str], name: str) -> Path:
    """Write ``directory/name/config.pbtxt`` and ``directory/name/1/model.plan``; returns ``directory/name``.

    The folder appears by rename. Inputs and outputs have the names and dtypes of TensorRT's tensors, whole shapes and
    no batching by the server. Raises ``PlanError`` when the name is no folder name, the folder exists or cannot be
    written, the plan needs Python plugins, or the server has no name for a dtype.
    """
    plugins, kernels = (", ".join(one.name for one in some) for some in (plan.sidecar.plugins, plan.sidecar.kernels))
    if plugins:
        raise PlanError(
            f"the plan needs the Python plugins {plugins}, which Triton's TensorRT backend "
            "cannot load. Run it with inference_engine, in Triton's Python backend if need be"
        )
    if kernels:
        raise PlanError(
            f"a program with cuts (it runs {kernels} between its plans) is no plan that "
            "Triton's TensorRT backend loads. Run it with inference_engine, in Triton's Python backend if need be"
        )
    if not name or name in (".", "..") or set(name) & set('/\\:*?"<>|\0'):
        raise PlanError(f"a Triton model cannot be called {name!r}: give a plain folder name such as 'resnet50'")
    target = Path(directory) / name
    config = config_text(plan, name).encode()
    part = target.with_name(f".{name}.{uuid.uuid4().hex[:12]}.part")
    try:
        if target.exists():
            raise PlanError(f"{str(target)!r} exists: delete it, or give another name or folder")
        (part / "1").mkdir(parents=True)
        replace_together({part / "config.pbtxt": config, part / "1" / "model.plan": plan.data})
        part.rename(target)
        flush_folder(target.parent)
    except OSError as error:
        raise PlanError(
            f"cannot write the Triton repository {str(target)!r}: {error.strerror or error}. Nothing was left behind; "
            "make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def config_text(plan: Plan, name: str) -> str:
    """The text of ``config.pbtxt``."""
    sidecar = plan.sidecar
    lines = [
        f"# Written by tf2trt {sidecar.tf2trt}. The plan was made by {sidecar.edition} {sidecar.tensorrt}:",
        "# the server's TensorRT backend must be linked against that edition and version.",
        f"name: {_quoted(name)}",
        'backend: "tensorrt"',
        'default_model_filename: "model.plan"',
        "max_batch_size: 0  # shapes below are whole: the server adds no batch dimension",
    ]
    for heading, specs in (("input", sidecar.inputs), ("output", sidecar.outputs)):
        entries = ",\n".join(_tensor(spec) for spec in specs)
        lines.append(f"{heading} [\n{entries}\n]")
    return "\n".join(lines) + "\n"


def _tensor(spec: TensorSpec) -> str:
    kind = TYPES.get(spec.carrier)
    if kind is None:
        raise PlanError(
            f"Triton has no dtype for {spec.name!r} ({spec.carrier}); it has {', '.join(TYPES)}. "
            "Cut the model at another tensor, or cast it in the model"
        )
    dims = f"dims: [ {', '.join(map(str, spec.shape))} ]"
    if not spec.shape:  # the server has no empty dims; it reshapes [1] to a scalar
        dims = "dims: [ 1 ]\n    reshape { shape: [ ] }"
    comment = "" if spec.name == spec.tensor else f"  # {_quoted(spec.name)} in the signature"
    return f"  {{\n    name: {_quoted(spec.tensor)}{comment}\n    data_type: {kind}\n    {dims}\n  }}"


def _quoted(text: str) -> str:
    """A string as protobuf's text format has it (its escapes include JSON's)."""
    return json.dumps(text, ensure_ascii=False)
