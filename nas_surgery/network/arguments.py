"""What the public functions take, checked where it comes in: one line says what was wanted and what came."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.network.errors import ArgumentError
from nas_surgery.network.text import one_line

MAX_SHOWN = 60


def expect(name: str, value: Any, kinds: type | tuple[type, ...], wanted: str) -> None:
    """ArgumentError unless `value` is of one of the kinds. wanted: such as "a Network"."""
    if not isinstance(value, kinds):
        raise refusal(name, value, wanted)


def refusal(name: str, value: Any, wanted: str, advice: str = "") -> ArgumentError:
    """The error of an argument that is something else than what is wanted."""
    return ArgumentError(f"{name} must be {wanted}, got {described(value)}{advice}")


def described(value: Any) -> str:
    """What a value is, in a few words."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str | bytes | int | float | complex | os.PathLike | list | tuple | dict):
        shown = one_line(repr(value))
        return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"
    return f"a {type(value).__name__}"


def as_path(name: str, value: Any) -> Path:
    """A path from a string or a Path."""
    expect(name, value, (str, Path), "a path (str or Path)")
    if "\0" in str(value):
        raise refusal(name, value, "a path without NUL")
    return Path(value)


def as_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """A mapping whose keys are strings; None is an empty one."""
    if value is None:
        return {}
    expect(name, value, Mapping, "a mapping")
    for key in value:
        expect(f"each key of {name}", key, str, "a string")
    return dict(value)


def as_functions(name: str, values: Any) -> tuple[Any, ...]:
    """A sequence of things that can be called; None is an empty one."""
    expect(name, () if values is None else values, Sequence, "a list of functions")
    for index, value in enumerate(values or ()):
        if not callable(value):
            raise refusal(f"{name}[{index}]", value, "a function")
    return tuple(values or ())


def expect_seed(value: Any) -> None:
    """ArgumentError unless it is a whole number that is not negative."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 0:
        raise refusal("seed", value, "a whole number ≥ 0")


def as_numbers(name: str, value: Any) -> "np.ndarray[Any, Any]":
    """An array of numbers or bools."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise refusal(name, value, "an array of numbers") from None
    if array.dtype.kind not in "fiub":
        raise refusal(name, value, "an array of numbers")
    return array


def as_items(name: str, value: Any, wanted: str) -> tuple[Any, ...]:
    """What a list, a tuple or another iterable that is no text holds."""
    with suppress(TypeError):
        if not isinstance(value, str | bytes):
            return tuple(value)
    raise refusal(name, value, wanted)
