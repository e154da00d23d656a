"""Layers that move values between positions as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Layer, Shape
from nas_surgery_tensorflow.native.linear import CROPPINGS, PADDINGS, beside, cropping
from nas_surgery_tensorflow.native.settings import Step, named, require, weighted

layers = keras.layers

UPSAMPLINGS = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
LETTERS = "abcdefghij"


def flatten(layer: ir.Flatten, shape: Shape, dtype: str) -> list[Step]:
    """Flatten."""
    return [layers.Flatten(data_format="channels_last", dtype=dtype)]


def rearrange(layer: ir.Rearrange, shape: Shape, dtype: str) -> list[Step]:
    """Reshape, Permute, Reshape."""
    order = (*(axis + 1 for axis in layer.order), len(layer.order) + 1)
    return moved((*layer.shape, shape[-1]), order, (*layer.positions, shape[-1]), dtype)


def moved(split: Shape, order: Shape, result: Shape, dtype: str) -> list[Step]:
    """Axes split, transposed (counted from 1) and put together again."""
    return [
        layers.Reshape(split, dtype=dtype),
        layers.Permute(order, dtype=dtype),
        layers.Reshape(result, dtype=dtype),
    ]


def space_to_depth(layer: ir.SpaceToDepth, shape: Shape, dtype: str) -> list[Step]:
    """The same."""
    (height, width, channels), b = shape, layer.block
    inner = (2, 4, 5) if layer.order == "positions_outer" else (5, 2, 4)
    split = (height // b, b, width // b, b, channels)
    return moved(split, (1, 3, *inner), layer.output_shape(shape), dtype)


def depth_to_space(layer: ir.DepthToSpace, shape: Shape, dtype: str) -> list[Step]:
    """The same."""
    (height, width, channels), b = shape, layer.block
    few = channels // b**2
    outer = layer.order == "positions_outer"
    parts, order = ((b, b, few), (1, 3, 2, 4, 5)) if outer else ((few, b, b), (1, 4, 2, 5, 3))
    return moved((height, width, *parts), order, layer.output_shape(shape), dtype)


def pad(layer: ir.Pad, shape: Shape, dtype: str) -> list[Step]:
    """ZeroPadding, or Keras's operation."""
    if layer.mode == "constant" and not layer.value and len(layer.amounts) <= len(PADDINGS):
        return beside(layer.amounts, dtype)
    amounts = ((0, 0), *layer.amounts, (0, 0))
    if layer.mode == "constant":
        return [lambda x: keras.ops.pad(x, amounts, constant_values=layer.value)]
    if layer.mode == "reflect":
        return [lambda x: keras.ops.pad(x, amounts, "reflect")]
    pairs = enumerate(zip(shape[:-1], layer.amounts, strict=True))
    return [_take(np.pad(np.arange(n), each, "edge"), axis + 1) for axis, (n, each) in pairs]


def crop(layer: ir.Crop, shape: Shape, dtype: str) -> list[Step]:
    """Cropping, or positions picked."""
    axes = list(zip(layer.starts, layer.ends(shape[:-1]), layer.steps, shape[:-1], strict=True))
    if set(layer.steps) == {1} and len(axes) <= len(CROPPINGS):
        return [cropping([(start, n - end) for start, end, _, n in axes], dtype)]
    return [_take(np.arange(a, b, c), axis + 1) for axis, (a, b, c, _) in enumerate(axes)]


def _take(places: Any, axis: int) -> Step:
    chosen = [int(place) for place in places]
    return lambda x: keras.ops.take(x, chosen, axis=axis)


