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
