"""Layers that normalise as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Layer, Shape
from nas_surgery_torch.native.linear import weighted
from nas_surgery_torch.native.settings import Reading, array, require

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)  # by position axes
INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def batch_norm(layer: ir.BatchNorm, shape: Shape) -> nn.Module | None:
    """nn.BatchNorm1d to 3d."""
    if len(shape) > len(BATCH_NORMS):
        return None
    make = BATCH_NORMS[len(shape) - 1]
    module = make(len(layer.mean), layer.epsilon, layer.momentum, dtype=_dtype(layer))
    module.register_buffer("running_mean", torch.tensor(layer.mean))
    module.register_buffer("running_var", torch.tensor(layer.variance))
    return weighted(module, weight=layer.scale, bias=layer.offset)


def layer_norm(layer: ir.LayerNorm, shape: Shape) -> nn.Module:
    """nn.LayerNorm over the last axis."""
    module = nn.LayerNorm(shape[-1], layer.epsilon)
    return weighted(module, weight=layer.scale, bias=layer.offset)


def rms_norm(layer: ir.RMSNorm, shape: Shape) -> nn.Module:
    """nn.RMSNorm over the last axis."""
    return weighted(nn.RMSNorm(shape[-1], layer.epsilon), weight=layer.scale)


def group_norm(layer: ir.GroupNorm, shape: Shape) -> nn.Module:
    """nn.GroupNorm."""
    module = nn.GroupNorm(layer.groups, shape[-1], layer.epsilon)
    return weighted(module, weight=layer.scale, bias=layer.offset)


def instance_norm(layer: ir.InstanceNorm, shape: Shape) -> nn.Module | None:
    """nn.InstanceNorm1d to 3d, which refuse a single position."""
    *positions, channels = shape
    if len(positions) > len(INSTANCE_NORMS) or np.prod(positions) == 1:
        return None
    module = INSTANCE_NORMS[len(positions) - 1](channels, layer.epsilon, affine=True)
    return weighted(module, weight=layer.scale, bias=layer.offset)


def softmax(layer: ir.Softmax, shape: Shape) -> nn.Module:
    """nn.Softmax over the last axis."""
    return nn.Softmax(-1)


def _dtype(layer: ir.BatchNorm) -> torch.dtype:
    return torch.tensor(layer.mean[:0]).dtype


def read_batch_norm(module: Any, reading: Reading) -> Layer:
    """A BatchNorm; one that has measured nothing has no statistics."""
    if module.running_mean is None or module.momentum is None:
        raise BackendError(
            f"{type(module).__name__} is supported with running statistics and a momentum"
        )
    return ir.BatchNorm(
        array(module.running_mean),
        array(module.running_var),
        array(module.weight),
        array(module.bias),
        module.eps,
        module.momentum,
    )


def read_layer_norm(module: nn.LayerNorm, reading: Reading) -> Layer:
    """A LayerNorm."""
    require(module, normalized_shape=reading.shape[-1:])
    return ir.LayerNorm(array(module.weight), array(module.bias), module.eps)


def read_rms_norm(module: nn.RMSNorm, reading: Reading) -> Layer:
    """An RMSNorm; torch's own epsilon is that of the dtype."""
    require(module, normalized_shape=reading.shape[-1:], elementwise_affine=True)
    scale = array(module.weight)
    eps = torch.finfo(module.weight.dtype).eps if module.eps is None else module.eps
    return ir.RMSNorm(scale, eps)


def read_group_norm(module: nn.GroupNorm, reading: Reading) -> Layer:
    """A GroupNorm."""
    return ir.GroupNorm(module.num_groups, array(module.weight), array(module.bias), module.eps)


def read_instance_norm(module: Any, reading: Reading) -> Layer:
    """An InstanceNorm."""
    require(module, track_running_stats=False)
    return ir.InstanceNorm(array(module.weight), array(module.bias), module.eps)


def read_softmax(module: nn.Softmax, reading: Reading) -> Layer:
    """A Softmax over channels."""
    last = 1 if reading.lie.first else len(reading.shape)
    if module.dim not in (last, last - len(reading.shape) - 1):
        require(module, dim=last)
    return ir.Softmax()


READ: dict[type[nn.Module], Callable[..., Layer]] = {
    **dict.fromkeys(BATCH_NORMS, read_batch_norm),
    **dict.fromkeys(INSTANCE_NORMS, read_instance_norm),
    nn.GroupNorm: read_group_norm,
    nn.LayerNorm: read_layer_norm,
    nn.RMSNorm: read_rms_norm,
    nn.Softmax: read_softmax,
}
