"""``tf2trt check``, ``convert`` and ``run``: what they do with a model."""

from __future__ import annotations

import io
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from tf2trt_core import advice, api, verification
from tf2trt_core.advice import Cut
from tf2trt_core.build import optimize_network
from tf2trt_core.cli import options, screen, tables
from tf2trt_core.cli.errors import FAILED
from tf2trt_core.convert import PrecisionWarning
from tf2trt_core.edition import gpu_count, installed
from tf2trt_core.engine import Engine, inference_engine
from tf2trt_core.errors import EngineError, MissingDependencyError
from tf2trt_core.feeds import describe
from tf2trt_core.files import replace_together
from tf2trt_core.manifest import is_program
from tf2trt_core.plan import Plan, load_engine, sidecar_path, store_engine
from tf2trt_core.program import Program
from tf2trt_core.report import Report
from tf2trt_core.spec import TensorSpec
from tf2trt_core.triton import triton_repository
from tf2trt_core.verify import draw_feeds, verify

Backend = Literal["auto", "tensorrt", "reference"]


def check(
    model: options.Model,
    *,
    shape: options.Shape = None,
    inputs: options.Input = None,
    outputs: options.Output = None,
    signature: options.Signature = "serving_default",
    tag: options.Tag = None,
    without: options.Without = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> None:
    """Say everything that will not convert, why, and what to try. Builds nothing."""
    request = api.Request(
        shapes=options.shapes(shape),
        inputs=options.cut(inputs, "--input"),
        outputs=options.cut(outputs, "--output"),
        without=without or (),
        strict=strict,
    )
    with screen.step(f"Checking {model.name}", quiet=as_json) as step:
        report, cut, ranges = _checked(model, request, signature, tag)
        step.result = f"{sum(report.ops.values())} nodes of {len(report.ops)} ops"
    if as_json:
        screen.show_json(report.to_json() | {"cut": asdict(cut) if cut else None})
    else:
        _show(report, cut, ranges)
    if not report.ok:
        raise typer.Exit(FAILED)


def _checked(
    model: Path, request: api.Request, signature: str, tags: list[str] | None
) -> tuple[Report, Cut | None, str]:
    """As ``api.check``, where to cut the graph that was read, and the ranges that an engine needs, to paste."""
    if not installed():
        found = api.check(
            model,
            signature=signature,
            tags=tags,
            without=request.without,
            inputs=request.inputs,
            outputs=request.outputs,
        )
        return found, None, ""
    registry = request.registry
    graph = request.graph(model, registry, signature, tags)
    conversion = request.conversion(graph, registry)
    report = conversion.report()
    cut = advice.cut(graph, [failure.node for failure in report.failures], registry.find)
    return report, cut, options.suggested(conversion.specs)


def _show(report: Report, cut: Cut | None, ranges: str) -> None:
    for line in report.notes:
        screen.note(line)
    if report.failures:
        screen.show(tables.failures(report.rows))
    for op in () if report.shapes_checked else report.missing:
        screen.show(f"no installed package converts {op}")
    screen.show(report.summary if report.ok else _verdict(report))
    if cut is not None:
        screen.show(f"{cut.kept} of {cut.nodes} nodes are left when the graph is cut around them:\n  {cut.options}")
    elif ranges:
        screen.show(f"an engine needs a range for each open dimension; put your own numbers in:\n  {ranges}")


def _verdict(report: Report) -> str:
    if report.failures:
        return f"{len(report.failures)} of {sum(report.ops.values())} nodes will not convert"
    return f"{len(report.missing)} of {len(report.ops)} ops have no plugin"


def convert(
    model: options.Model,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PLAN", help="Where the plan goes; default: MODEL.plan here.")
    ] = None,
    shape: options.Shape = None,
    inputs: options.Input = None,
    outputs: options.Output = None,
    signature: options.Signature = "serving_default",
    tag: options.Tag = None,
    precision: options.Precision = "float32",
    keep_float32: options.KeepFloat32 = None,
    compute_capability: Annotated[
        list[str] | None, typer.Option(metavar="X.Y", help="A GPU to build for, such as 8.6; may be repeated.")
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verify", help="Compare with TensorFlow first; no plan is written when they differ.")
    ] = False,
    page: options.Page = None,
    save: options.SaveCut = None,
    triton: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write a model repository for Triton Inference Server.")
    ] = None,
    without: options.Without = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> None:
    """Convert a model, build it with TensorRT and store the plan with its sidecar."""
    target = out or Path(model.name).with_suffix(".plan")
    facts: dict[str, Any] = {"ok": True, "plan": str(target)}
    request = api.Request(
        shapes=options.shapes(shape),
        inputs=options.cut(inputs, "--input"),
        outputs=options.cut(outputs, "--output"),
        without=without or (),
        strict=strict,
        precision=precision,
        keep_float32=keep_float32 or (),
    )
    program = _program(model, request, signature, tag, quiet=as_json)
    options.need_ranges(program.inputs)
    if verified or page is not None or save is not None:
        facts |= _verified(program, request, model.name, page=page, save=save, quiet=as_json)
        if not facts["ok"]:
            screen.note("the outputs are out of tolerance: no plan was written")
    if facts["ok"]:
        plan = _built(program, compute_capability, quiet=as_json)
        store_engine(plan, target)
        if triton is not None:
            facts["triton"] = str(triton_repository(plan, triton, target.stem))
        facts |= {
            "bytes": len(plan.data),
            "layers": dict(program.layer_dtypes),
            "kernels": [call.kernel.name for call in program.calls],
            "kept": dict(program.kept),
            "notes": list(program.notes),
        }
    if as_json:
        screen.show_json(facts | _signature(program.inputs, program.outputs))
    elif facts["ok"]:
        cuts = f": {len(program.networks)} networks, {len(program.calls)} kernels"
        beside = cuts if program.is_cut else f" and {sidecar_path(target).name}"
        screen.show(f"{target} ({tables.size(facts['bytes'])}){beside}")
        kept = f"; {len(program.kept)} nodes were kept in float32" if program.kept else ""
        screen.show("  layers: " + ", ".join(f"{n} in {name}" for name, n in program.layer_dtypes.items()) + kept)
        for place, specs in (("in ", program.inputs), ("out", program.outputs)):
            for spec in specs:
                screen.show(f"  {place} {describe(spec)}")
    if not facts["ok"]:
        raise typer.Exit(FAILED)


