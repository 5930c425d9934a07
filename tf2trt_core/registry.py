"""The registry: one pluggy hook per TensorFlow op, made from its OpDef; a plugin per op and module.

A node is converted by the first implementation that does not decline (``firstresult``): third parties
in the reverse order of registration, then the built-in ones (``trylast``: layers, then kernels), each inside the
wrappers. A built-in one whose declared limit applies declines, if there is a next.
Plugins come in through the entry-point group ``tf2trt``, ours included. A broken package is a line in
``registry.problems`` and stops nobody else.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pluggy

from tf2trt_core import opdefs
from tf2trt_core.context import Context
from tf2trt_core.errors import LimitError, NodeError, NotConstantError, OpConflictError, PluginError, RegistryError
from tf2trt_core.op import Family, Op
from tf2trt_core.opdefs import OpDef

#: The version of what op authors use (``@op``, ``Context``, ``Value``); a package may ask for one:
#: ``TF2TRT_API = 1`` beside its entry point.
API = 1
GROUP = "tf2trt"

_spec = pluggy.HookspecMarker("tf2trt")
_impl = pluggy.HookimplMarker("tf2trt")


@dataclass(frozen=True)
class Entry:
    """A plugin as ``explain`` shows it: who, from where, in call order."""

    op: Op
    distribution: str
    version: str


class Registry:
    """Which plugins convert which ops; a value, no global. ``Registry.default()`` holds what is installed.

    ``without`` silences plugins by name (``"pkg.ops:Slice"``) or by package (``"pkg"``).
    """

    def __init__(self, *, without: Iterable[str] = ()) -> None:
        self.manager = pluggy.PluginManager("tf2trt")
        self.without = frozenset(without)
        self.problems: list[str] = []
        self._entries: dict[str, Entry] = {}
        self._schemas: dict[str, OpDef] = {}
        self._hooks: dict[str, Any] = {}
        self.silenced: set[str] = set()
        self._keeps: dict[str, bool | None] = {}

    # -- filling ----------------------------------------------------------------------------
    def register(self, plugin: Any, *, distribution: str = "", version: str = "") -> None:
        """Register an ``Op``, a ``Family``, a module or its name, or an iterable of these.

        Raises ``RegistryError`` or ``OpConflictError``; after an error nothing of ``plugin`` is left behind.
        """
        ops = list(ops_of(plugin))
        done: list[Op] = []
        try:
            for one in ops:
                self._add(one, distribution or one.package, version)
                done.append(one)
        except Exception:
            for one in done:
                self._remove(one)
            raise

    def _add(self, one: Op, distribution: str, version: str) -> None:
        found = self.without & {one.plugin, one.package, distribution}
        if found:
            self.silenced |= found
            return
        if self.manager.has_plugin(one.plugin):
            raise RegistryError(f"{one.plugin} is registered twice")
        self._conflict(one, distribution)
        self._specify(one)
        self.manager.register(_plugin(one, self._is_last), name=one.plugin)
        self._entries[one.plugin] = Entry(one, distribution, version)
        self._keeps.pop(one.name, None)

    def _remove(self, one: Op) -> None:
        if self._entries.pop(one.plugin, None) is not None:
            self.manager.unregister(name=one.plugin)

    def _conflict(self, one: Op, distribution: str) -> None:
        if one.partial or one.wrap or distribution == "tf2trt":
            return
        for entry in self.entries(one.name):
            other = entry.op
            if other.partial or other.wrap or entry.distribution in ("tf2trt", distribution):
                continue
            raise OpConflictError(
                f"{one.name} is converted by {other.plugin} ({entry.distribution} {entry.version}) and by {one.plugin} "
                f"({distribution}): keep one with without=[{other.plugin!r}], or declare partial=True where "
                "an implementation returns ctx.decline(...) for what it leaves to others"
            )

    def _is_last(self, one: Op) -> bool:
        """Whether no implementation is called after this one."""
        return self.entries(one.name)[-1].op is one

    def _specify(self, one: Op) -> None:
        known = self._schemas.get(one.name)
        if known is not None:
            if one.custom and known != one.schema:
                raise RegistryError(f"{one.plugin} brings a schema that differs from the registered one: {known.text}")
            return
        hook = _spec(firstresult=True)(_compiled(", ".join(["ctx", *one.schema.arguments]), "..."))
        hook.__doc__ = f"Convert one {one.name} node. Called once for each. {one.schema.text}"
        self.manager.add_hookspecs(type("Specification", (), {one.name: staticmethod(hook)}))
        self._schemas[one.name] = one.schema
        self._hooks[one.name] = getattr(self.manager.hook, one.name)

    def load_entry_points(self, group: str = GROUP) -> None:
        """Register every installed package of the entry-point group; what is broken goes to ``problems``.

        Sorted by distribution and name, so that the order does not depend on the disk. (pluggy's own
        loader skips a second entry point of one name, and stops at the first broken package.)
        """
        found = []
        for distribution in importlib.metadata.distributions():
            found += [
                (distribution.metadata["Name"], distribution.version, point)
                for point in distribution.entry_points
                if point.group == group
            ]
        for name, version, point in sorted(set(found), key=lambda item: (item[0] != "tf2trt", item[0], item[2].name)):
            where = f"{name} {version}: entry point {point.name} = {point.value}"
            with self._noting(where):
                loaded = self._load(point)
                for part in loaded if isinstance(loaded, list | tuple) else [loaded]:
                    with self._noting(f"{where}: {part}" if isinstance(part, str) else where):
                        self.register(part, distribution=name, version=version)

    @contextlib.contextmanager
    def _noting(self, where: str) -> Iterator[None]:
        """A line in ``problems`` instead of an error: what is broken stops nobody else."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a stranger's package may raise anything at import
            self.problems.append(f"{where}: {type(error).__name__}: {error}")

    @staticmethod
    def _load(point: importlib.metadata.EntryPoint) -> Any:
        """What an entry point names. Raises ``RegistryError`` for a package that needs a newer tf2trt."""
        loaded = point.load()
        module = loaded if inspect.ismodule(loaded) else importlib.import_module(point.module)
        asked = getattr(module, "TF2TRT_API", API)
        if asked > API:
            raise RegistryError(f"it asks for tf2trt's API {asked}; this tf2trt has {API}: update tf2trt")
        return loaded

    @classmethod
    @functools.cache
    def default(cls) -> Registry:
        """What is installed, loaded once."""
        made = cls()
        made.load_entry_points()
        return made

    @classmethod
    def of(cls, plugins: Sequence[Any] = (), without: Iterable[str] = ()) -> Registry:
        """What is installed, without some, with more; the cached one if neither is asked for."""
        if not plugins and not without:
            return cls.default()
        made = cls(without=without)
        made.load_entry_points()
        for plugin in plugins:
            made.register(plugin, distribution=getattr(plugin, "package", "plugins="))
        missed = sorted(made.without - made.silenced)
        if missed:
            raise RegistryError(f"without= names no installed plugin or package: {', '.join(missed)}")
        return made

    # -- asking -----------------------------------------------------------------------------
    def __contains__(self, op: str) -> bool:
        return bool(self.entries(op))

    @property
    def ops(self) -> tuple[str, ...]:
        """The ops that some plugin converts, sorted."""
        return tuple(sorted({entry.op.name for entry in self._entries.values()}))

    def entries(self, op: str) -> list[Entry]:
        """The plugins of an op in call order: wrappers first, then implementations."""
        hook = self._hooks.get(op)
        if hook is None:
            return []
        order = [impl.plugin_name for impl in reversed(hook.get_hookimpls())]
        entries = [self._entries[name] for name in order]
        return sorted(entries, key=lambda entry: not entry.op.wrap)

    def keeps_float32(self, op: str) -> bool | None:
        """What the first implementation of an op declares as ``keep_float32``."""
        if op not in self._keeps:
            entries = [entry.op for entry in self.entries(op) if not entry.op.wrap]
            self._keeps[op] = entries[0].keep_float32 if entries else None
        return self._keeps[op]

    def find(self, op: str) -> OpDef | None:
        """The schema of an op: TensorFlow's, or the one that a plugin brings."""
        return self._schemas.get(op) or opdefs.find(op)

    def convert(self, ctx: Context, op: str, arguments: dict[str, Any]) -> Any:
        """Call the op's hook; None if every implementation declined."""
        return self._hooks[op](ctx=ctx, **arguments)


