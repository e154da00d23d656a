"""attrs validators whose messages name the field, the rule and the value."""

from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

T = TypeVar("T")
Validator = Callable[[Any, Any, Any], None]


def a(kind: type) -> Validator:
    """An instance of a class."""
    name = f"{'an' if kind.__name__[0] in 'AEIOaeio' else 'a'} {kind.__name__}"

    def check(_: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"{attribute.name} must be {name}, got {value!r}")

    return check


def whole(minimum: int, maximum: int | None = None) -> Validator:
    """A whole number (not a bool) of at least `minimum`, and at most `maximum`."""
    upper = "" if maximum is None else f" and ≤ {maximum}"

    def check(_: Any, attribute: Any, value: Any) -> None:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= minimum
        if not good or (maximum is not None and value > maximum):
            raise ValueError(
                f"{attribute.name} must be a whole number ≥ {minimum}{upper}, got {value!r}"
            )

    return check


def number(
    above: float | None = None,
    minimum: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
) -> Validator:
    """A finite number (not a bool) within bounds: those of `above` and `below` are excluded."""
    bounds = ((above, ">"), (minimum, "≥"), (below, "<"), (maximum, "≤"))
    rule = " and ".join(f"{sign} {bound:g}" for bound, sign in bounds if bound is not None)

    def check(_: Any, attribute: Any, value: Any) -> None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        good = good and (above is None or value > above) and (minimum is None or value >= minimum)
        good = good and (below is None or value < below) and (maximum is None or value <= maximum)
        if not good:
            raise ValueError(
                f"{attribute.name} must be a number {rule}".rstrip() + f", got {value!r}"
            )

    return check


def one_of(*choices: str) -> Validator:
    """One of the named choices."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        if value not in choices:
            known = ", ".join(repr(choice) for choice in choices)
            raise ValueError(f"{attribute.name} must be one of {known}, got {value!r}")

    return check


def optional(validator: Validator) -> Validator:
    """None, or what the validator allows."""

    def check(instance: Any, attribute: Any, value: Any) -> None:
        if value is not None:
            validator(instance, attribute, value)

    return check


def settled(value: T | None) -> T:
    """A value that may be left out, once it has been filled in."""
    assert value is not None, "defaults are filled in before training"
    return value
