"""Layers that normalise as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Layer, Shape
from nas_surgery_tensorflow.native.settings import Step, array, held, named, weighted

layers = keras.layers


def _affine(layer: Any, dtype: str) -> dict[str, Any]:
    scale, center = layer.scale is not None, layer.offset is not None
    return {"scale": scale, "center": center, "epsilon": layer.epsilon, "dtype": dtype}


def batch_norm(layer: ir.BatchNorm, shape: Shape, dtype: str) -> list[Step]:
    """BatchNormalization, whose momentum is what it keeps."""
    native = layers.BatchNormalization(momentum=1 - layer.momentum, **_affine(layer, dtype))
    arrays = held(layer.scale, layer.offset, layer.mean, layer.variance)
    return [weighted(native, shape, arrays)]


def layer_norm(layer: ir.LayerNorm, shape: Shape, dtype: str) -> list[Step]:
    """LayerNormalization."""
    native = layers.LayerNormalization(**_affine(layer, dtype))
    return [weighted(native, shape, held(layer.scale, layer.offset))]


def rms_norm(layer: ir.RMSNorm, shape: Shape, dtype: str) -> list[Step]:
    """RMSNormalization."""
    native = layers.RMSNormalization(epsilon=layer.epsilon, dtype=dtype)
    return [weighted(native, shape, [layer.scale])]


def group_norm(layer: ir.GroupNorm, shape: Shape, dtype: str) -> list[Step]:
    """GroupNormalization."""
    native = layers.GroupNormalization(layer.groups, **_affine(layer, dtype))
    return [weighted(native, shape, held(layer.scale, layer.offset))]


def instance_norm(layer: ir.InstanceNorm, shape: Shape, dtype: str) -> list[Step]:
    """GroupNormalization with a group for each channel."""
    native = layers.GroupNormalization(shape[-1], **_affine(layer, dtype))
    return [weighted(native, shape, held(layer.scale, layer.offset))]


def softmax(layer: ir.Softmax, shape: Shape, dtype: str) -> list[Step]:
    """Softmax."""
    return [layers.Softmax(dtype=dtype)]


def _last_axis(native: Any, shape: Shape) -> None:
    axes = np.atleast_1d(native.axis)
    if len(axes) != 1 or int(axes[0]) not in (-1, len(shape)):
        raise BackendError(
            f"{named(native)}: {type(native).__name__} is supported along the last axis, got"
            f" axis={native.axis}"
        )


def read_batch_norm(native: Any, shape: Shape) -> list[Layer]:
    """A BatchNorm."""
    _last_axis(native, shape)
    mean, variance, scale, offset = (
        array(native, each)
        for each in (native.moving_mean, native.moving_variance, native.gamma, native.beta)
    )
    momentum = round(1 - native.momentum, 12)
    return [ir.BatchNorm(mean, variance, scale, offset, native.epsilon, momentum)]


def read_layer_norm(native: Any, shape: Shape) -> list[Layer]:
    """A LayerNorm."""
    _last_axis(native, shape)
    scale, offset = (array(native, getattr(native, name, None)) for name in ("gamma", "beta"))
    return [ir.LayerNorm(scale, offset, native.epsilon)]


def read_rms_norm(native: Any, shape: Shape) -> list[Layer]:
    """An RMSNorm."""
    _last_axis(native, shape)
    return [ir.RMSNorm(array(native, native.scale), native.epsilon)]


def read_group_norm(native: Any, shape: Shape) -> list[Layer]:
    """A GroupNorm."""
    _last_axis(native, shape)
    scale, offset = array(native, native.gamma), array(native, native.beta)
    return [ir.GroupNorm(native.groups, scale, offset, native.epsilon)]


def read_softmax(native: Any, shape: Shape) -> list[Layer]:
    """A Softmax over the last axis."""
    _last_axis(native, shape)
    return [ir.Softmax()]


READ = {
    layers.BatchNormalization: read_batch_norm,
    layers.LayerNormalization: read_layer_norm,
    layers.RMSNormalization: read_rms_norm,
    layers.GroupNormalization: read_group_norm,
    layers.Softmax: read_softmax,
}
