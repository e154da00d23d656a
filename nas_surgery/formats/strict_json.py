"""JSON from files of unknown origin: shallow, finite, and every key once."""

import json
import re
from math import isfinite
from typing import Any, NoReturn

MAX_DEPTH = 32

_MARKS = re.compile(r'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def strict_json(content: bytes | str) -> Any:
    """The value in UTF-8 `content`; ValueError for anything that is not plain, unambiguous JSON."""
    text = content if isinstance(content, str) else str(content, "utf-8")
    _check_depth(text)
    return json.loads(
        text, object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_finite
    )


def _check_depth(text: str) -> None:
    """Before parsing: the parser recurses, and a raised recursion limit would let it crash."""
    depth = 0
    for mark in _MARKS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark.group(), 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the key {name!r} is there twice")
        values[name] = value
    return values


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _not_finite(text)
