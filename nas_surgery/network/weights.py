"""The weights of a layer as surgery works on them, wherever the layer has its channels.

A *linear* layer has a kernel, an array that reads channels and writes others, and perhaps a bias.
"""

from typing import Any

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, own
from nas_surgery.network.channels import Axis
from nas_surgery.network.layers import Layer

CHANNELS = (0, -1)  # where kernels have them here, those that are read first


def kernel_of(layer: Layer) -> Array:
    """The kernel of a linear layer as (in, ..., out)."""
    name, places = _kernel(layer)
    return _moved(getattr(layer, name), places, CHANNELS)


def bias_of(layer: Layer) -> Array | None:
    """What a linear layer adds to each channel that it writes, (out,); None without."""
    bias: Array | None = getattr(layer, _bias(layer))
    return bias


def fan_in(layer: Layer) -> int:
    """Number of channels that a linear layer reads, those of every position that was tiled."""
    name, (reads, _) = _kernel(layer)
    return int(getattr(layer, name).shape[reads])


def units(layer: Layer) -> int:
    """Number of channels that a linear layer writes."""
    name, (_, writes) = _kernel(layer)
    return int(getattr(layer, name).shape[writes])


def with_weights(layer: Layer, kernel: Array, bias: Array | None) -> Layer:
    """The linear layer with another kernel (in, ..., out) and bias (out,) or None, in its own dtype."""
    name, places = _kernel(layer)
    dtype = getattr(layer, name).dtype
    placed = _moved(kernel, CHANNELS, places)
    arrays: dict[str, Any] = {
        name: own(np.ascontiguousarray(placed, dtype)),
        _bias(layer): None if bias is None else own(np.ascontiguousarray(bias, dtype)),
    }
    return attrs.evolve(layer, **arrays)  # type: ignore[misc]


def weights_along(layer: Layer, places: tuple[Axis, ...], channels: int) -> int:
    """Trainable weights that the layer holds for each of so many channels along the places."""
    trained = (getattr(layer, at.array) for at in places if at.array in layer.trainable)
    return sum(array.size // channels for array in trained if array is not None)


def _kernel(layer: Layer) -> tuple[str, tuple[int, int]]:
    assert layer.channels.kernel is not None, layer
    reads, writes = layer.channels.kernel
    return reads.array, (reads.axis, writes.axis)


def _bias(layer: Layer) -> str:
    return layer.channels.per_channel[0].array


def _moved(array: Array, source: tuple[int, int], target: tuple[int, int]) -> Array:
    return array if source == target else np.moveaxis(array, source, target)
