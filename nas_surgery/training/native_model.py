"""A model of a framework as a network, and the way back."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import DataError
from nas_surgery.network import Array, Network, Shape


@attrs.frozen(eq=False)
class NativeModel:
    """network: what the model computes, without a Softmax or the like that ends it, perhaps. arrange:
    samples (N, ...) as the model takes them, as the network does. close: a network that came of it as a
    model of the same kind."""

    network: Network
    arrange: Callable[[Array], Array]
    close: Callable[[Network], Any]


def channels_last(x: Array, shape: Shape) -> Array:
    """Samples as a network takes them; those with channels first are turned. DataError for others."""
    if x.shape[1:] == shape:
        return x
    if x.ndim > 2 and (*x.shape[2:], x.shape[1]) == shape:
        return np.moveaxis(x, 1, -1)
    raise DataError(f"samples of shape {shape} are needed, got {x.shape[1:]}")


def channels_moved(x: Array, shape: Shape) -> Array:
    """Samples with channels first, as a network takes them; such as lie like its own stay. DataError for others."""
    if x.ndim > 2 and (*x.shape[2:], x.shape[1]) == shape:
        return np.moveaxis(x, 1, -1)
    if x.shape[1:] == shape:
        return x
    raise DataError(f"samples of shape {(shape[-1], *shape[:-1])} are needed, got {x.shape[1:]}")
