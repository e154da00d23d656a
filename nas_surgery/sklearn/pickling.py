"""A Result in a pickle: networks as safetensors, which are checked when they are read."""

from typing import Any

import attrs

from nas_surgery.formats.safetensors import from_bytes, to_bytes
from nas_surgery.runs.result import ParetoPoint, Result


def packed(result: Result) -> dict[str, Any]:
    """The result as plain values and bytes."""
    points = [_packed(point) for point in result.pareto]
    return {**_packed(result), "pareto": points}


def unpacked(held: dict[str, Any]) -> Result:
    """The inverse of `packed`; ModelFileError where weights are damaged."""
    points = tuple(ParetoPoint(**_unpacked(point)) for point in held["pareto"])
    return Result(**{**_unpacked(held), "pareto": points})


def _packed(value: Any) -> dict[str, Any]:
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return {**fields, "network": to_bytes(value.network)}


def _unpacked(held: dict[str, Any]) -> dict[str, Any]:
    return {**held, "network": from_bytes(held["network"])}
