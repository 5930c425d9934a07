"""Builds a program's network into a plan with TensorRT's builder: profile, targets, memory, progress, errors."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tf2trt_core import container
from tf2trt_core.edition import Edition, edition
from tf2trt_core.errors import BuildError, ShapesError
from tf2trt_core.kernels.plugins import needed
from tf2trt_core.kernels.plugins.loading import noted
from tf2trt_core.plan import Plan, digest, own_version
from tf2trt_core.program import Program
from tf2trt_core.progress import Follower, Progress, monitor
from tf2trt_core.sidecar import Needed, Sidecar
from tf2trt_core.spec import TensorSpec
from tf2trt_core.tensorrt_log import builder, log

#: Settings that an edition which builds for targets takes and ignores: it chooses kernels on the GPU that runs a plan.
TIMED_AT_BUILD = (
    "avg_timing_iterations",
    "builder_optimization_level",
    "hardware_compatibility_level",
    "max_num_tactics",
    "tiling_optimization_level",
)

#: Properties that have a keyword of their own.
SET_ELSEWHERE = ("flags", "num_compute_capabilities", "progress_monitor")


class BuildArgumentError(BuildError, TypeError):
    """An argument of ``optimize_network`` has no meaning here; the message names what to use."""


class Buildable(Protocol):
    """What is needed of a program to build it."""

    @property
    def network(self) -> Any:
        """TensorRT's ``INetworkDefinition``."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """In the signature's order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """In the signature's order."""

    @property
    def precision(self) -> str:
        """``"float32"``, ``"float16"`` or ``"bfloat16"``."""


def optimize_network(
    program: Buildable,
    *,
    compute_capabilities: Sequence[str] | None = None,
    progress: Progress | None = None,
    workspace: int | None = None,
    builder_optimization_level: int | None = None,
    settings: Mapping[str, Any] | None = None,
    flags: Mapping[str, bool] | None = None,
    max_workspace_size: int | None = None,
    fast_pass: bool | None = None,
    max_batch_size: int | None = None,
    fp16_mode: bool | None = None,
) -> Plan:
    """Build the program's network; returns the plan with its sidecar.

    A program with cuts has each network built so; its plan is a container of those and of the kernels' machine code.

    ``compute_capabilities``: the GPUs to build for, ``["8.6", "12.0"]`` (editions with targets); None: its default.
    ``progress``: ``progress(phase, seconds)``, called at TensorRT's events and four times a second between them, from
    other threads too; returning False cancels at TensorRT's next step.
    ``workspace``: bytes of scratch memory that a layer may take on the GPU (TensorRT's WORKSPACE pool).
    ``builder_optimization_level``: 0 (quick build) to 5 (quick engine); where kernels are chosen at build time.
    ``settings``, ``flags``: other properties of ``IBuilderConfig`` and its ``BuilderFlag``, by TensorRT's names:
    ``settings={"profiling_verbosity": "DETAILED"}, flags={"TF32": False}``. Each is read back after it was set.

    Keywords of the first TF2TRT: ``max_workspace_size`` is ``workspace``. ``fast_pass=True`` is
    ``builder_optimization_level=0``; editions with targets always build that way. ``max_batch_size`` and ``fp16_mode``
    raise: batch ranges and precision belong to the conversion now.

    Raises ``ShapesError`` for an open dimension without a range, ``BuildArgumentError`` for an argument that has
    no meaning here, ``BuildError`` (with TensorRT's log lines) when there is no plan or it was cancelled.
    """
    here = edition()
    _refuse_retired(program, max_batch_size=max_batch_size, fp16_mode=fp16_mode)
    config = builder().create_builder_config()
    _set_targets(here, config, compute_capabilities)
    _set_workspace(here, config, workspace, max_workspace_size)
    chosen = dict(settings or {})
    if builder_optimization_level is not None:
        chosen["builder_optimization_level"] = builder_optimization_level
    elif fast_pass and not here.targets:
        chosen["builder_optimization_level"] = 0
    for name, value in chosen.items():
        _set_property(here, config, name, value)
    for name, on in (flags or {}).items():
        _set_flag(here, config, name, on=on)
    if isinstance(program, Program) and program.is_cut:
        _refuse_unranged(program)
        plans = [
            optimize_network(
                part,
                compute_capabilities=compute_capabilities,
                progress=progress,
                workspace=workspace,
                builder_optimization_level=builder_optimization_level,
                settings=settings,
                flags=flags,
                max_workspace_size=max_workspace_size,
                fast_pass=fast_pass,
            )
            for part in program.networks
        ]
        about = _sidecar(program, here, memoryview(b""), tuple(compute_capabilities or ()), ())
        return container.pack(program, plans, about)
    _add_profile(config, program)
    data = _build(program, config, progress)
    capabilities = tuple(compute_capabilities or ())
    kernels = needed(program.network)
    about = _sidecar(program, here, data, capabilities, tuple(map(noted, kernels)))
    return Plan(data, about, kernels)


