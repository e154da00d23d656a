"""Finding plugins: built-ins, installed distributions, single files. One that fails takes down no other."""

import difflib
import hashlib
import linecache
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import attrs
import pluggy

import nas_surgery.plugins.hookspecs as hookspecs
from nas_surgery.errors import ModelFileError, PluginError, StopRun
from nas_surgery.formats.regular_file import read_regular
from nas_surgery.plugins.rules import KINDS, check_spelling, check_things

BUILTIN = "nas_surgery.builtin"
MAX_FILE_BYTES = 10_000_000
INSTALLABLE = {
    ("backends", "torch"): "./backends/torch",
    ("backends", "tensorflow"): "./backends/tensorflow",
    ("executors", "ray"): "./plugins/ray",
}


@attrs.frozen
class PluginInfo:
    """One plugin: its name, version and origin, what it provides by kind, or why it failed."""

    name: str
    version: str
    origin: str
    provides: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)
    error: str | None = None


@attrs.frozen
class PluginFile:
    """A plugin that is a single file, as it was read; so it is the same where there is no such file."""

    path: Path
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        """PluginError if it cannot be read."""
        try:
            return cls(path, read_regular(path, MAX_FILE_BYTES))
        except ModelFileError as error:
            raise PluginError(f"plugin {path}: {error}") from None

    @property
    def digest(self) -> str:
        """The beginning of its SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:12]

    def module(self) -> ModuleType:
        """A new module of its content; tracebacks show the lines that were read."""
        module = ModuleType(f"nas_surgery_plugin_{self.path.stem}_{self.digest}")
        name = module.__file__ = str(self.path)
        lines = self.content.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[name] = (len(self.content), None, lines, name)
        exec(compile(self.content, name, "exec"), module.__dict__)  # an import would leave bytecode
        return module


class _Manager(pluggy.PluginManager):
    """Takes every function with the hooks' prefix for a hook, so that a misspelt one is noticed."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        marked = super().parse_hookimpl_opts(plugin, name)
        if marked is None and name.startswith(f"{hookspecs.PROJECT}_"):
            return {} if callable(getattr(plugin, name)) else None
        return marked


class Registry:
    """What all loaded plugins provide, by kind and name."""

    def __init__(self) -> None:
        self._manager = _Manager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._things: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._owners: dict[tuple[str, str], PluginInfo] = {}
        self.plugins: list[PluginInfo] = []
        self.files: list[PluginFile] = []

    def add(self, module: ModuleType, name: str, version: str, origin: str) -> PluginInfo:
        """Register one plugin; PluginError says what is wrong with it, and nothing of it stays."""
        if self._manager.has_plugin(name):
            raise PluginError(f"plugin {name}: another one of this name is loaded already")
        try:
            self._manager.register(module, name)
            self._check_hooks(name)
            provided = self._collect(name)
        except BaseException as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            if isinstance(error, KeyboardInterrupt):
                raise
            raise PluginError(f"plugin {name}: {_reason(error)}") from error
        summary = {kind: tuple(things) for kind, things in provided.items() if things}
        info = PluginInfo(name, version, origin, summary)
        for kind, things in provided.items():
            self._things[kind].update(things)
            self._owners.update({(kind, thing): info for thing in things})
        self.plugins.append(info)
        return info

    def get(self, kind: str, name: str) -> Any:
        """The thing of that kind and name; PluginError names the nearest ones, or how to install it."""
        things = self._things[kind]
        if name in things:
            return things[name]
        raise PluginError(f"unknown {_singular(kind)} {name!r}; {self._advice(kind, name)}")

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(self._things[kind])

    def all(self, kind: str) -> dict[str, Any]:
        return dict(self._things[kind])

    def owner(self, kind: str, name: str) -> PluginInfo:
        """The plugin that provides a thing."""
        return self._owners[kind, name]

    def from_files(self, kind: str, files: Iterable[str]) -> list[str]:
        """Names of the things that plugins which are single files provide. files: their paths."""
        known = {Path(file).name for file in files}
        return [name for name in self._things[kind] if self.owner(kind, name).name in known]

    def origin(self, kind: str, name: str) -> str:
        """Name and version of the plugin that provides a thing."""
        info = self.owner(kind, name)
        return f"{info.name} {info.version}"

    def origin_of_operation(self, name: str) -> str | None:
        """The same of an operation, if it is known."""
        known = ("operations", name) in self._owners
        return self.origin("operations", name) if known else None

    def notify(self, event: Any) -> tuple[list[str], bool]:
        """Tell every plugin of an event; returns what went wrong, a line for each that failed, and
        whether one asks for the run's end."""
        failures, stop = [], False
        for impl in self._manager.hook.nas_surgery_on_event.get_hookimpls():
            try:
                impl.function(*(event for _ in impl.argnames))
            except StopRun:
                stop = True
            except (Exception, SystemExit) as error:
                failures.append(f"plugin {impl.plugin_name}: {_reason(error)}")
        return failures, stop

    def _check_hooks(self, name: str) -> None:
        plugin = self._manager.get_plugin(name)
        hooks = [caller.name for caller in self._manager.get_hookcallers(plugin) or ()]
        check_spelling(sorted(hooks), plugin)
        self._manager.check_pending()

    def _collect(self, name: str) -> dict[str, dict[str, Any]]:
        provided: dict[str, dict[str, Any]] = {}
        for kind in KINDS:
            caller = getattr(self._manager.hook, f"nas_surgery_{kind}")
            for impl in caller.get_hookimpls():
                if impl.plugin_name == name:
                    provided[kind] = self._unclaimed(kind, check_things(kind, impl.function()))
        return provided

    def _unclaimed(self, kind: str, things: dict[str, Any]) -> dict[str, Any]:
        for name in things:
            if name in self._things[kind]:
                owner = self._owners[kind, name].name
                raise PluginError(f"nas_surgery_{kind}: {name!r} is already provided by {owner}")
        return things

    def _advice(self, kind: str, name: str) -> str:
        failed = [info for info in self.plugins if info.error]
        known = list(self._things[kind])
        near = difflib.get_close_matches(name, known, 1)
        advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        if place := INSTALLABLE.get((kind, name)):
            advice = (
                f"known: {', '.join(known)}; install it with: pip install nas-surgery-{name}"
                f" (in a checkout: pip install {place})"
            )
        if failed:
            advice += f" (failed to load: {'; '.join(str(info.error) for info in failed)})"
        return advice