def compare(
    model: options.Model,
    *,
    feed: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="An input's .npy file, or an .npz file with arrays by name."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers for inputs that are not fed.")] = 20,
    tolerance: Annotated[
        float | None, typer.Option(help="On the norm of the difference over the norm; default: by precision.")
    ] = None,
    page: options.Page = None,
    save: options.SaveCut = None,
    shape: options.Shape = None,
    inputs: options.Input = None,
    outputs: options.Output = None,
    signature: options.Signature = "serving_default",
    tag: options.Tag = None,
    precision: options.Precision = "float32",
    keep_float32: options.KeepFloat32 = None,
    without: options.Without = None,
    as_json: options.Json = False,
) -> None:
    """Compare every node of a model with its counterpart in the network. Builds nothing; needs no GPU."""
    request = api.Request(
        shapes=options.shapes(shape),
        inputs=options.cut(inputs, "--input"),
        outputs=options.cut(outputs, "--output"),
        without=without or (),
        precision=precision,
        keep_float32=keep_float32 or (),
    )
    program = _program(model, request, signature, tag, quiet=as_json)
    given = options.feeds(feed, program.inputs)
    drawn = [spec for spec in program.inputs if spec.name not in given]
    given = draw_feeds(drawn, seed) | given
    if drawn:
        screen.note(f"random numbers (--seed {seed}) for {', '.join(spec.name for spec in drawn)}")
    facts = _verified(
        program, request, model.name, feeds=given, tolerance=tolerance, page=page, save=save, quiet=as_json
    )
    if as_json:
        screen.show_json(facts)
    if not facts["ok"]:
        raise typer.Exit(FAILED)


def run(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL|PLAN", help="A model (as for convert), or a plan that convert wrote.")
    ],
    *,
    feed: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="An input's .npy file, or an .npz file with arrays by name."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers for inputs that are not fed.")] = 20,
    save: Annotated[Path | None, typer.Option(metavar="NPZ", help="Store the outputs.")] = None,
    backend: Annotated[Backend, typer.Option(help="auto: TensorRT on a GPU, the reference executor without.")] = "auto",
    shape: options.Shape = None,
    inputs: options.Input = None,
    outputs: options.Output = None,
    signature: options.Signature = "serving_default",
    tag: options.Tag = None,
    precision: options.Precision = "float32",
    keep_float32: options.KeepFloat32 = None,
    as_json: options.Json = False,
) -> None:
    """Run a model or a plan once, on arrays from files or on random numbers."""
    runnable: Program | Plan
    if _is_plan(model):
        runnable = load_engine(model)
        if not gpu_count():
            raise MissingDependencyError(
                f"{str(model)!r} is a plan, which needs a GPU, and there is none here: run the model it was made of"
            )
    else:
        request = api.Request(
            shapes=options.shapes(shape),
            inputs=options.cut(inputs, "--input"),
            outputs=options.cut(outputs, "--output"),
            precision=precision,
            keep_float32=keep_float32 or (),
        )
        runnable = _program(model, request, signature, tag, quiet=as_json)
    with screen.step("Preparing the engine", quiet=as_json) as step:
        engine = inference_engine(runnable, backend)
        step.result = engine.backend
    with engine:
        given = options.feeds(feed, engine.inputs)
        drawn = [spec.name for spec in engine.inputs if spec.name not in given]
        given = draw_feeds([spec for spec in engine.inputs if spec.name in drawn], seed) | given
        if drawn:
            screen.note(f"random numbers (--seed {seed}) for {', '.join(drawn)}")
        results, seconds = _run(engine, given, quiet=as_json)
    if save is not None:
        _store(save, results)
    if as_json:
        found = {name: tables.summary(array) for name, array in results.items()}
        screen.show_json({"ok": True, "backend": engine.backend, "seconds": seconds, "outputs": found})
    else:
        screen.show(tables.arrays(results))