def _refuse_retired(program: Buildable, *, max_batch_size: int | None, fp16_mode: bool | None) -> None:
    if max_batch_size is not None:
        example = program.inputs[0].name if program.inputs else "x"
        raise BuildArgumentError(
            f"max_batch_size={max_batch_size!r}: TensorRT has no implicit batch any more. Give the range when "
            f'converting, one entry per dimension: shapes={{"{example}": [(1, 8, 32), ...]}} is (min, opt, max) of it'
        )
    if fp16_mode:
        raise BuildArgumentError(
            "fp16_mode=True: precision is part of the network now, the builder cannot choose it. "
            'Convert with precision="float16" (or "bfloat16")'
        )


def _set_targets(here: Edition, config: Any, capabilities: Sequence[str] | None) -> None:
    if capabilities is None:
        return
    if not here.targets:
        raise BuildArgumentError(
            f"compute_capabilities={list(capabilities)!r}: {here.name} {here.version} builds for this machine's GPU "
            "only. Leave it out, or build with TensorRT for RTX: pip install 'tf2trt[rtx]'"
        )
    known = {
        _capability(name): value for name, value in here.trt.ComputeCapability.__members__.items() if name[2:].isdigit()
    }
    if isinstance(capabilities, str) or not capabilities or len(set(capabilities)) != len(capabilities):
        raise BuildArgumentError(
            f'compute_capabilities={capabilities!r}: expected a list of different texts such as ["8.6", "12.0"]'
        )
    for wanted in capabilities:
        if wanted not in known:
            raise BuildArgumentError(
                f"compute_capabilities={list(capabilities)!r}: {here.name} {here.version} cannot build for {wanted!r}, "
                f"only for {', '.join(known)}"
            )
    mark = log.mark()
    config.num_compute_capabilities = len(capabilities)
    for index, wanted in enumerate(capabilities):
        taken = config.set_compute_capability(known[wanted], index)
        if not taken or config.get_compute_capability(index) != known[wanted]:
            raise _refused(here, f"compute_capabilities[{index}]", wanted, mark)


def _capability(member: str) -> str:
    """``"SM86"`` is ``"8.6"``, ``"SM120"`` is ``"12.0"``."""
    return f"{member[2:-1]}.{member[-1]}"


def _set_workspace(here: Edition, config: Any, workspace: int | None, seed: int | None) -> None:
    if workspace is not None and seed is not None:
        raise BuildArgumentError("workspace and max_workspace_size are the same limit (bytes); give one of them")
    limit = workspace if workspace is not None else seed
    if limit is None:
        return
    if type(limit) is not int or limit <= 0:
        raise BuildArgumentError(f"workspace={limit!r}: expected a number of bytes above 0, such as 1 << 30 for 1 GiB")
    mark = log.mark()
    pool = here.trt.MemoryPoolType.WORKSPACE
    config.set_memory_pool_limit(pool, limit)
    if config.get_memory_pool_limit(pool) != limit:
        raise _refused(here, "workspace", limit, mark)


def _set_property(here: Edition, config: Any, name: str, value: Any) -> None:
    members = vars(type(config)).items()
    known = [key for key, kind in members if isinstance(kind, property) and kind.fset and key not in SET_ELSEWHERE]
    if name not in known:
        raise BuildArgumentError(f"settings: IBuilderConfig has no property {name!r} to set{_nearest(name, known)}")
    if here.targets and name in TIMED_AT_BUILD:
        raise BuildArgumentError(
            f"{name}={value!r}: {here.name} {here.version} takes this setting and ignores it, because it chooses "
            "kernels on the GPU that runs the plan. Leave it out; compute_capabilities= says which GPUs"
        )
    values = getattr(type(getattr(config, name)), "__members__", {})
    if values and isinstance(value, str):
        if value not in values:
            raise BuildArgumentError(f"{name}={value!r}: expected one of {', '.join(values)}")
        value = values[value]
    mark = log.mark()
    try:
        setattr(config, name, value)
    except TypeError:
        raise BuildArgumentError(f"{name}={value!r}: expected a value like {getattr(config, name)!r}") from None
    if getattr(config, name) != value:
        raise _refused(here, name, value, mark)


def _set_flag(here: Edition, config: Any, name: str, *, on: bool) -> None:
    members = here.trt.BuilderFlag.__members__
    if name not in members:
        raise BuildArgumentError(
            f"flags: {here.name} {here.version} has no BuilderFlag {name!r}{_nearest(name, list(members))}"
        )
    mark = log.mark()
    (config.set_flag if on else config.clear_flag)(members[name])
    if config.get_flag(members[name]) != on:
        raise _refused(here, f"flags[{name!r}]", on, mark)


def _refused(here: Edition, name: str, value: Any, mark: int) -> BuildArgumentError:
    lines = "".join(f"\n  TensorRT: {line}" for line in log.since(mark))
    return BuildArgumentError(
        f"{name}={value!r}: {here.name} {here.version} did not take the value and kept its own. Leave it out{lines}"
    )


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"; nearest: {', '.join(close)}" if close else f"; it has {', '.join(sorted(known))}"


