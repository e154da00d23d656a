"""Layers that treat each value by itself as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD
from nas_surgery_torch.native.settings import Reading, array, require
from nas_surgery_torch.native.tracing import traced

ACTIVATIONS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "linear": (nn.Identity, {}),
    "relu": (nn.ReLU, {}),
    "relu6": (nn.ReLU6, {}),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": LEAKY_SLOPE}),
    "elu": (nn.ELU, {"alpha": 1.0}),
    "selu": (nn.SELU, {}),
    "gelu": (nn.GELU, {"approximate": "none"}),
    "tanh": (nn.Tanh, {}),
    "sigmoid": (nn.Sigmoid, {}),
    "softplus": (nn.Softplus, {"beta": 1, "threshold": SOFTPLUS_THRESHOLD}),
    "silu": (nn.SiLU, {}),
}
"""Module and settings of every activation; with other settings it is another function."""

FUNCTIONS = {module: name for name, (module, _) in ACTIVATIONS.items()}

NORMALIZE = "Normalize"


def activation(layer: ir.Activation, shape: Shape) -> nn.Module:
    """The module of that function."""
    module, settings = ACTIVATIONS[layer.function]
    return module(**settings)


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


def is_normalize(module: Any) -> bool:
    """Whether a module is what `normalize` makes; the values of its buffers do not matter."""
    if not isinstance(module, fx.GraphModule):
        return False
    names = [
        (node.op, getattr(node.target, "__name__", node.target)) for node in module.graph.nodes
    ]
    held = [("get_attr", "mean"), ("get_attr", "scale")]
    calls = [("call_function", "sub"), ("call_function", "truediv")]
    return names == [("placeholder", "x"), *held, *calls, ("output", "output")]


def _laid(values: np.ndarray, shape: Shape, first: bool) -> np.ndarray:
    if not first or not values.ndim:
        return values
    full = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    return np.ascontiguousarray(np.moveaxis(full, -1, 0))


def read_activation(module: nn.Module, reading: Reading) -> Layer:
    """An Activation."""
    function = FUNCTIONS[_kind(module)]
    for name, wanted in ACTIVATIONS[function][1].items():
        # torch's own threshold of softplus changes nothing that float32 shows
        if name != "threshold" or module.threshold < nn.Softplus().threshold:
            require(module, **{name: wanted})
    return ir.Activation(function)


def _kind(module: nn.Module) -> type[nn.Module]:
    return next(kind for kind in FUNCTIONS if isinstance(module, kind))


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
    **dict.fromkeys(FUNCTIONS, read_activation),
}
