"""What the fields of layers may hold: converters and checks that several families share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape, frozen_array, own
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer

REAL = (int, float, np.integer, np.floating)
LARGEST = 2**31 - 1  # of any size or step: what every framework can count


def optional_array(values: ArrayLike | None) -> Array | None:
    """A read-only array, or None."""
    return None if values is None else frozen_array(values)


def with_affine(layer: Layer, factor: Array, offset: Array) -> Layer:
    """A layer of kernel (..., out) and bias with its outputs · factor + offset, computed in float64."""
    held = layer.arrays()
    kernel, bias = held["kernel"], held.get("bias", np.zeros(1))
    arrays = {"kernel": kernel * factor, "bias": bias * factor + offset}
    return layer.resized(**{name: own(a.astype(kernel.dtype)) for name, a in arrays.items()})


def given(value: Any) -> Any:
    """What a layer takes in several forms and settles to one itself, when it knows its axes."""
    return value


def settled(layer: object, **values: Any) -> None:
    """Set fields of a layer that is being made."""
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number from `least` on; NetworkError names the field for anything else."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not least <= value <= LARGEST:
        raise NetworkError(f"{name} needs whole numbers ≥ {least}, got {described(value)}")
    return int(value)


def positive(name: str, value: Any) -> float:
    """A finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, REAL) or not 0 < value < np.inf:
        raise NetworkError(f"{name} must be a finite number > 0, got {described(value)}")
    return float(value)


def finite(name: str, value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, REAL) or not np.isfinite(value):
        raise NetworkError(f"{name} must be a finite number, got {described(value)}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise NetworkError(f"{name} must be True or False, got {described(value)}")
    return bool(value)


def wholes(name: str, value: Any, least: int = 1) -> Shape:
    """Any number of whole numbers from `least` on."""
    if not is_list(value):
        raise NetworkError(f"{name} needs a list of whole numbers, got {described(value)}")
    return tuple(whole(name, item, least) for item in value)


def per_axis(name: str, value: Any, rank: int, least: int = 1) -> Shape:
    """One whole number for each of `rank` axes; a single one is meant for all."""
    if not is_list(value):
        return (whole(name, value, least),) * rank
    if len(value) != rank:
        raise NetworkError(f"{name} needs one number for each of {rank} axes, got {len(value)}")
    return tuple(whole(name, item, least) for item in value)


def pairs_per_axis(name: str, value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, from such pairs, a number for each axis, or one for all."""
    if not is_list(value):
        return (_pair(name, value),) * rank
    if len(value) != rank:
        raise NetworkError(f"{name} needs one entry for each of {rank} axes, got {len(value)}")
    return tuple(_pair(name, item) for item in value)


def check_channels(layer: object, channels: int, **arrays: Array | None) -> None:
    """NetworkError unless each array that is there holds one value for each channel."""
    for name, array in arrays.items():
        if array is not None and array.shape != (channels,):
            raise NetworkError(
                f"{type(layer).__name__}.{name} needs shape {(channels,)}, got {array.shape}"
            )


def check_shape(layer: object, field: str, shape: Sequence[int | str], why: str = "") -> None:
    """NetworkError unless an array that is there has the shape; a name stands for any length above 0."""
    array = getattr(layer, field)
    if array is None:
        return
    fits = array.ndim == len(shape) and 0 not in array.shape
    if not fits or any(type(b) is int and a != b for a, b in zip(array.shape, shape, strict=True)):
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        name = f"{type(layer).__name__}.{field}"
        raise NetworkError(f"{name} needs shape ({wanted}){why}, got {array.shape}")


def fitting(layer: object, field: str, channels: int, input_shape: Shape) -> Shape:
    """The input shape itself, if its last axis holds so many channels."""
    if not input_shape or input_shape[-1] != channels:
        raise NetworkError(
            f"{type(layer).__name__}.{field} needs {channels} input channels,"
            f" got inputs of shape {input_shape}"
        )
    return input_shape


def is_list(value: Any) -> bool:
    """Whether it is a sequence of entries, not a number or a text."""
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)


def _pair(name: str, value: Any) -> tuple[int, int]:
    if not is_list(value):
        value = (value, value)
    if len(value) != 2:
        raise NetworkError(f"{name} needs pairs (before, after), got {described(value)}")
    before, after = (whole(name, item, 0) for item in value)
    return before, after