def ops_of(plugin: Any) -> Iterator[Op]:
    """The ops of a plugin object, in order. Raises ``RegistryError`` for what is none."""
    if isinstance(plugin, str):
        plugin = importlib.import_module(plugin)
    if isinstance(plugin, Op):
        yield plugin
    elif inspect.ismodule(plugin):
        for item in vars(plugin).values():
            if isinstance(item, Op | Family):
                yield from ops_of(item)
    elif isinstance(plugin, Iterable):
        for item in plugin:
            yield from ops_of(item)
    else:
        raise RegistryError(f"{plugin!r} is no plugin: expected an @op function, a module, or a list of these")


def _plugin(one: Op, is_last: Callable[[Op], bool]) -> Any:
    """The object that pluggy registers: one function, named after the op, with the arguments of its OpDef.

    Where a declared limit of ours applies, our next one is asked: layers come before kernels.

    pluggy reads argument names off the code object, so the function is compiled with them.
    """
    builtin = one.package in ("tf2trt_ops", "tf2trt_plugins_cuda")

    def run(ctx: Context, given: dict[str, Any]) -> Any:
        with _who(one):
            try:
                bound = one.bind(ctx, given)
            except (LimitError, NotConstantError) as error:
                if not builtin or one.wrap or is_last(one):
                    raise
                return ctx.decline(error.reason)
            return one.function(**bound)

    names = one.schema.arguments
    given = ", ".join(f"{name!r}: {name}" for name in names)
    body = f"return (yield from run(ctx, {{{given}}}))" if one.wrap else f"return run(ctx, {{{given}}})"
    call = _compiled(", ".join(["ctx", *names]), body, run=run)
    marked = _impl(wrapper=one.wrap, trylast=builtin and not one.wrap)(call)
    return types.SimpleNamespace(**{one.name: marked})


def _compiled(arguments: str, body: str, run: Any = None) -> Callable[..., Any]:
    names: dict[str, Any] = {"run": run}
    exec(f"def hook({arguments}):\n    {body}", names)  # noqa: S102 - argument names were checked by the schema's parser
    return names["hook"]  # type: ignore[no-any-return]


class _who:  # noqa: N801 - reads as a statement
    """Notes on an error which plugin it comes from; a plugin's own bug becomes a ``PluginError`` of the node."""

    __slots__ = ("one",)

    def __init__(self, one: Op) -> None:
        self.one = one

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NodeError):
            error.plugin = error.plugin or self.one
        elif isinstance(error, Exception):
            raised = PluginError(
                f"the plugin raised {type(error).__name__}: {error}", hint=f"report it to {self.one.package}"
            )
            raised.plugin = self.one
            raise raised from error
