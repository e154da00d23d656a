"""What building and reading Keras layers need: steps, weights, names, and settings that the IR holds."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from nas_surgery.errors import BackendError
from nas_surgery.network import Array

Step = Callable[..., Any]
"""A Keras layer, or a function of Keras's operations."""


def weighted(
    native: keras.Layer, shape: Sequence[int | None], arrays: Iterable[Array]
) -> keras.Layer:
    """The layer, built for samples of that shape, with these weights."""
    native.build((None, *shape))
    native.set_weights([np.asarray(array) for array in arrays])
    return native


def held(*arrays: Array | None) -> list[Array]:
    """Those that there are."""
    return [array for array in arrays if array is not None]


def refusal(reason: str) -> BackendError:
    """What Keras has no layers for."""
    return BackendError(f"Keras has no layer for {reason}")


def named(native: keras.Layer) -> str:
    """What a message calls it."""
    return f"layer {native.name!r}"


def require(native: keras.Layer, **settings: Any) -> None:
    """Raise BackendError unless the layer has these settings."""
    for name, wanted in settings.items():
        value = getattr(native, name)
        if value != wanted:
            raise BackendError(
                f"{named(native)}: {type(native).__name__} is supported with {name}={wanted},"
                f" got {value}"
            )


def array(native: keras.Layer, variable: Any) -> Any:
    """A variable's values; None where there is none."""
    if variable is None:
        return None
    values = np.asarray(keras.ops.convert_to_tensor(variable))
    if values.dtype not in (np.float32, np.float64):
        raise BackendError(
            f"{named(native)}: weights must be float32 or float64, got {values.dtype}"
        )
    return values
