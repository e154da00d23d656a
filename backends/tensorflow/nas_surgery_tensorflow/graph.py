"""Any network as one function of tensors."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import tensorflow as tf

from nas_surgery.network import Array, Dropout, Embedding, Layer, Network, own
from nas_surgery.network.network import array_name
from nas_surgery.network.wires import cut, walk
from nas_surgery_tensorflow.operators import MEASURING, OPERATORS, Arrays
from nas_surgery_tensorflow.operators.linear import check_tokens

BY_HAND = {"dense", "activation", "flatten", "dropout"}


def is_dense_chain(network: Network) -> bool:
    """Whether the layers that train are such as `layers.py` describes."""
    trained = network.layers[network.prefix :]
    return not network.wires and all(layer.needs in BY_HAND for layer in trained)


def check_inputs(network: Network, x: tf.Tensor) -> None:
    """Raise BackendError if what enters the first layer that can change is to be tokens, and is not."""
    for layer, held in zip(network.layers, network.sources, strict=True):
        if isinstance(layer, Embedding) and held == (network.prefix - 1,):
            check_tokens(layer, x)


@attrs.frozen
class Graph:
    """The layers of a network that can change, as a function of what enters the first of them.

    Equal for equal topologies: it holds no values of arrays. trained, fixed: names of the arrays that
    gradients change, and of the others, in the order in which the functions take them. measured: those
    of the fixed that training moves.
    """

    key: str
    start: int = attrs.field(eq=False)
    layers: tuple[Layer, ...] = attrs.field(eq=False)
    sources: tuple[tuple[int, ...], ...] = attrs.field(eq=False)
    trained: tuple[str, ...] = attrs.field(eq=False)
    fixed: tuple[str, ...] = attrs.field(eq=False)
    measured: frozenset[str] = attrs.field(eq=False)

    def outputs(
        self, trained: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], x: tf.Tensor
    ) -> Any:
        """Outputs (N, *output_shape) in inference of `x` (N, ...)."""
        arrays = self._arrays(trained, fixed)
        return walk(
            self.sources,
            x,
            lambda i, *xs: OPERATORS[self.layers[i].kind](self.layers[i], arrays[i], *xs),
        )

    def trains(
        self,
        trained: Sequence[tf.Tensor],
        fixed: Sequence[tf.Tensor],
        masks: Sequence[tf.Tensor],
        x: tf.Tensor,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Outputs in training, and the fixed arrays behind it. masks: of each Dropout, (N, ...)."""
        arrays = self._arrays(trained, fixed)
        kept, moved = iter(masks), dict(zip(self.fixed, fixed, strict=True))

        def step(i: int, *xs: tf.Tensor) -> tf.Tensor:
            layer, own = self.layers[i], arrays[i]
            if layer.kind not in MEASURING:
                held = {**own, "mask": next(kept)} if isinstance(layer, Dropout) else own
                return OPERATORS[layer.kind](layer, held, *xs)
            y, measured = MEASURING[layer.kind](layer, own, *xs)
            moved.update({array_name(i + self.start, name): a for name, a in measured.items()})
            return y

        return walk(self.sources, x, step), tuple(moved.values())

    def _arrays(self, trained: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor]) -> list[Arrays]:
        """Each layer's arrays by field."""
        names = (*self.trained, *self.fixed)
        tensors = dict(zip(names, (*trained, *fixed), strict=True))
        return [
            {field: tensors[array_name(address, field)] for field in layer.arrays()}
            for address, layer in enumerate(self.layers, self.start)
        ]


def graph(network: Network) -> Graph:
    """The graph of a network."""
    start = network.prefix
    layers = tuple(map(_blank, network.layers[start:]))
    sources = tuple(cut(network.sources[start:], start))
    fixed = [
        array_name(address, field)
        for address, layer in enumerate(layers, start)
        for field in layer.arrays()
        if field not in layer.trainable
    ]
    return Graph(
        key=json.dumps([start, network.shapes[start], sources, [*map(_described, layers)]]),
        start=start,
        layers=layers,
        sources=sources,
        trained=tuple(network.parameters()),
        fixed=tuple(fixed),
        measured=frozenset(network.statistics()),
    )


def _described(layer: Layer) -> list[Any]:
    shapes = {name: array.shape for name, array in layer.arrays().items()}
    return [layer.kind, layer.config(), shapes]


def _blank(layer: Layer) -> Layer:
    """The layer with arrays that take no memory, as they are not read."""
    fill = layer.blank
    arrays = {
        name: own(np.full(array.shape, fill, array.dtype) if fill else np.zeros_like(array))
        for name, array in layer.arrays().items()
    }
    return attrs.evolve(layer, **arrays) if arrays else layer  # type: ignore[misc]


def fixed_arrays(network: Network, whole: Graph) -> list[Array]:
    """The arrays that gradients do not change, in the order in which the graph takes them."""
    return [
        array
        for address, layer in enumerate(network.layers[whole.start :], whole.start)
        for field, array in layer.arrays().items()
        if array_name(address, field) in whole.fixed
    ]
