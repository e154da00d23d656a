"""What a plugin must keep to. The rules run while it is loaded, so that no run starts on a mistake."""

import difflib
from typing import Any

import nas_surgery.plugins.hookspecs as hookspecs
from nas_surgery.analysis.scores import wanted
from nas_surgery.errors import PluginError
from nas_surgery.operations import Operation

KINDS = ("operations", "scores", "strategies", "backends", "datasets", "executors")
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_"))


def check_spelling(hooks: list[str], plugin: Any) -> None:
    """Every hook is one of ours, and there is one; PluginError names the nearest."""
    for hook in hooks:
        if hook not in HOOKS:
            raise PluginError(f"{hook} is not a hook; {_advice(hook)}")
    if not hooks:
        functions = [name for name, value in vars(plugin).items() if callable(value)]
        near = [name for name in functions if difflib.get_close_matches(name, HOOKS, 1, 0.8)]
        meant = f"; {near[0]} is not a hook" if near else ""
        raise PluginError(f"it defines no hook{meant}; {_advice(near[0] if near else '')}")


def check_things(kind: str, things: Any) -> dict[str, Any]:
    """What a hook returned: a dict from names to things of its kind."""
    hook = f"nas_surgery_{kind}"
    if not isinstance(things, dict) or not all(isinstance(key, str) for key in things):
        raise PluginError(f"{hook} must return a dict from names to things, got {things!r}")
    for name, thing in things.items():
        if not callable(thing):
            raise PluginError(f"{hook}: {name!r} must be a class or a function, got {thing!r}")
        if kind == "operations":
            _check_operation(f"{hook}: {name!r}", name, thing)
        elif kind == "scores":
            wanted(thing)
        elif kind == "strategies":
            _check_strategy(f"{hook}: {name!r}", thing)
        elif kind == "executors":
            _check_executor(f"{hook}: {name!r}", thing)
    return things


def _check_operation(what: str, name: str, thing: Any) -> None:
    """Journals call operations by name and hold their attrs fields; a run is resumed from them."""
    if not (isinstance(thing, type) and issubclass(thing, Operation)):
        raise PluginError(f"{what} must be a subclass of nas_surgery.Operation, got {thing!r}")
    if getattr(thing, "name", None) != name:
        found = getattr(thing, "name", None)
        raise PluginError(f"{what} must have the class variable name = {name!r}, got {found!r}")
    _check_attrs(what, thing)


def _check_strategy(what: str, thing: Any) -> None:
    from nas_surgery.strategies import Strategy

    if not (isinstance(thing, type) and issubclass(thing, Strategy)):
        raise PluginError(
            f"{what} must be a subclass of nas_surgery.strategies.Strategy, got {thing!r}"
        )
    _check_attrs(what, thing)


def _check_executor(what: str, thing: Any) -> None:
    from nas_surgery.executors import ExecutorSettings

    if not (isinstance(thing, type) and issubclass(thing, ExecutorSettings)):
        raise PluginError(
            f"{what} must be a subclass of nas_surgery.executors.ExecutorSettings, got {thing!r}"
        )
    _check_attrs(what, thing)


def _check_attrs(what: str, thing: type) -> None:
    if "__attrs_attrs__" not in vars(thing):
        raise PluginError(f"{what} must be an attrs class: put @attrs.frozen before it")


def _advice(hook: str) -> str:
    near = difflib.get_close_matches(hook, HOOKS, 1)
    return f"did you mean {near[0]}?" if near else f"hooks are {', '.join(HOOKS)}"
