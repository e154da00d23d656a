"""Single values of a table: which are missing, which are numbers, and what a whole column of them is."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from nas_surgery.errors import DataError
from nas_surgery.network import Array

Value = Any  # bool, int, float, str or None; anything else is refused where it is read

MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})  # in small letters
BOOLS = {"true": True, "false": False}
LIKE_NUMBERS = 10  # different numbers beside which text is a slip rather than a category
_LARGEST = float(np.finfo(np.float32).max)


def is_missing(value: Value) -> bool:
    """None, NaN, or one of the words that stand for nothing."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or (isinstance(value, float) and np.isnan(value))


def kind_of(values: Sequence[Value]) -> str:
    """ "number", "bool" or "text"; without any value "number".

    Raises DataError for dates and the like, and for text among what are numbers otherwise.
    """
    for value in values:
        if not isinstance(value, bool | int | float | str | None):
            hint = "; give them as numbers" if isinstance(value, date) else ""
            raise DataError(f"values of type {type(value).__name__} cannot be used{hint}")
    present = {_plain(value) for value in values if not is_missing(value)}
    if all(_number(value) is not None for value in present):
        return "number"
    if all(_bool(value) is not None for value in present):
        return "bool"
    count = sum(_number(value) is not None for value in present)
    if count > LIKE_NUMBERS and 2 * count > len(present):
        as_numbers(values)
    return "text"


def as_numbers(values: Sequence[Value]) -> Array:
    """In float64, NaN where missing; DataError names the first row with text, or beyond float32."""
    made = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if is_missing(value):
            continue
        number = _number(value)
        if number is None:
            example = f"{str(value)[:40]!r} in row {row}"
            raise DataError(f"text where numbers are needed: {example}")
        if not abs(number) <= _LARGEST:
            raise DataError(f"{value} in row {row} is beyond the range of float32")
        made[row] = number
    return made


def as_texts(values: Sequence[Value]) -> Array:
    """As an array of objects: texts, and None where missing. Bools are "True" and "False"."""
    made = np.empty(len(values), dtype=object)
    made[:] = [None if is_missing(value) else _text(value) for value in values]
    return made


def as_label_array(values: Sequence[Value]) -> Array:
    """Labels (N,) in the kind that they are of: bools, whole numbers, numbers or texts."""
    kind = kind_of(values)
    if kind == "bool":
        return np.array([_bool(value) for value in values])
    if kind == "text":
        return as_texts(values).astype(str)
    wide = as_numbers(values)
    try:
        whole = [int(value) for value in values if not isinstance(value, float)]
        return np.array(whole, np.int64) if len(whole) == len(values) else wide
    except (ValueError, OverflowError):  # such as of the text "1.5"
        return wide


def _plain(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else value


def _number(value: Value) -> float | None:
    """The number that a value is or spells."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _bool(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    return BOOLS.get(value.strip().lower()) if isinstance(value, str) else None


def _text(value: Value) -> str:
    truth = _bool(value)
    if truth is not None:
        return str(truth)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
