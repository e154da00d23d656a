"""Layers that normalise."""

import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def batch_norm(layer: ir.BatchNorm, place: Place) -> Operator:
    """While training, by the batch itself, whose mean and variance move those of the layer in place.

    One value says nothing of a variance, so a batch that holds no more leaves it as it is.
    """

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        variance = arrays["variance"]
        single = place.training and x.numel() == len(variance)
        return torch.batch_norm(
            x,
            arrays.get("scale"),
            arrays.get("offset"),
            arrays["mean"],
            variance.clone() if single else variance,
            place.training,
            layer.momentum,
            layer.epsilon,
            torch.backends.cudnn.enabled,
        )

    return Operator(run, first=True)


def layer_norm(layer: ir.LayerNorm, place: Place) -> Operator:
    """Over the channels of each position."""
    shape = place.shape[-1:]

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        scale, offset = arrays.get("scale"), arrays.get("offset")
        return functional.layer_norm(x, shape, scale, offset, layer.epsilon)

    return Operator(run)


def rms_norm(layer: ir.RMSNorm, place: Place) -> Operator:
    """The same without a mean."""
    shape = place.shape[-1:]

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x, shape, arrays["scale"], layer.epsilon)

    return Operator(run)


def group_norm(layer: ir.GroupNorm, place: Place) -> Operator:
    """Over positions and the channels of each group."""
    return _by_groups(layer.groups, layer.epsilon, place)


def instance_norm(layer: ir.InstanceNorm, place: Place) -> Operator:
    """Over the positions of each channel, which are groups of one."""
    return _by_groups(place.shape[-1], layer.epsilon, place)


def _by_groups(groups: int, epsilon: float, place: Place) -> Operator:
    """Scale and offset come behind: within, torch 2.13 crashes where inputs need no gradient."""
    shape = (-1, *(1,) * place.rank)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        y = torch.group_norm(x, groups, None, None, epsilon)
        if "scale" in arrays:
            y = y * arrays["scale"].reshape(shape)
        return y + arrays["offset"].reshape(shape) if "offset" in arrays else y

    return Operator(run, first=True)


def softmax(layer: ir.Softmax, place: Place) -> Operator:
    """Over the channels of each position."""
    return Operator(lambda arrays, x: functional.softmax(x, -1))
