"""Networks as plain torch modules, and back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, Array, Dense, Dropout, Flatten, Layer, Network, Shape
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.training.native_reading import Part, Run, answer, compare
from nas_surgery_torch.activations import SOFTPLUS_THRESHOLD
from nas_surgery_torch.devices import repeatable
from nas_surgery_torch.normalize import is_normalize, normalize_module

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

    Modules may stand in it more than once; weights that are computed (parametrizations, pruning) are
    read as the forward pass has them. Everything is compared once with the model's own outputs. What
    hooks do to gradients is not read. Raises BackendError for a module that the IR does not hold, and
    where the model computes anything else.
    """
    modules = list(_chain(model))
    network = _network(input_shape, modules)
    with evaluating(model) as device:
        answer("model", _runner(model, device), np.zeros((1, *network.input_shape), network.dtype))
        network = _network(input_shape, modules)  # hooks have put the weights in place now
        unit = unit_roundoff(network.dtype)
        parts = [
            Part(path, (layer,), _runner(module, device), unit)
            for (path, module), layer in zip(modules, network.layers, strict=True)
        ]
        compare(network, parts, _runner(model, device), "model")
    return network


def _network(input_shape: int | Shape, modules: Sequence[tuple[str, nn.Module]]) -> Network:
    return Network(input_shape, [_layer(path, module) for path, module in modules])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """The model in evaluation mode without gradients; the mode of every module is restored."""
    modes = [(module, module.training) for module in model.modules()]
    tensors = (*model.parameters(), *model.buffers())
    device = next((tensor.device for tensor in tensors), torch.device("cpu"))
    try:
        for module, _ in modes:
            module.training = False
        with repeatable(device, 0), torch.no_grad():
            yield device
    finally:
        for module, mode in modes:
            module.training = mode


def _runner(module: nn.Module, device: torch.device) -> Run:
    return lambda x: module(torch.tensor(x).to(device)).cpu().numpy()


def _module(layer: Layer) -> nn.Module:
    if isinstance(layer, Dense):
        return _linear(layer)
    if isinstance(layer, ir.Normalize):
        return normalize_module(layer)
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
        for name, child in model._modules.items():  # named_children leaves out what is there twice
            yield from _chain(child, f"{path}[{name}]")
    else:
        yield path, model


def _layer(path: str, module: Any) -> Layer:
    kind = type_before_parametrizations(module) if is_parametrized(module) else type(module)
    if kind is nn.Linear:
        bias = None if module.bias is None else _array(path, module.bias)
        return Dense(_array(path, module.weight).T, bias)
    if is_normalize(module):
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
    if tensor.is_meta:
        raise BackendError(f"{path}: the device meta holds no weights")
    return tensor.detach().cpu().numpy()