def _add_profile(config: Any, program: Buildable) -> None:
    """One optimization profile from the program's ranges, when anything is open."""
    _refuse_unranged(program)
    tensors = {
        tensor.name: tensor for tensor in (program.network.get_input(i) for i in range(program.network.num_inputs))
    }
    for spec in program.inputs:
        if spec.tensor in tensors and tensors[spec.tensor].is_shape_tensor:
            raise BuildError(
                f"input {spec.name!r} holds a shape or size ({spec.carrier}{list(spec.shape)}): TensorRT wants a range "
                "of its values, which tf2trt does not give yet. Make it a constant of the model"
            )
    if not any(-1 in spec.shape for spec in program.inputs):
        return
    profile = builder().create_optimization_profile()
    mark = log.mark()
    for spec in program.inputs:
        bounds = [spec.ranges[axis] or (extent,) * 3 for axis, extent in enumerate(spec.shape)]
        low, usual, high = (tuple(bound[k] for bound in bounds) for k in range(3))
        profile.set_shape(spec.tensor, low, usual, high)
        if [tuple(shape) for shape in profile.get_shape(spec.tensor)] != [low, usual, high]:
            raise ShapesError(
                f"input {spec.name!r}: TensorRT does not take the range {low} .. {usual} .. {high}: "
                f"{'; '.join(log.since(mark)) or 'no reason given'}"
            )
    if config.add_optimization_profile(profile) < 0:
        raise ShapesError(f"TensorRT does not take the ranges: {'; '.join(log.since(mark)) or 'no reason given'}")


def _refuse_unranged(program: Buildable) -> None:
    missing = [
        spec
        for spec in program.inputs
        if any(extent == -1 and spec.ranges[axis] is None for axis, extent in enumerate(spec.shape))
    ]
    if not missing:
        return
    names = ", ".join(repr(spec.name) for spec in missing)
    paste = ", ".join(
        f'"{spec.name}": [{", ".join(_entry(spec, axis) for axis in range(len(spec.shape)))}]' for spec in missing
    )
    raise ShapesError(
        f"TensorRT needs a range for each open dimension and there is none for {names} (an open dimension is -1: "
        f"{', '.join(f'{spec.name!r} is {list(spec.shape)}' for spec in missing)}). "
        f"Convert again with (min, opt, max), or one number to fix it; put your own numbers in:\n  shapes={{{paste}}}"
    )


def _entry(spec: TensorSpec, axis: int) -> str:
    if spec.shape[axis] != -1:
        return str(spec.shape[axis])
    return str(spec.ranges[axis] or ((1, 8, 32) if axis == 0 else (1, 64, 256)))


def _build(program: Buildable, config: Any, progress: Progress | None) -> memoryview:
    mark = log.mark()
    with Follower(progress) as follower:
        watcher = monitor(follower)  # TensorRT keeps no reference: it must live until the build ends
        config.progress_monitor = watcher
        host = builder().build_serialized_network(program.network, config)
        seconds, phase = follower.elapsed, follower.phase
    if follower.error is not None:
        raise follower.error
    if follower.cancelled:
        raise BuildError(f"cancelled: progress returned False after {seconds:.1f} s, in {phase!r}; there is no plan")
    if host is None:
        raise BuildError(_failure(program.network, log.since(mark, worst="ERROR") or log.since(mark)))
    return memoryview(host).cast("B").toreadonly()


def _failure(network: Any, lines: Sequence[str]) -> str:
    said = "".join(f"\n  TensorRT: {line}" for line in lines) or "\n  TensorRT logged no reason"
    nodes = _named(network, " ".join(lines))
    made = "".join(f"\n  layer {layer!r} comes from {node!r}" for layer, node in nodes)
    return (
        f"TensorRT built no plan of the network ({network.num_layers} layers):{said}{made}\n"
        "  try: the reference backend shows whether the network is right; workspace= gives layers more memory"
    )


def _named(network: Any, text: str) -> list[tuple[str, str]]:
    """The layers that the log lines name, with the TensorFlow nodes in their metadata; ten at most."""
    found = []
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.name in text and re.search(rf"(?<![\w/.]){re.escape(layer.name)}(?![\w/])", text):
            found.append((layer.name, layer.metadata))
    return found[:10]


def _sidecar(
    program: Buildable, here: Edition, data: memoryview, capabilities: tuple[str, ...], plugins: tuple[Needed, ...]
) -> Sidecar:
    loaded = sys.modules.get("tensorflow")
    return Sidecar(
        inputs=program.inputs,
        outputs=program.outputs,
        precision=program.precision,
        edition=here.name,
        tensorrt=here.version,
        compute_capabilities=capabilities,
        sha256=digest(data),
        size=data.nbytes,
        tf2trt=own_version(),
        tensorflow=str(loaded.__version__) if loaded else None,
        plugins=plugins,
    )