def resize(layer: ir.Resize, shape: Shape, dtype: str) -> list[Step]:
    """UpSampling where positions are repeated, else positions picked or weighed."""
    axes = list(enumerate(shape[:-1]))
    if layer.mode == "nearest":
        places = [layer.nearest(axis, n) for axis, n in axes]
        factors = [len(held) // n for held, (_, n) in zip(places, axes, strict=True)]
        repeated = [
            np.array_equal(held, np.repeat(np.arange(n), factor))
            for held, factor, (_, n) in zip(places, factors, axes, strict=True)
        ]
        if all(repeated):
            return [_upsampling(factors, dtype)]
        return [_take(held, axis + 1) for held, (axis, _) in zip(places, axes, strict=True)]
    return [_between(layer, axis, n, len(shape)) for axis, n in axes]


def _upsampling(factors: list[int], dtype: str) -> keras.Layer:
    if len(factors) == 1:
        return layers.UpSampling1D(factors[0], dtype=dtype)
    kind = UPSAMPLINGS[len(factors) - 1]
    return kind(tuple(factors), data_format="channels_last", dtype=dtype)


def _between(layer: ir.Resize, axis: int, positions: int, rank: int) -> Step:
    below, above, share = layer.neighbours(axis, positions)
    weight = share.reshape(-1, *(1,) * (rank - axis - 1)).tolist()
    low, high = _take(below, axis + 1), _take(above, axis + 1)

    def run(x: Any) -> Any:
        first, second = low(x), high(x)
        return first + (second - first) * np.asarray(weight, x.dtype)

    return run


def select(layer: ir.Select, shape: Shape, dtype: str) -> list[Step]:
    """Channels picked."""
    return [_take(layer.indices, len(shape))]


def added(offset: np.ndarray, shape: Shape, dtype: str) -> keras.Layer:
    """A layer that adds weights of the shape of a sample, or of its channels."""
    axes = LETTERS[1 : len(shape) + 1]
    native = layers.EinsumDense(
        f"a{axes},{axes[-1]}->a{axes}", shape, bias_axes=axes[-offset.ndim :], dtype=dtype
    )
    return weighted(native, shape, [np.ones(shape[-1], offset.dtype), offset])


def token(layer: ir.Token, shape: Shape, dtype: str) -> list[Step]:
    """Weights added to zeros, before the sequence."""
    count, width = layer.values.shape
    values = added(layer.values, (count, width), dtype)

    def run(x: Any) -> Any:
        zeros = keras.ops.zeros_like(keras.ops.take(x, [0] * count, axis=1))
        return layers.Concatenate(axis=1, dtype=dtype)([values(zeros), x])

    return [run]


def read_flatten(native: Any, shape: Shape) -> list[Layer]:
    """A Flatten."""
    require(native, data_format="channels_last")
    return [ir.Flatten()]


def read_padding(native: Any, shape: Shape) -> list[Layer]:
    """A Pad of zeros."""
    require(native, data_format="channels_last")
    return [ir.Pad(_pairs(native.padding))]


def _pairs(given: Any) -> list[Any]:
    return [given] if isinstance(given[0], int) else list(given)


def read_cropping(native: Any, shape: Shape) -> list[Layer]:
    """A Crop."""
    if len(shape) > 2:
        require(native, data_format="channels_last")
    pairs = _pairs(native.cropping)
    stops = [n - after for n, (_, after) in zip(shape[:-1], pairs, strict=True)]
    return [ir.Crop([before for before, _ in pairs], stops)]


def read_upsampling(native: Any, shape: Shape) -> list[Layer]:
    """A Resize: to the nearest, or linear between the centres."""
    if len(shape) > 2:
        require(native, data_format="channels_last")
    factors = (native.size,) if isinstance(native.size, int) else native.size
    size = [n * factor for n, factor in zip(shape[:-1], factors, strict=True)]
    interpolation = getattr(native, "interpolation", "nearest")
    if interpolation == "nearest":
        return [ir.Resize(size)]
    if interpolation == "bilinear":
        return [ir.Resize(size, "linear", "half_pixel")]
    raise BackendError(
        f"{named(native)}: UpSampling2D with interpolation={interpolation} is not read"
    )


def read_reshape(native: Any, shape: Shape) -> list[Layer]:
    """Where channels stay: other position axes; where all become one: a Flatten."""
    result = tuple(native.compute_output_shape((None, *shape))[1:])
    if result == shape:
        return []
    if len(result) == 1:
        return [ir.Flatten()]
    if result[-1] != shape[-1]:
        raise BackendError(
            f"{named(native)}: Reshape from {shape} to {result} moves values between channels and"
            " positions"
        )
    return [ir.Rearrange(result[:-1], range(len(result) - 1), (1,) * (len(result) - 1))]


def read_permute(native: Any, shape: Shape) -> list[Layer]:
    """A Rearrange of positions."""
    if native.dims[-1] != len(shape):
        raise BackendError(f"{named(native)}: Permute{native.dims} moves channels")
    return [
        ir.Rearrange(shape[:-1], [axis - 1 for axis in native.dims[:-1]], (1,) * (len(shape) - 1))
    ]


READ = {
    layers.Flatten: read_flatten,
    layers.Reshape: read_reshape,
    layers.Permute: read_permute,
    **dict.fromkeys(PADDINGS, read_padding),
    **dict.fromkeys(CROPPINGS, read_cropping),
    **dict.fromkeys(UPSAMPLINGS, read_upsampling),
}
