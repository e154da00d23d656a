"""Layers with several sources as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery_tensorflow.native.positions import added
from nas_surgery_tensorflow.native.settings import Step

layers = keras.layers
Shapes = tuple[Shape, ...]


def add(layer: ir.Add, shapes: Shapes, dtype: str) -> Step:
    """Add."""
    return _merged(layers.Add(dtype=dtype), shapes, dtype)


def multiply(layer: ir.Multiply, shapes: Shapes, dtype: str) -> Step:
    """Multiply."""
    return _merged(layers.Multiply(dtype=dtype), shapes, dtype)


def _merged(native: keras.Layer, shapes: Shapes, dtype: str) -> Step:
    """Sources without positions get as many of length one as the others have."""
    rank = max(map(len, shapes))

    def run(*xs: Any) -> Any:
        return native([_beside(x, shape) for x, shape in zip(xs, shapes, strict=True)])

    def _beside(x: Any, shape: Shape) -> Any:
        longer = (*(1,) * (rank - len(shape)), *shape)
        return x if len(shape) == rank else layers.Reshape(longer, dtype=dtype)(x)

    return run


def concat(layer: ir.Concat, shapes: Shapes, dtype: str) -> Step:
    """Concatenate."""
    native = layers.Concatenate(axis=-1, dtype=dtype)
    return lambda *xs: native(list(xs))


def concat_positions(layer: ir.ConcatPositions, shapes: Shapes, dtype: str) -> Step:
    """Concatenate, along another axis."""
    native = layers.Concatenate(axis=layer.axis + 1, dtype=dtype)
    return lambda *xs: native(list(xs))


def attend(layer: ir.Attend, shapes: Shapes, dtype: str) -> Step:
    """Keras's operations, one by one: its MultiHeadAttention has the linear layers inside."""
    positions, scale = shapes[0][:-1], layer.scale_for(shapes[0][-1])

    def run(*xs: Any) -> Any:
        q, k, v = (_split(x, shape) for x, shape in zip(xs, shapes, strict=True))
        scores = _swapped(k, (-2, -1))
        scores = keras.ops.matmul(keras.ops.multiply(q, scale), scores)
        scores = _masked(scores)
        heads = keras.ops.matmul(layers.Softmax(dtype=dtype)(scores), v)
        together = (*positions, shapes[2][-1])
        return layers.Reshape(together, dtype=dtype)(_swapped(heads, (-3, -2)))

    def _split(x: Any, shape: Shape) -> Any:
        *outer, width = shape
        parts = (*outer, layer.heads, width // layer.heads)
        return _swapped(layers.Reshape(parts, dtype=dtype)(x), (-3, -2))

    def _swapped(x: Any, pair: tuple[int, int]) -> Any:
        order = list(range(len(x.shape)))
        a, b = pair
        order[a], order[b] = order[b], order[a]
        return layers.Permute(order[1:], dtype=dtype)(x)

    def _masked(scores: Any) -> Any:
        shape = tuple(scores.shape[1:])
        if layer.bias is not None:
            bias = np.ascontiguousarray(np.broadcast_to(layer.bias, shape))
            scores = added(bias, shape, dtype)(scores)
        if layer.causal:
            seen = np.isfinite(layer.mask(positions[-1])).tolist()
            scores = keras.ops.where(np.asarray(seen), scores, -np.inf)
        return scores

    return run


def read_concat(native: Any, shapes: Shapes) -> list[Layer]:
    """A Concat, of channels or of positions."""
    rank = len(shapes[0])
    axis = native.axis if native.axis >= 0 else native.axis + rank + 1
    return [ir.Concat() if axis == rank else ir.ConcatPositions(axis - 1)]


READ = {
    layers.Add: lambda native, shapes: [ir.Add()],
    layers.Multiply: lambda native, shapes: [ir.Multiply()],
    layers.Concatenate: read_concat,
}
"""Layers that take a list of tensors."""
