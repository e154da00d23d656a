"""Normalisations."""

from collections.abc import Sequence
from math import prod

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged, on_channels
from nas_surgery.formats.onnx.importer.views import Factor, View, cut_alike
from nas_surgery.network import Array, BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm


@makes("BatchNormalization")
def batch_norm(call: Call) -> Made:
    """By stored statistics; ONNX's momentum is what is kept, ours what is taken over."""
    if call.setting("training_mode", 0) or sum(map(bool, call.node.outputs)) > 1:
        raise Outside("it is in training mode; export the model in evaluation mode")
    view = call.view(0)
    view = on_channels(call.sketch, view, 1 if view.rank > 1 else 0)
    scale, offset, mean, variance = (call.weights(i, 1) for i in range(1, 5))
    layer = BatchNorm(
        mean,
        variance,
        scale,
        offset,
        epsilon=call.setting("epsilon", 1e-5),
        momentum=float(np.clip(1 - call.setting("momentum", 0.9), 0, 1)),
    )
    return call.sketch.on(view, layer)


@makes("LayerNormalization")
def layer_norm(call: Call) -> Made:
    """Over the last axis."""
    view = call.view(0)
    if view.axis(int(call.setting("axis", -1))) != view.rank - 1:
        raise Outside("it normalises over more than the last axis")
    view = on_channels(call.sketch, view, -1)
    scale = _channels(call.weights(1), view.shape[-1])
    offset = None if call.value(2) is None else _channels(call.weights(2), view.shape[-1])
    return call.sketch.on(view, LayerNorm(scale, offset, epsilon=call.setting("epsilon", 1e-5)))


@makes("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(call: Call) -> Made:
    """Over the last axis."""
    view = call.view(0)
    if view.axis(int(call.setting("axis", -1))) != view.rank - 1:
        raise Outside("it normalises over more than the last axis")
    view = on_channels(call.sketch, view, -1)
    scale = _channels(call.weights(1), view.shape[-1])
    return call.sketch.on(view, RMSNorm(scale, epsilon=call.setting("epsilon", 1e-5)))


@makes("InstanceNormalization")
def instance_norm(call: Call) -> Made:
    """Over positions; or also over channels, where the second axis holds groups of them."""
    view, scale, offset = cut_alike(call.view(0)), call.weights(1, 1), call.weights(2, 1)
    if _is_grouped(view):
        return _grouped(call, view, scale, offset)
    view = arranged(call.sketch, view, 1)
    return call.sketch.on(view, InstanceNorm(scale, offset, epsilon=call.setting("epsilon", 1e-5)))


def _is_grouped(view: View) -> bool:
    """Whether the second axis is groups of channels, and the others are all that is in a group."""
    groups = view.sizes[1]
    outer = (Factor(view.last, view.shape[-1] // groups, groups),)
    return view.batch == 0 and 1 < groups < view.shape[-1] and view.axes[1] == outer


def _grouped(call: Call, view: View, scale: Array, offset: Array) -> View:
    channels = view.shape[-1]
    layer = GroupNorm(
        len(scale),
        _per_channel(scale, channels),
        _per_channel(offset, channels),
        epsilon=call.setting("epsilon", 1e-5),
    )
    return call.sketch.on(view, layer)


@makes("GroupNormalization")
def group_norm(call: Call) -> Made:
    """Over positions and the channels of a group."""
    view = arranged(call.sketch, call.view(0), 1)
    groups, channels = int(call.setting("num_groups", 1)), view.shape[-1]
    scale, offset = (_per_channel(call.weights(i, 1), channels) for i in (1, 2))
    layer = GroupNorm(groups, scale, offset, epsilon=call.setting("epsilon", 1e-5))
    return call.sketch.on(view, layer)


def _per_channel(values: Array, channels: int) -> Array:
    """One value for each channel; opsets before 21 have one for each group."""
    return np.repeat(values, channels // len(values)) if len(values) < channels else values


def _channels(values: Array, channels: int) -> Array:
    if prod(values.shape) not in (1, channels) or _leading(values.shape):
        raise Outside(f"weights of shape {list(values.shape)} are none of {channels} channels")
    return np.broadcast_to(values.reshape(-1), (channels,))


def _leading(shape: Sequence[int]) -> bool:
    """Whether any but the last axis is longer than 1."""
    return any(size > 1 for size in shape[:-1])
