"""The weights of a layer as surgery works on them, wherever the layer has its channels.

A *linear* layer has a kernel, an array that reads channels and writes others, and perhaps a bias. One
that makes channels of whole numbers (an Embedding) counts as linear in their indicators.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nas_surgery.network.arrays import Array, own
from nas_surgery.network.channels import Axis
from nas_surgery.network.layers import Layer

CHANNELS = (0, -1)  # where kernels have them here, those that are read first


def kernel_of(layer: Layer) -> Array:
    """The kernel of a linear layer as (in, ..., out), with zeros between the blocks of one in blocks."""
    name, places = _kernel(layer)
    kernel = _moved(getattr(layer, name), places, CHANNELS)
    return kernel if layer.blocks == 1 else _spread(kernel, layer.blocks)


def bias_of(layer: Layer) -> Array | None:
    """What a linear layer adds to each channel that it writes, (..., out); None without."""
    field = bias_field(layer)
    bias: Array | None = None if field is None else getattr(layer, field)
    return bias


def bias_field(layer: Layer) -> str | None:
    """The field of a linear layer that holds what it adds to each channel, or None; what recurs is no bias."""
    channels = layer.channels
    recurs = {place.array for place in channels.recurs}
    names = (place.array for place in channels.per_channel if place.array not in recurs)
    return next(names, None)


def fan_in(layer: Layer) -> int:
    """Number of channels that a linear layer reads, those of every position that was tiled."""
    name, (reads, _) = _kernel(layer)
    return int(getattr(layer, name).shape[reads]) * layer.blocks


def units(layer: Layer) -> int:
    """Number of channels that a linear layer writes."""
    name, (_, writes) = _kernel(layer)
    return int(getattr(layer, name).shape[writes])


def with_weights(
    layer: Layer, kernel: Array, bias: Array | None, others: Mapping[str, Array] = {}
) -> Layer:
    """The linear layer with another kernel (in, ..., out) and bias (..., out) or None, in its own dtype.

    others: further arrays by field, such as what recurs.
    """
    name, places = _kernel(layer)
    dtype = getattr(layer, name).dtype
    before, after = fan_in(layer), len(kernel)
    kernel = kernel if layer.blocks == 1 else _gathered(kernel, layer.blocks)
    placed = _moved(kernel, CHANNELS, places)
    arrays: dict[str, Any] = {**others, name: own(np.ascontiguousarray(placed, dtype))}
    field = bias_field(layer)
    if field is not None:
        arrays[field] = None if bias is None else own(np.ascontiguousarray(bias, dtype))
    return layer.with_channels(arrays, (before,), (after,))


def weights_along(layer: Layer, places: tuple[Axis, ...], channels: int) -> int:
    """Trainable weights that the layer holds for each of so many channels along the places."""
    trained = (getattr(layer, at.array) for at in places if at.array in layer.trainable)
    return sum(array.size // channels for array in trained if array is not None)


def _kernel(layer: Layer) -> tuple[str, tuple[int, int]]:
    channels = layer.channels
    if channels.kernel is None:
        assert channels.writes, layer
        (written,) = channels.writes
        return written.array, (0, written.axis)
    reads, writes = channels.kernel
    return reads.array, (reads.axis, writes.axis)


def _moved(array: Array, source: tuple[int, int], target: tuple[int, int]) -> Array:
    return array if source == target else np.moveaxis(array, source, target)


def _spread(kernel: Array, blocks: int) -> Array:
    """(in / blocks, ..., out) as (in, ..., out): each block of outputs weighs its own block of inputs."""
    rows, columns = kernel.shape[0], kernel.shape[-1] // blocks
    wide = np.zeros((blocks, rows, *kernel.shape[1:]), kernel.dtype)
    for block in range(blocks):
        part = slice(block * columns, (block + 1) * columns)
        wide[block, ..., part] = kernel[..., part]
    return wide.reshape(blocks * rows, *kernel.shape[1:])


def _gathered(kernel: Array, blocks: int) -> Array:
    """The inverse of `_spread`; what stands between blocks is dropped."""
    rows, columns = kernel.shape[0] // blocks, kernel.shape[-1] // blocks
    parts = [
        kernel[b * rows : (b + 1) * rows, ..., b * columns : (b + 1) * columns]
        for b in range(blocks)
    ]
    return np.concatenate(parts, axis=-1)
