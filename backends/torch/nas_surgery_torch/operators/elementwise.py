"""Layers that treat each value, or each channel, by itself."""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD
from nas_surgery_torch.operators.base import Arrays, Operator, Place

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "leaky_relu": partial(functional.leaky_relu, negative_slope=LEAKY_SLOPE),
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": partial(functional.softplus, threshold=SOFTPLUS_THRESHOLD),
    "silu": functional.silu,
}


def activation(layer: ir.Activation, place: Place) -> Operator:
    """An elementwise function."""
    function = FUNCTIONS[layer.function]
    return Operator(lambda arrays, x: function(x), place.first)


def dropout(layer: ir.Dropout, place: Place) -> Operator:
    """While training, a product with the mask of the step."""
    if not place.training:
        return Operator(lambda arrays, x: x, place.first)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return x * arrays["mask"]

    return Operator(run)


def normalize(layer: ir.Normalize, place: Place) -> Operator:
    """Preprocessing."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return (x - arrays["mean"]) / arrays["scale"]

    return Operator(run)
