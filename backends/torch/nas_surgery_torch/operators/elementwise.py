"""Layers that treat each value, or each channel, by itself."""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD
from nas_surgery_torch.operators.base import Arrays, Operator, Place

Function = Callable[[torch.Tensor], torch.Tensor]


def activation(layer: ir.Activation, place: Place) -> Operator:
    """An elementwise function."""
    function = function_of(layer)
    if layer.function == "relu" and place.spare:
        function = functional.relu_
    return Operator(lambda arrays, x: function(x), place.first)


def function_of(layer: ir.Activation) -> Function:
    """The function with its parameters."""
    if layer.function == "clip":
        return partial(torch.clamp, min=layer.low, max=layer.high)
    if layer.function in SLOPED:
        return partial(SLOPED[layer.function], layer.slope)
    return FUNCTIONS[layer.function]


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


def _leaky_relu(alpha: float, x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, alpha)


def _elu(alpha: float, x: torch.Tensor) -> torch.Tensor:
    return functional.elu(x, alpha)


def _celu(alpha: float, x: torch.Tensor) -> torch.Tensor:
    return functional.celu(x, alpha)


def _softplus(x: torch.Tensor) -> torch.Tensor:
    return functional.softplus(x, threshold=SOFTPLUS_THRESHOLD)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


FUNCTIONS: dict[str, Function] = {
    "linear": _same,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "gelu_tanh": _gelu_tanh,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": _softplus,
    "silu": functional.silu,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_swish": functional.hardswish,
    "mish": functional.mish,
    "softsign": functional.softsign,
    "exponential": torch.exp,
    "log_sigmoid": functional.logsigmoid,
}
"""Those without parameters, by name."""

SLOPED: dict[str, Callable[[float, torch.Tensor], torch.Tensor]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
}
"""Those with `alpha`."""


def scale(layer: ir.Scale, place: Place) -> Operator:
    """A factor for each channel."""
    return Operator(lambda arrays, x: x * arrays["scale"])


def shift(layer: ir.Shift, place: Place) -> Operator:
    """A term for each channel, perhaps at each position."""
    return Operator(lambda arrays, x: x + arrays["offset"])


def prelu(layer: ir.PReLU, place: Place) -> Operator:
    """A slope for each channel, below zero."""
    return Operator(lambda arrays, x: functional.prelu(x, arrays["slope"]), first=True)


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
