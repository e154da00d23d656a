"""How numbers are written."""


def number(value: float | None, form: str = ".4f") -> str:
    """A number, or a dash for what was not measured."""
    return "–" if value is None else format(value, form).replace("-", "−")


def whole(value: float | None) -> str:
    """A whole number with separators."""
    return number(value, ",.0f")
