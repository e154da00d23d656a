"""Chains of torch's modules as networks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from nas_surgery.errors import BackendError, NasSurgeryError
from nas_surgery.network import Array, Flatten, Layer, Network, Shape
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.network.rules import infer_shapes
from nas_surgery.network.wires import Wires
from nas_surgery.training.native_reading import Part, Run, answer, compare
from nas_surgery_torch.devices import repeatable
from nas_surgery_torch.native import elementwise, linear, norms, pools, positions
from nas_surgery_torch.native.lies import (
    Lie,
    behind,
    flattened,
    passes_order,
    reordered,
    reorders,
    turns,
)
from nas_surgery_torch.native.settings import Reading

READ = {**linear.READ, **norms.READ, **pools.READ, **positions.READ, **elementwise.READ}

LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm)
"""Modules that work on the last axis."""

EITHER = (
    nn.Dropout,
    nn.Softmax,
    *(kind for kind in elementwise.READ if kind not in (nn.PReLU, nn.Flatten)),
)
"""Modules that do not care where channels are; all others want them before positions."""

FIRST = tuple(kind for kind in READ if kind not in (*LAST, *EITHER, nn.Flatten))


@attrs.frozen
class Read:
    """What a module was read as. path: where it stands; before, behind: how the model's tensors lie there."""

    path: str
    module: nn.Module
    layers: tuple[Layer, ...]
    before: Lie
    behind: Lie

    def part(self, device: torch.device, unit: float) -> Part:
        """What `compare` looks at."""
        return Part(
            self.path, self.layers, runner(self.module, device, self.before, self.behind), unit
        )


def from_native(model: nn.Module, input_shape: int | Shape) -> Network:
    """The network that a module, or a chain of them, computes in evaluation mode.

    input_shape: of a sample as the model takes it. Modules may stand in it more than once; weights that
    are computed (parametrizations, pruning) are read as the forward pass has them. Everything is compared
    once with the model's own outputs. What hooks do to gradients is not read. Raises BackendError for a
    module that the IR does not hold, and where the model computes anything else.
    """
    modules = list(chain(model))
    network, reads = read(modules, input_shape)
    lie = reads[0].before if reads else Lie()
    with evaluating(model) as device:
        whole = runner(model, device, lie, Lie())
        answer("model", whole, np.zeros((1, *network.input_shape), network.dtype))
        network, reads = read(modules, input_shape)  # hooks have put the weights in place now
        unit = unit_roundoff(network.dtype)
        compare(network, [each.part(device, unit) for each in reads], whole, "model")
    return network


def read(
    modules: Sequence[tuple[str, nn.Module]], input_shape: int | Shape
) -> tuple[Network, list[Read]]:
    """The network of a chain, and what each of its modules gave to it."""
    given = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    lie = Lie(first=len(given) > 1 and takes_first(modules))
    shape = start = (*given[1:], given[0]) if lie.first else given
    reads: list[Read] = []
    for path, module in modules:
        reads.append(_read(path, module, shape, lie))
        lie = reads[-1].behind
        layers = [layer for each in reads for layer in each.layers]
        shape = _shape_behind(start, layers)
    return Network(start, layers), reads


def _shape_behind(shape: Shape, layers: Sequence[Layer]) -> Shape:
    return infer_shapes(shape, tuple(layers), Wires().all(len(layers)))[-1]


def takes_first(modules: Sequence[tuple[str, nn.Module]]) -> bool:
    """Whether samples come with channels first: where the first module that cares wants it."""
    for _, module in modules:
        if isinstance(module, FIRST) or turns(module) is False:
            return True
        if isinstance(module, (*LAST, nn.Flatten)) or turns(module):
            return False
    return False


def _read(path: str, module: nn.Module, shape: Shape, lie: Lie) -> Read:
    """A module's layers, and how its outputs lie."""
    first = turns(module)
    if first is not None:
        return Read(path, module, (), lie, Lie(first and len(shape) > 1))
    if reorders(module):
        return Read(path, module, (), lie, Lie())
    try:
        layer = _layer(module, Reading(shape, lie))
    except NasSurgeryError as error:
        raise BackendError(f"{path}: {error}") from None
    if isinstance(layer, Flatten):
        return Read(path, module, (layer,), lie, flattened(shape, lie))
    if lie.order is None:
        behind_it = Lie(lie.first and len(layer.output_shape(shape)) > 1)
        return Read(path, module, (layer,), lie, behind_it)
    if passes_order(layer, shape):
        return Read(path, module, (reordered(layer, lie.order),), lie, behind(layer, lie))
    raise BackendError(f"{path}: a {layer.kind} of flattened channels and positions is not read")


def _layer(module: Any, reading: Reading) -> Layer:
    kind = type_before_parametrizations(module) if is_parametrized(module) else type(module)
    if elementwise.is_normalize(module):
        return elementwise.read_normalize(module, reading)
    if kind not in READ:
        known = ", ".join(module.__name__ for module in READ)
        raise BackendError(f"no layer for a torch {kind.__name__}; there are layers for {known}")
    if len(reading.shape) > 1 and reading.lie.first and isinstance(module, LAST):
        raise BackendError(f"a {kind.__name__} works on the last axis, which holds positions here")
    if len(reading.shape) > 1 and not reading.lie.first and isinstance(module, FIRST):
        raise BackendError(
            f"a {kind.__name__} wants channels before positions, and they are last here"
        )
    return READ[kind](module, reading)


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


def runner(module: nn.Module, device: torch.device, before: Lie, after: Lie) -> Run:
    """The module on arrays that lie as in the IR."""

    def run(x: Array) -> Array:
        y = module(before.laid(torch.tensor(x).to(device)))
        return np.asarray(after.restored(y).cpu())

    return run


def chain(model: nn.Module, path: str = "model") -> Iterator[tuple[str, nn.Module]]:
    """The modules of nested chains in their order, with their places for messages."""
    if type(model) is nn.Sequential:
        for name, child in model._modules.items():  # named_children leaves out what is there twice
            assert child is not None
            yield from chain(child, f"{path}[{name}]")
    else:
        yield path, model
