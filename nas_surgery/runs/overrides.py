"""Overrides of a spec: what is wrong with one is blamed on it, and not on the file of the spec."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nas_surgery.errors import NasSurgeryError, SpecError


class OverrideError(SpecError):
    """An override holds a wrong key or value; names it and the rule."""


def place_of(key: str) -> str:
    """How an override is named in front of what is wrong with it."""
    return f"overrides[{key!r}]"


def blamed(
    error: NasSurgeryError, overrides: Mapping[str, Any], place: object | None
) -> NasSurgeryError:
    """The error with where it comes from in front: the override that it speaks of, or else the place."""
    if isinstance(error, OverrideError):
        return error
    text = str(error)
    key = next((key for key, value in overrides.items() if _speaks_of(text, key, value)), None)
    if key is not None:
        kind = OverrideError if type(error) is SpecError else type(error)
        return kind(f"{place_of(key)}: {text}")
    return error if place is None else type(error)(f"{place}: {text}")


@contextmanager
def blaming(overrides: Mapping[str, Any], place: object | None) -> Iterator[None]:
    """Errors inside come out as `blamed` makes them."""
    try:
        yield
    except NasSurgeryError as error:
        raise blamed(error, overrides, place) from error.__cause__


def _speaks_of(text: str, key: str, value: Any) -> bool:
    """Whether a message names the key, or quotes the text that it was given. A key that is a word of its own
    has to stand at the beginning."""
    place = r"(?<![\w.])" if "." in key else "^(unknown key ')?"
    named = re.search(rf"{place}{re.escape(key)}(?![\w.]*\w)", text)
    return bool(named) or (isinstance(value, str) and bool(value) and repr(value) in text)
