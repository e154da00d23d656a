"""Any network as one function of tensors: its layers' operators, and the views between them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch

from nas_surgery.network import Embedding, Layer, Network
from nas_surgery.network.network import array_name
from nas_surgery.network.wires import INPUT, cut, walk
from nas_surgery_torch.operators import Arrays, Operator, Place, operator, turned
from nas_surgery_torch.operators.linear import check_tokens

FORGOTTEN = {"add", "batch_norm", "conv", "dense"}
"""Layers that make new tensors, and do not keep them for the backward pass."""

BY_HAND = {"dense", "activation", "flatten", "dropout"}

Tensors = Mapping[str, torch.Tensor]
Call = Callable[..., torch.Tensor]


def is_dense_chain(network: Network) -> bool:
    """Whether the layers that train are such as `layers.py` unrolls by hand."""
    trained = network.layers[network.prefix :]
    return not network.wires and all(layer.needs in BY_HAND for layer in trained)


def check_inputs(network: Network, x: torch.Tensor) -> None:
    """Raise BackendError if what enters the first layer that can change is to be tokens, and is not."""
    for layer, held in zip(network.layers, network.sources, strict=True):
        if isinstance(layer, Embedding) and held == (network.prefix - 1,):
            check_tokens(layer, x)


class Graph:
    """The layers of a network that can change, as a function of what enters the first of them."""

    def __init__(self, network: Network, training: bool = False) -> None:
        self._network, start = network, network.prefix
        self._constants: list[Arrays] = []
        self._sources = cut(network.sources[start:], start)
        self._calls: list[Call] = []
        spare = _spare(network.layers[start:], self._sources)
        lies = {INPUT: False}  # whether channels come first, by source
        for address, held in enumerate(self._sources):
            shapes = network.shapes_before(address + start)
            place = Place(shapes, lies[held[0]], training, held[0] in spare)
            made = operator(network.layers[address + start], place)
            self._calls.append(_call(made, [lies[source] for source in held]))
            self._constants.append(made.constants)
            lies[address] = made.first and len(network.shapes[address + start + 1]) > 1
        self._first = lies[len(self._sources) - 1]

    def __call__(self, x: torch.Tensor, arrays: Sequence[Arrays]) -> torch.Tensor:
        """Outputs (N, *output_shape) of `x` (N, ...), with each layer's arrays as `arrays` gives them."""
        y = walk(self._sources, x, lambda i, *xs: self._calls[i](arrays[i], *xs))
        return turned(y, self._first, False)

    def arrays(self, *held: Tensors) -> list[dict[str, torch.Tensor]]:
        """Each layer's arrays by field, of all that is held by the names on disk, and its constants."""
        tensors = {name: tensor for each in held for name, tensor in each.items()}
        like = next(iter(tensors.values()))
        layers = enumerate(self._network.layers[self._network.prefix :], self._network.prefix)
        return [
            {
                **{field: tensors[array_name(address, field)] for field in layer.arrays()},
                **{name: _placed(value, like) for name, value in constants.items()},
            }
            for (address, layer), constants in zip(layers, self._constants, strict=True)
        ]


def _spare(layers: Sequence[Layer], sources: Sequence[tuple[int, ...]]) -> set[int]:
    """The layers with one reader whose outputs no backward pass looks at."""
    readers = Counter(source for held in sources for source in held)
    return {i for i, layer in enumerate(layers) if layer.kind in FORGOTTEN and readers[i] == 1}


def _call(made: Operator, lie: Sequence[bool]) -> Call:
    """The operator on sources that lie as they lie."""
    if all(first == made.first for first in lie):
        return made.run

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        views = [turned(x, first, made.first) for x, first in zip(xs, lie, strict=True)]
        return made.run(arrays, *views)

    return run


def _placed(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A constant beside the network's arrays: on their device, numbers in their dtype, indices as they are."""
    return value.to(like if value.is_floating_point() else like.device)
