"""Layers that move values between positions."""

from math import prod

import torch

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def flatten(layer: ir.Flatten, place: Place) -> Operator:
    """Positions outer, channels inner."""
    size = prod(place.shape)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, size)

    return Operator(run)


def rearrange(layer: ir.Rearrange, place: Place) -> Operator:
    """Positions split, transposed and put together again."""
    channels = place.shape[-1]
    order = [0, *(axis + 1 for axis in layer.order), len(layer.order) + 1]

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        split = x.reshape(-1, *layer.shape, channels)
        return split.permute(order).reshape(-1, *layer.positions, channels)

    return Operator(run)


def token(layer: ir.Token, place: Place) -> Operator:
    """Positions that are the same for every sample, before the others."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        values = arrays["values"].unsqueeze(0).expand(x.size(0), -1, -1)
        return torch.cat([values, x], 1)

    return Operator(run)
