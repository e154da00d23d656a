"""What a smaller network may cost."""

from numbers import Real
from typing import Any

import attrs

from nas_surgery.errors import ArgumentError

KINDS = {
    "macs": "multiply-accumulates",
    "parameters": "parameters",
    "latency_ms": "milliseconds",
    "max_drop": "points",
}


@attrs.frozen
class Budget:
    """At most `value` of a kind. share: whether it is a share of what the original costs.

    max_drop is in points of accuracy or, without labels, of agreement with the original.
    """

    kind: str
    value: float
    share: bool

    @classmethod
    def of(cls, **given: Any) -> "Budget":
        """From the one of `KINDS` that is not None: 0.5 or "50%" are shares, whole numbers what they say.

        ArgumentError for none, several, or what is no budget.
        """
        held = {kind: value for kind, value in given.items() if value is not None}
        if len(held) != 1:
            names = ", ".join(KINDS)
            raise ArgumentError(f"one budget is needed, {names}; got {', '.join(held) or 'none'}")
        ((kind, value),) = held.items()
        number, share = _number(kind, value)
        return cls(kind, number, share and kind in ("macs", "parameters"))

    def limit(self, original: float) -> float:
        """What that is, for an original that costs so much."""
        return self.value * original if self.share else self.value


def _number(kind: str, value: Any) -> tuple[float, bool]:
    percent = isinstance(value, str) and value.strip().endswith("%")
    try:
        number = float(value.strip().rstrip("%")) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    numeric = isinstance(value, str) or (isinstance(value, Real) and not isinstance(value, bool))
    if not numeric or not 0 < number < float("inf"):
        raise ArgumentError(
            f'{kind}: a positive number or a share such as 0.5 or "50%" is needed, got {value!r}'
        )
    if percent:
        return number / 100, True
    whole = isinstance(value, int) or (isinstance(value, str) and value.strip().isdigit())
    return number, number <= 1 and not (whole and number != 1)