def load_registry(files: Iterable[Path | PluginFile] = ()) -> Registry:
    """Built-ins, every installed plugin (failures are recorded, not raised), and single files, named or as
    they were read (failures are raised)."""
    from nas_surgery.plugins import builtin

    registry = Registry()
    registry.add(builtin, BUILTIN, _core_version(), "built in")
    for entry in sorted(metadata.entry_points(group=hookspecs.PROJECT), key=lambda e: e.name):
        _add_entry_point(registry, entry)
    for file in files:
        _add_file(registry, file if isinstance(file, PluginFile) else PluginFile.read(file))
    return registry


@cache
def default_registry() -> Registry:
    """Built-ins and installed plugins, loaded once."""
    return load_registry()


def _add_entry_point(registry: Registry, entry: metadata.EntryPoint) -> None:
    distribution = entry.dist
    version = distribution.version if distribution else "?"
    origin = distribution.metadata["Name"] if distribution else entry.value
    try:
        registry.add(entry.load(), entry.name, version, origin)
    except PluginError as error:
        registry.plugins.append(PluginInfo(entry.name, version, origin, error=str(error)))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        registry.plugins.append(
            PluginInfo(entry.name, version, origin, error=f"plugin {entry.name}: {_reason(error)}")
        )


def _add_file(registry: Registry, file: PluginFile) -> None:
    try:
        module = file.module()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise PluginError(f"plugin {file.path}: {_reason(error)}") from error
    registry.add(module, file.path.name, f"sha256:{file.digest}", str(file.path))
    registry.files.append(file)


def _core_version() -> str:
    return metadata.version("nas-surgery")


def _singular(kind: str) -> str:
    return {"strategies": "strategy"}.get(kind, kind.removesuffix("s"))


def _reason(error: BaseException) -> str:
    """One line for any exception."""
    text = str(error).strip()
    if isinstance(error, pluggy.PluginValidationError):
        text = text.rpartition("\n")[2]  # the rule; above it stands the source of the hook
    line = text.partition("\n")[0]
    return (
        line if isinstance(error, PluginError) else f"{type(error).__name__}: {line}".rstrip(": ")
    )
