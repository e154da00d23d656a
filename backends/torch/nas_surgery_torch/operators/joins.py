"""Layers with several sources."""

from functools import reduce

import torch

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def add(layer: ir.Add, place: Place) -> Operator:
    """A sum."""

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        return reduce(torch.add, xs)

    return Operator(run, place.first)


def concat(layer: ir.Concat, place: Place) -> Operator:
    """Channels beside each other."""
    axis = 1 if place.first else -1

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        return torch.cat(xs, axis)

    return Operator(run, place.first)
