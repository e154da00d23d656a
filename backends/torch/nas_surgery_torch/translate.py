"""Networks as plain torch modules, and back."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, Array, Dense, Dropout, Flatten, Layer, Network, Shape
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD


class Normalize(nn.Module):
    """`(x - mean) / scale`, with mean and scale as buffers."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.scale


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


def to_native(network: Network) -> nn.Sequential:
    """The network as modules, in evaluation mode: as it stands it computes `Network.forward`."""
    return modules(network.layers).eval()


def modules(layers: Sequence[Layer]) -> nn.Sequential:
    """One module for each layer, with copies of its arrays."""
    return nn.Sequential(*map(_module, layers))


def from_native(model: nn.Module, input_shape: int | Shape) -> Network:
    """The network that a module, or a chain of them, computes in evaluation mode.

    Raises BackendError for a module that the IR does not hold.
    """
    return Network(input_shape, [_layer(path, module) for path, module in _chain(model)])


def _module(layer: Layer) -> nn.Module:
    if isinstance(layer, Dense):
        return _linear(layer)
    if isinstance(layer, ir.Normalize):
        return Normalize(torch.tensor(layer.mean), torch.tensor(layer.scale))
    if isinstance(layer, Activation):
        module, settings = ACTIVATIONS[layer.function]
        return module(**settings)
    return nn.Dropout(layer.rate) if isinstance(layer, Dropout) else nn.Flatten()


def _linear(layer: Dense) -> nn.Linear:
    with torch.device("meta"):  # the weights that it would draw are not wanted
        linear = nn.Linear(layer.fan_in, layer.units, bias=layer.bias is not None)
    linear.weight = nn.Parameter(torch.tensor(layer.kernel.T))
    if layer.bias is not None:
        linear.bias = nn.Parameter(torch.tensor(layer.bias))
    return linear


def _chain(model: nn.Module, path: str = "model") -> Iterator[tuple[str, nn.Module]]:
    """The modules of nested chains in their order, with their places for messages."""
    if type(model) is nn.Sequential:
        for name, child in model.named_children():
            yield from _chain(child, f"{path}[{name}]")
    else:
        yield path, model


def _layer(path: str, module: Any) -> Layer:
    kind = type(module)
    if kind is nn.Linear:
        bias = None if module.bias is None else _array(path, module.bias)
        return Dense(_array(path, module.weight).T, bias)
    if kind is Normalize:
        return ir.Normalize(_array(path, module.mean), _array(path, module.scale))
    if kind is nn.Dropout:
        return Dropout(module.p)
    if kind is nn.Flatten:
        _check_settings(path, module, {"start_dim": 1, "end_dim": -1})
        return Flatten()
    if kind in FUNCTIONS:
        _check_settings(path, module, ACTIVATIONS[FUNCTIONS[kind]][1])
        return Activation(FUNCTIONS[kind])
    known = ", ".join(module.__name__ for module in (nn.Linear, nn.Flatten, nn.Dropout, *FUNCTIONS))
    raise BackendError(
        f"{path}: no layer for a torch {kind.__name__}; there are layers for {known}"
    )


def _check_settings(path: str, module: nn.Module, settings: dict[str, Any]) -> None:
    for name, wanted in settings.items():
        value = getattr(module, name)
        # torch's own threshold of softplus changes nothing that float32 shows
        if value != wanted and not (name == "threshold" and value >= nn.Softplus().threshold):
            raise BackendError(
                f"{path}: {type(module).__name__} is supported with {name}={wanted}, got {value}"
            )


def _array(path: str, tensor: torch.Tensor) -> Array:
    if tensor.dtype not in (torch.float32, torch.float64):
        raise BackendError(f"{path}: weights must be float32 or float64, got {tensor.dtype}")
    return tensor.detach().cpu().numpy()
