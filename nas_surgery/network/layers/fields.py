"""What fields of layers may hold: converters to plain values, and validators that name layer, field and rule."""

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import Any

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, frozen_array
from nas_surgery.network.errors import NetworkError

Validator = Callable[[Any, Any, Any], None]


def optional_array(values: Any) -> Array | None:
    """A read-only array, or None."""
    return None if values is None else frozen_array(values)


def plain(value: Any) -> Any:
    """Numbers as Python's own, and lists as tuples; what is neither stays, to be refused."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def whole(minimum: int) -> Validator:
    """A whole number of at least `minimum`."""

    def check(layer: Any, attribute: Any, value: Any) -> None:
        if type(value) is not int or value < minimum:
            raise refused(layer, attribute.name, f"must be a whole number ≥ {minimum}", value)

    return check


def whole_numbers(minimum: int) -> Validator:
    """A tuple of whole numbers, each of at least `minimum`."""

    def check(layer: Any, attribute: Any, value: Any) -> None:
        held = value if isinstance(value, tuple) else (None,)
        if not all(type(item) is int and item >= minimum for item in held):
            raise refused(layer, attribute.name, f"must hold whole numbers ≥ {minimum}", value)

    return check


def positive(layer: Any, attribute: Any, value: Any) -> None:
    """A finite number above 0."""
    if type(value) not in (int, float) or not isfinite(value) or value <= 0:
        raise refused(layer, attribute.name, "must be a finite number > 0", value)


def finite_or_none(layer: Any, attribute: Any, value: Any) -> None:
    """A finite number, or None."""
    if value is not None and (type(value) not in (int, float) or not isfinite(value)):
        raise refused(layer, attribute.name, "must be a finite number or None", value)


def flag(layer: Any, attribute: Any, value: Any) -> None:
    """True or False."""
    if type(value) is not bool:
        raise refused(layer, attribute.name, "must be True or False", value)


def refused(layer: Any, field: str, rule: str, value: Any) -> NetworkError:
    """The error of a field that breaks a rule, such as "must be a number"."""
    return NetworkError(f"{type(layer).__name__}.{field} {rule}, got {described(value)}")


def expect_shape(layer: Any, field: str, shape: tuple[Any, ...], because: str = "") -> None:
    """NetworkError unless the array of that field is of the shape, or None; names stand for any length above 0."""
    array = getattr(layer, field)
    if array is None:
        return
    fits = array.ndim == len(shape) and 0 not in array.shape
    if not fits or any(a != b for a, b in zip(array.shape, shape, strict=True) if type(b) is int):
        wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        raise NetworkError(
            f"{type(layer).__name__}.{field} needs shape {wanted}{because}, got {array.shape}"
        )
