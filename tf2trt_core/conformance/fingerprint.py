"""What a plugin's verdicts were found on: a hash of its module, of what that imports from its package, of its kernels.

A kernel counts with its source and the headers that it includes, ours among them.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.util import resolve_name
from pathlib import Path

from tf2trt_core.kernels import cache
from tf2trt_core.kernels.plugins.loading import kernels_in
from tf2trt_core.op import Op

_INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def fingerprint(op: Op) -> str:
    """The same as long as the converter, its cases, its package's helpers and its kernels' sources are the same."""
    found = hashlib.sha256()
    modules = sorted(reached(op.plugin.partition(":")[0]))
    for name in modules:
        found.update(f"{name}\n{_text(name)}".encode())
    for file in sorted(sources(op, modules), key=lambda file: (file.name, file.parent.name)):
        found.update(f"{file.name}\n{_contents(file)}".encode())
    return found.hexdigest()[:16]


def sources(op: Op, modules: Iterable[str]) -> set[Path]:
    """The sources, headers included, of the kernels in modules and in what the op's function closes over."""
    places = [vars(sys.modules[name]) for name in modules if name in sys.modules]
    kernels = kernels_in([*places, inspect.getclosurevars(op.function).nonlocals])
    return {file for kernel in kernels for file in _with_headers(kernel.source.resolve())}


@functools.cache
def _with_headers(source: Path) -> frozenset[Path]:
    """A source and what it includes with quotes, found as the compilers find it."""
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for name in _INCLUDED.findall(_contents(file)):
            places = (folder / name for folder in (file.parent, source.parent, cache.INCLUDE))
            waiting += [place.resolve() for place in places if place.is_file()][:1]
    return frozenset(found)


@functools.cache
def _contents(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def reached(module: str) -> set[str]:
    """The module, and those of its package that it imports, or that those import."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_imported(name))
    return reached


@functools.cache
def _text(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).read_text(encoding="utf-8") if file and file.endswith(".py") else ""


@functools.cache
def _imported(module: str) -> tuple[str, ...]:
    package = getattr(sys.modules.get(module), "__package__", None) or ""
    own = module.partition(".")[0]
    found = (name for node in ast.walk(ast.parse(_text(module))) for name in _named(node, package))
    return tuple(name for name in found if name.partition(".")[0] == own and "." in name and name in sys.modules)


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """What may be modules in an import statement."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        name = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
        yield name
        yield from (f"{name}.{alias.name}" for alias in node.names)