def _program(model: Path, request: api.Request, signature: str, tags: list[str] | None, *, quiet: bool) -> Program:
    """The model as a program, with its notes shown."""
    screen.warn_of_plugins()
    with screen.step(f"Reading {model.name}", quiet=quiet) as step:
        registry = request.registry
        graph = request.graph(model, registry, signature, tags)
        step.result = f"{len(graph.nodes)} nodes"
    with screen.step("Converting", quiet=quiet) as step, warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)  # the program's notes say the same
        program = request.conversion(graph, registry).run()
        step.result = f"{program.num_layers} layers"
    for line in () if quiet else program.notes:
        screen.note(line)
    return program


def _verified(
    program: Program,
    request: api.Request,
    title: str,
    *,
    feeds: dict[str, Any] | None = None,
    tolerance: float | None = None,
    page: Path | None,
    save: Path | None,
    quiet: bool,
) -> dict[str, Any]:
    """Compare; write the page and the part that shows the first error, where they were asked for."""
    find = request.registry.find
    with screen.step("Comparing with TensorFlow", quiet=quiet) as step:
        graph = program.graph
        result = verify(graph.source if graph is not None else None, program, feeds, tolerance=tolerance, find=find)
        step.result = f"{len(result.nodes)} nodes"
    facts = {"ok": result.ok, "verify": result.to_json() | {"nodes": len(result.nodes)}}
    if not quiet:
        screen.show(tables.comparison(result))
    if page is not None:
        _write(page, verification.page(result, f"{title} in {program.precision}").encode(), "--page")
        facts["page"] = str(page)
    if save is not None and not (result.ok and result.first is None):
        with screen.step("Cutting out the first error", quiet=quiet) as step:
            made = verification.save(result, program, save, without=request.without, find=find)
            step.result = f"{', '.join(made.ops[-5:])} in {made.folder}" + (
                "" if made.shows else f": alone {made.why or 'it is within tolerance'}"
            )
        facts["saved"] = str(save)
    return facts


def _built(program: Program, capabilities: list[str] | None, *, quiet: bool) -> Plan:
    with screen.step("Building the engine", quiet=quiet) as step:
        plan = optimize_network(program, compute_capabilities=capabilities or None, progress=step.follow)
        step.result = f"{plan.sidecar.edition} {plan.sidecar.tensorrt}"
    return plan


def _run(engine: Engine, feeds: dict[str, Any], *, quiet: bool) -> tuple[dict[str, Any], float]:
    with screen.step("Running", quiet=quiet) as step:
        began = time.monotonic()
        results = engine.run(feeds)
        seconds = time.monotonic() - began
        step.result = engine.backend
    return dict(results), seconds


def _store(path: Path, results: dict[str, Any]) -> None:
    """An .npz file that appears by rename."""
    buffer = io.BytesIO()
    np.savez(buffer, **results)
    _write(path, buffer.getvalue(), "--save")


def _write(path: Path, contents: bytes, option: str) -> None:
    try:
        replace_together({path: contents})
    except OSError as error:
        raise EngineError(f"{option}: cannot write {str(path)!r}: {error.strerror or error}") from error


def _signature(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    return {
        place: [{"name": spec.name, "dtype": spec.dtype, "shape": spec.shape, "ranges": spec.ranges} for spec in specs]
        for place, specs in (("inputs", inputs), ("outputs", outputs))
    }


def _is_plan(path: Path) -> bool:
    known = path.suffix in (".plan", ".engine") or sidecar_path(path).is_file()
    return path.is_file() and (known or is_program(path))
