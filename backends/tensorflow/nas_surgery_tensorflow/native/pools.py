"""Pooling as Keras layers, and back."""

from math import inf
from typing import Any

import attrs
import keras

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery_tensorflow.native.linear import beside
from nas_surgery_tensorflow.native.settings import Step, refusal, require
from nas_surgery_tensorflow.operators.linear import padded_by_itself
from nas_surgery_tensorflow.operators.pools import around

layers = keras.layers

MAXIMA = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
MEANS = (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
ALL_MAXIMA = (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
ALL_MEANS = (
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
)


def max_pool(layer: ir.MaxPool, shape: Shape, dtype: str) -> list[Step]:
    """MaxPooling, behind -∞ where Keras does not pad itself."""
    if max(layer.dilations) > 1:
        raise refusal("maximum pooling with dilations")
    padding = padded_by_itself(layer.windows, shape[:-1])
    before: list[Step] = []
    if padding is None or _over(layer, shape):
        amounts = ((0, 0), *around(layer.windows, shape[:-1]), (0, 0))
        before = [lambda x: keras.ops.pad(x, amounts, constant_values=-inf)]
    return [*before, _pool(MAXIMA, layer, "valid" if before else padding, dtype)]


def average_pool(layer: ir.AveragePool, shape: Shape, dtype: str) -> list[Step]:
    """AveragePooling, behind zeros where these count."""
    windows, positions = layer.windows, shape[:-1]
    padding = padded_by_itself(windows, positions)
    if not _over(layer, shape):
        if padding == "VALID" or (padding and not layer.count_padding):
            return [_pool(MEANS, layer, padding, dtype)]
        if layer.count_padding:
            return [*beside(windows.pairs(positions), dtype), _pool(MEANS, layer, "valid", dtype)]
    raise refusal("average pooling that counts what stands on such edges")


def _over(layer: ir.MaxPool | ir.AveragePool, shape: Shape) -> bool:
    """Whether windows stand over the edge."""
    floored = attrs.evolve(layer.windows, ceil=False)
    return floored.counts(shape[:-1]) != layer.windows.counts(shape[:-1])


def _pool(kinds: Any, layer: Any, padding: str | None, dtype: str) -> keras.Layer:
    return kinds[len(layer.window) - 1](
        layer.window,
        layer.strides,
        (padding or "valid").lower(),
        data_format="channels_last",
        dtype=dtype,
    )


def global_max_pool(layer: ir.GlobalMaxPool, shape: Shape, dtype: str) -> list[Step]:
    """GlobalMaxPooling."""
    return [_all(ALL_MAXIMA, layer, shape, dtype)]


def global_average_pool(layer: ir.GlobalAveragePool, shape: Shape, dtype: str) -> list[Step]:
    """GlobalAveragePooling."""
    return [_all(ALL_MEANS, layer, shape, dtype)]


def _all(kinds: Any, layer: Any, shape: Shape, dtype: str) -> keras.Layer:
    rank = len(shape) - 1
    if not 1 <= rank <= len(kinds):
        raise refusal(f"a {layer.describe()} of {rank} axes")
    return kinds[rank - 1](data_format="channels_last", keepdims=layer.keep, dtype=dtype)


def read_max_pool(native: Any, shape: Shape) -> list[Layer]:
    """A MaxPool."""
    require(native, data_format="channels_last")
    return [ir.MaxPool(native.pool_size, native.strides, native.padding)]


def read_average_pool(native: Any, shape: Shape) -> list[Layer]:
    """An AveragePool."""
    require(native, data_format="channels_last")
    return [ir.AveragePool(native.pool_size, native.strides, native.padding)]


def read_global_max_pool(native: Any, shape: Shape) -> list[Layer]:
    """A GlobalMaxPool."""
    require(native, data_format="channels_last")
    return [ir.GlobalMaxPool(native.keepdims)]


def read_global_average_pool(native: Any, shape: Shape) -> list[Layer]:
    """A GlobalAveragePool."""
    require(native, data_format="channels_last")
    return [ir.GlobalAveragePool(native.keepdims)]


READ = {
    **dict.fromkeys(MAXIMA, read_max_pool),
    **dict.fromkeys(MEANS, read_average_pool),
    **dict.fromkeys(ALL_MAXIMA, read_global_max_pool),
    **dict.fromkeys(ALL_MEANS, read_global_average_pool),
}
