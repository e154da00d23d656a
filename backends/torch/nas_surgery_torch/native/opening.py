"""Modules as networks: chains of known modules as they stand, all others by their export."""

from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Network, Shape
from nas_surgery.training.native_model import NativeModel, channels_last, channels_moved
from nas_surgery_torch.native import elementwise
from nas_surgery_torch.native.building import to_native
from nas_surgery_torch.native.exporting import Exported, exported
from nas_surgery_torch.native.lies import reorders, turns
from nas_surgery_torch.native.reading import READ, chain, takes_first
from nas_surgery_torch.native.reading import from_native as chain_from_native


def from_native(model: nn.Module, input_shape: int | Shape) -> Network:
    """The network that a module computes in evaluation mode.

    input_shape: of a sample as the model takes it. Raises BackendError for what the IR does not hold, and
    where the model computes anything else than was read.
    """
    if by_export(model):
        return _exported(model, input_shape).whole
    return chain_from_native(model, input_shape)


def opened(model: nn.Module, input_shape: int | Shape) -> NativeModel:
    """The same with the way back."""
    if by_export(model):
        return _exported(model, input_shape).opened()
    network = chain_from_native(model, input_shape)
    first = len(network.input_shape) > 1 and takes_first(list(chain(model)))
    turn = channels_moved if first else channels_last
    mode = model.training

    def arrange(x: Array) -> Array:
        return turn(x, network.input_shape)

    return NativeModel(network, arrange, lambda made: to_native(made, first).train(mode))


def by_export(model: nn.Module) -> bool:
    """Whether a model is more than a chain of modules that are read one by one."""
    return bool(_unknown(model))


def _unknown(model: nn.Module) -> list[tuple[str, str]]:
    """Where modules stand that are no layers, and what they are."""
    return [(path, type(m).__name__) for path, m in chain(model) if not _known(m)]


def _exported(model: nn.Module, input_shape: int | Shape) -> Exported:
    try:
        return exported(model, input_shape)
    except BackendError as error:
        path, kind = _unknown(model)[0]
        if path == "model":
            raise
        raise BackendError(f"{path}: no layer for a torch {kind}; {error}") from None


def _known(module: Any) -> bool:
    kind = type_before_parametrizations(module) if is_parametrized(module) else type(module)
    known = kind in READ or elementwise.is_normalize(module)
    return known or turns(module) is not None or reorders(module)
