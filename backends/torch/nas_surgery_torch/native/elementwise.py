"""Layers that treat each value by itself as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery.network.functions import DEFAULT_ALPHA
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD
from nas_surgery_torch.native.linear import weighted
from nas_surgery_torch.native.settings import Reading, array, require
from nas_surgery_torch.native.tracing import calls, traced

ACTIVATIONS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "linear": (nn.Identity, {}),
    "relu": (nn.ReLU, {}),
    "relu6": (nn.ReLU6, {}),
    "selu": (nn.SELU, {}),
    "gelu": (nn.GELU, {"approximate": "none"}),
    "gelu_tanh": (nn.GELU, {"approximate": "tanh"}),
    "tanh": (nn.Tanh, {}),
    "sigmoid": (nn.Sigmoid, {}),
    "softplus": (nn.Softplus, {"beta": 1, "threshold": SOFTPLUS_THRESHOLD}),
    "silu": (nn.SiLU, {}),
    "hard_sigmoid": (nn.Hardsigmoid, {}),
    "hard_swish": (nn.Hardswish, {}),
    "mish": (nn.Mish, {}),
    "softsign": (nn.Softsign, {}),
    "log_sigmoid": (nn.LogSigmoid, {}),
}
"""Module and settings of activations without parameters; with other settings it is another function."""

SLOPED: dict[str, tuple[type[nn.Module], str]] = {
    "leaky_relu": (nn.LeakyReLU, "negative_slope"),
    "elu": (nn.ELU, "alpha"),
    "celu": (nn.CELU, "alpha"),
}
"""Module of activations with `alpha`, and what it is called there."""

NORMALIZE = "Normalize"


def activation(layer: ir.Activation, shape: Shape) -> nn.Module | None:
    """The module of that function."""
    if layer.function in SLOPED:
        sloped, name = SLOPED[layer.function]
        return sloped(**{name: layer.slope})
    if layer.function == "clip":
        return _clip(layer)
    if layer.function not in ACTIVATIONS:
        return None
    module, settings = ACTIVATIONS[layer.function]
    return module(**settings)


def _clip(layer: ir.Activation) -> nn.Module | None:
    """nn.Hardtanh, which wants two bounds that differ."""
    if layer.low is None or layer.high is None or layer.low == layer.high:
        return None
    return nn.Hardtanh(layer.low, layer.high)


def prelu(layer: ir.PReLU, shape: Shape) -> nn.Module:
    """nn.PReLU."""
    return weighted(nn.PReLU(len(layer.slope)), weight=layer.slope)


def dropout(layer: ir.Dropout, shape: Shape) -> nn.Module:
    """nn.Dropout."""
    return nn.Dropout(layer.rate)


def flatten(layer: ir.Flatten, shape: Shape) -> nn.Module:
    """nn.Flatten."""
    return nn.Flatten()


def normalize(layer: ir.Normalize, shape: Shape, first: bool) -> fx.GraphModule:
    """`(x - mean) / scale`, with buffers of these names, for channels that lie first or last.

    torch has no module that subtracts and divides by constants of any shape. BatchNorm is not one: it
    multiplies first, which loses digits where the mean is large.
    """
    held = {name: torch.tensor(_laid(a, shape, first)) for name, a in layer.arrays().items()}
    return traced(NORMALIZE, lambda arrays, x: (x - arrays["mean"]) / arrays["scale"], held)


def is_normalize(module: nn.Module) -> bool:
    """Whether a module is what `normalize` makes."""
    example = ir.Normalize(np.zeros(1), np.ones(1))
    return calls(module) == calls(normalize(example, (1,), False))


def _laid(values: np.ndarray, shape: Shape, first: bool) -> np.ndarray:
    if not first or not values.ndim:
        return values
    full = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    return np.ascontiguousarray(np.moveaxis(full, -1, 0))


def read_activation(module: Any, reading: Reading) -> Layer:
    """An Activation without parameters."""
    function, wanted = next(
        (name, settings)
        for name, (kind, settings) in ACTIVATIONS.items()
        if isinstance(module, kind)
        and settings.get("approximate") in (None, getattr(module, "approximate", None))
    )
    for name, value in wanted.items():
        # torch's own threshold of softplus changes nothing that float32 shows
        if name != "threshold" or module.threshold < nn.Softplus().threshold:
            require(module, **{name: value})
    return ir.Activation(function)


def read_sloped(module: Any, reading: Reading) -> Layer:
    """An Activation with `alpha`."""
    function, attribute = next(
        (function, attribute)
        for function, (kind, attribute) in SLOPED.items()
        if isinstance(module, kind)
    )
    alpha = float(getattr(module, attribute))
    return ir.Activation(function, None if alpha == DEFAULT_ALPHA[function] else alpha)


def read_hardtanh(module: nn.Hardtanh, reading: Reading) -> Layer:
    """A clip."""
    return ir.Activation("clip", low=float(module.min_val), high=float(module.max_val))


def read_prelu(module: nn.PReLU, reading: Reading) -> Layer:
    """A PReLU."""
    return ir.PReLU(array(module.weight))


def read_dropout(module: nn.Dropout, reading: Reading) -> Layer:
    """A Dropout."""
    return ir.Dropout(module.p)


def read_flatten(module: nn.Flatten, reading: Reading) -> Layer:
    """A Flatten of whole samples."""
    require(module, start_dim=1, end_dim=-1)
    return ir.Flatten()


def read_normalize(module: Any, reading: Reading) -> Layer:
    """A Normalize; leading axes of length one are left out."""
    return ir.Normalize(
        *(_restored(array(a), reading.lie.first) for a in (module.mean, module.scale))
    )


def _restored(values: np.ndarray, first: bool) -> np.ndarray:
    if not first or not values.ndim:
        return values
    last = np.moveaxis(values, 0, -1)
    longer = [axis for axis, size in enumerate(last.shape) if size > 1]
    return last[(0,) * min([last.ndim - 1, *longer])]


READ: dict[type[nn.Module], Callable[..., Layer]] = {
    nn.Dropout: read_dropout,
    nn.Flatten: read_flatten,
    nn.Hardtanh: read_hardtanh,
    nn.PReLU: read_prelu,
    **dict.fromkeys((kind for kind, _ in ACTIVATIONS.values()), read_activation),
    **dict.fromkeys((kind for kind, _ in SLOPED.values()), read_sloped),
}
