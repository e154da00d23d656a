"""The weights of a layer as surgery works on them, wherever the layer has its channels.

A *linear* layer has a kernel, an array that reads channels and writes others, and perhaps a bias.
"""

from typing import Any

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, own
from nas_surgery.network.channels import Axis
from nas_surgery.network.layers import Layer


def kernel_of(layer: Layer) -> Array:
    """The kernel as (in, ..., out)."""
    reads, writes = _kernel_axes(layer)
    return np.moveaxis(getattr(layer, reads.array), (reads.axis, writes.axis), (0, -1))


def bias_of(layer: Layer) -> Array | None:
    """What a linear layer adds to each channel that it writes, (out,); None without."""
    bias: Array | None = getattr(layer, _bias_name(layer))
    return bias


def fan_in(layer: Layer) -> int:
    """Number of channels that a linear layer reads, those of every position that was tiled."""
    return int(kernel_of(layer).shape[0])


def units(layer: Layer) -> int:
    """Number of channels that a linear layer writes."""
    return int(kernel_of(layer).shape[-1])


def with_weights(layer: Layer, kernel: Array, bias: Array | None) -> Layer:
    """The linear layer with another kernel (in, ..., out) and bias (out,) or None, in its own dtype."""
    reads, writes = _kernel_axes(layer)
    dtype = getattr(layer, reads.array).dtype
    placed = np.moveaxis(kernel, (0, -1), (reads.axis, writes.axis))
    arrays: dict[str, Any] = {
        reads.array: own(np.ascontiguousarray(placed, dtype)),
        _bias_name(layer): None if bias is None else own(np.ascontiguousarray(bias, dtype)),
    }
    return attrs.evolve(layer, **arrays)  # type: ignore[misc]


def weights_along(layer: Layer, places: tuple[Axis, ...], channels: int) -> int:
    """Trainable weights that the layer holds for each of so many channels along the places."""
    trained = layer.parameters()
    sizes = (trained[place.array].size for place in places if place.array in trained)
    return sum(size // channels for size in sizes)


def _kernel_axes(layer: Layer) -> tuple[Axis, Axis]:
    assert layer.channels.kernel is not None, layer
    return layer.channels.kernel


def _bias_name(layer: Layer) -> str:
    return layer.channels.per_channel[0].array
