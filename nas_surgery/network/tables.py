"""Arrays from what callers give: lists, arrays, frames, structured arrays. Errors say where.

Rows and columns are counted from 0; columns that have names are called by them.
"""

from numbers import Real
from typing import Any

import numpy as np

from nas_surgery.network.arrays import Array
from nas_surgery.network.errors import DataError

Names = tuple[str, ...] | None

_NUMBERS = frozenset({"number", "bool"})
_MISSING = ("NoneType", "NAType", "NaTType")


def numbers(values: Any, what: str = "inputs") -> Array:
    """`values` as an array of finite numbers within the range of float32.

    Raises DataError, which begins with `what` they are and names the row and the column.
    """
    array, names = _array(values, what), column_names(values)
    if array.dtype.kind == "O":
        array = _plain(array, what, names, _NUMBERS, "numbers")
    if array.dtype.kind in "US" and array.size:
        index = _first(~np.vectorize(_is_number)(array))
        raise DataError(f"{what} must be numbers, got text{_example(array, index, names)}")
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} must be numbers, got dtype {array.dtype}")
    _check_floats(array, what, names)
    return array


def labels(values: Any, what: str = "labels") -> Array:
    """`values` as an array of numbers, of bools or of strings; DataError says what is missing where."""
    array, names = _array(values, what), column_names(values)
    if array.dtype.kind == "O" and array.size:
        kind = next((k for k in map(_kind, array.flat) if k != "missing"), "number")
        rule = "numbers, bools or strings throughout"
        array = _plain(array, what, names, frozenset({kind} & {*_NUMBERS, "text"}), rule)
    _check_floats(array, what, names)
    return array


def column_names(values: Any) -> Names:
    """The names of the columns of a frame or of a structured array."""
    keys = _column_keys(values)
    return None if keys is None else tuple(map(str, keys))


def _column_keys(values: Any) -> list[Any] | None:
    """What gives the columns of a frame or a structured array, such as `values[key]`."""
    names = getattr(getattr(values, "dtype", None), "names", None)
    if names is None and hasattr(values, "__array__"):
        names = getattr(values, "columns", None)
    return None if names is None else list(names)


def _side_by_side(values: Any, keys: list[Any], what: str) -> Array:
    """Columns as one array; of objects, unless all are numbers."""
    columns = [_array(values[key], f"{what} of column {str(key)!r}") for key in keys]
    for key, column in zip(keys, columns, strict=True):
        if column.dtype.kind not in "fiubOUS":
            raise DataError(f"{what} of column {str(key)!r} are of dtype {column.dtype}")
    mixed = any(column.dtype.kind not in "fiub" for column in columns)
    return np.stack([c.astype(object) if mixed else c for c in columns], axis=-1)


def _array(values: Any, what: str) -> Array:
    """The values as NumPy takes them, with the columns of a table side by side."""
    keys = _column_keys(values)
    if keys and len(set(keys)) == len(keys):
        return _side_by_side(values, keys, what)
    if np.ma.is_masked(values):
        mask = np.ma.getmaskarray(values)
        raise DataError(
            f"{_count(mask, what)} masked, the first in {_place(_first(mask))};"
            " fill them, or leave those samples out"
        )
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError("arrays must be rectangular, got rows of different lengths") from None
    except (TypeError, RuntimeError) as error:  # such as of a tensor with gradients
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{what}: {type(values).__name__} gives no array: {reason}") from None
    if array.ndim == 0 and array.dtype.kind not in "fiub":
        raise DataError(f"{what} must be an array, got {type(values).__name__}")
    return array


def _plain(array: Array, what: str, names: Names, allowed: frozenset[str], rule: str) -> Array:
    """An array of Python's values as one of NumPy's."""
    kinds = np.array([_kind(value) for value in array.flat]).reshape(array.shape)
    missing, odd = kinds == "missing", ~np.isin(kinds, [*allowed, "missing"])
    if odd.any():
        index = _first(odd)
        raise DataError(f"{what} must be {rule}, got {kinds[index]}{_example(array, index, names)}")
    if missing.any():
        where = _place(_first(missing), names)
        raise DataError(f"{_count(missing, what)} missing (None or NaN), the first in {where}")
    made = np.array(array.tolist())
    if made.dtype.kind == "O":
        raise DataError(f"{what} must be numbers that 64 bits hold")
    return made


def _kind(value: Any) -> str:
    """A word for what one value is: number, bool, text, missing, or the name of its type."""
    name = type(value).__name__
    if name in _MISSING or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "missing"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, Real) else name


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_floats(array: Array, what: str, names: Names) -> None:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        where = _place(_first(bad), names)
        raise DataError(f"{_count(bad, what)} NaN or infinite, the first in {where}")
    large = np.abs(array) > np.finfo(np.float32).max
    if large.any():
        raise DataError(
            f"{what} up to {np.abs(array).max():.3g} are beyond the range of float32,"
            f" the first in {_place(_first(large), names)}"
        )


def _count(found: Array, what: str) -> str:
    count = int(found.sum())
    return f"{count} of the {what} {'is' if count == 1 else 'are'}"


def _first(found: Array) -> tuple[int, ...]:
    """Index of the first True, or of the first value where there is none."""
    return tuple(int(i) for i in np.unravel_index(int(found.argmax()), found.shape))


def _example(array: Array, index: tuple[int, ...], names: Names) -> str:
    return f" ({str(array[index])[:40]!r} in {_place(index, names)})"


def _place(index: tuple[int, ...], names: Names = None) -> str:
    """Where a value stands in samples (N, …)."""
    if len(index) == 2:
        column = repr(names[index[1]]) if names and index[1] < len(names) else index[1]
        return f"row {index[0]}, column {column}"
    return f"row {index[0]}" if len(index) == 1 else f"sample {index[0]}, place {index[1:]}"
