"""Any network as one function of tensors: its layers' operators, and the views between them."""

from collections.abc import Callable, Mapping, Sequence

import torch

from nas_surgery.network import Layer, Network
from nas_surgery.network.network import array_name
from nas_surgery.network.wires import INPUT, cut, walk
from nas_surgery_torch.activations import KERNELS
from nas_surgery_torch.operators import Arrays, Operator, Place, operator, turned

CHAIN = {"dense", "activation", "flatten", "dropout"}

Tensors = Mapping[str, torch.Tensor]
Call = Callable[..., torch.Tensor]


def is_dense_chain(network: Network) -> bool:
    """Whether the layers that train are such as `layers.py` unrolls by hand."""
    return not network.wires and all(map(_by_hand, network.layers[network.prefix :]))


def _by_hand(layer: Layer) -> bool:
    function = layer.elementwise
    known = function is None or function.name == "linear" or function.name in KERNELS
    return layer.kind in CHAIN and known


class Graph:
    """The layers of a network that can change, as a function.

    arrays: each layer's by field, as `layer_arrays` gives them.
    """

    def __init__(self, network: Network, training: bool = False) -> None:
        start = network.prefix
        self._sources = cut(network.sources[start:], start)
        self._calls: list[Call] = []
        lies = {INPUT: False}  # whether channels come first, by source
        for address, held in enumerate(self._sources):
            shapes = network.shapes_before(address + start)
            place = Place(shapes, lies[held[0]], training)
            made = operator(network.layers[address + start], place)
            self._calls.append(_call(made, [lies[source] for source in held]))
            lies[address] = made.first and len(network.shapes[address + start + 1]) > 1

    def __call__(self, x: torch.Tensor, arrays: Sequence[Arrays]) -> torch.Tensor:
        """Logits (N, outputs) from what enters the first of the layers, (N, ...)."""
        return walk(
            self._sources, x, lambda address, *xs: self._calls[address](arrays[address], *xs)
        )


def _call(made: Operator, lie: Sequence[bool]) -> Call:
    """The operator on sources that lie as they lie."""
    if all(first == made.first for first in lie):
        return made.run

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        views = [turned(x, first, made.first) for x, first in zip(xs, lie, strict=True)]
        return made.run(arrays, *views)

    return run


def layer_arrays(network: Network, *held: Tensors) -> list[dict[str, torch.Tensor]]:
    """The arrays of each layer behind the prefix by field, of all that is held by the names on disk."""
    tensors = {name: tensor for each in held for name, tensor in each.items()}
    return [
        {field: tensors[array_name(address, field)] for field in layer.arrays()}
        for address, layer in enumerate(network.layers[network.prefix :], network.prefix)
    ]
