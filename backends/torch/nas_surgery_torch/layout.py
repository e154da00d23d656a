"""All parameters in one flat vector, so that an optimizer needs few calls whatever the depth."""

from collections.abc import Mapping
from math import prod

import numpy as np
import torch

from nas_surgery.network import Array, Layer, Network
from nas_surgery.network.network import array_name

ALIGNMENT = 16  # elements; every parameter starts on a cache line of 64 bytes or more

ORDERS: dict[tuple[str, str], tuple[int, ...]] = {
    ("dense", "kernel"): (1, 0),
    ("lstm", "kernel"): (1, 2, 0),
    ("lstm", "recurrent"): (1, 2, 0),
    ("gru", "kernel"): (1, 2, 0),
    ("gru", "recurrent"): (1, 2, 0),
}
"""How arrays lie for torch, by kind of layer and field: axes of the IR's array; others lie as there."""


def order(layer: Layer, field: str) -> tuple[int, ...]:
    """The axes of one of the IR's arrays in the order in which they lie here, outermost first.

    Kernels of convolutions lie (out, *window, in), transposed ones (in, *window, out).
    """
    axes = tuple(range(layer.arrays()[field].ndim))
    if (layer.kind, field) == ("conv", "kernel"):
        return (axes[-1], *axes[:-1])
    if (layer.kind, field) == ("conv_transpose", "kernel"):
        return (axes[-2], *axes[:-2], axes[-1])
    return ORDERS.get((layer.kind, field), axes)


class Layout:
    """Where each parameter of a network lies in a flat vector, its axes as in `order`."""

    def __init__(self, network: Network, device: torch.device) -> None:
        parameters = network.parameters()
        self.shapes = {name: array.shape for name, array in parameters.items()}
        self.orders = {
            array_name(address, field): order(layer, field)
            for address, layer in enumerate(network.layers)
            for field in layer.parameters()
        }
        self.numpy_dtype, self.device = network.dtype, device
        self.dtype = torch_dtype(network.dtype)
        sizes = [-(-prod(shape) // ALIGNMENT) * ALIGNMENT for shape in self.shapes.values()]
        self.starts = np.cumsum([0, *sizes]).tolist()

    def zeros(self) -> torch.Tensor:
        """A vector of zeros; the gaps between parameters stay zero under every optimizer."""
        return torch.zeros(self.starts[-1], dtype=self.dtype, device=self.device)

    def views(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each parameter's part of a vector as it lies, sharing its memory."""
        return {
            name: vector[start : start + prod(shape)].view([shape[i] for i in self.orders[name]])
            for (name, shape), start in zip(self.shapes.items(), self.starts, strict=False)
        }

    def pack(self, arrays: Mapping[str, Array]) -> torch.Tensor:
        """A vector that holds copies of the IR's arrays."""
        vector = self.zeros()
        for name, view in self.views(vector).items():
            view.copy_(torch.tensor(arrays[name]).permute(self.orders[name]))
        return vector

    def unpack(self, vector: torch.Tensor) -> dict[str, Array]:
        """Copies of a vector's parts in the IR's shapes."""
        arrays = {}
        for name, view in self.views(vector).items():
            arrays[name] = np.empty(self.shapes[name], self.numpy_dtype)
            torch.from_numpy(arrays[name]).permute(self.orders[name]).copy_(view)
        return arrays


def fixed_arrays(network: Network, device: torch.device) -> dict[str, torch.Tensor]:
    """Copies of the arrays behind the prefix that gradients do not change, by their names on disk."""
    return {
        array_name(address, field): torch.tensor(array).to(device)
        for address, layer in enumerate(network.layers[network.prefix :], network.prefix)
        for field, array in layer.arrays().items()
        if field not in layer.trainable
    }


def torch_dtype(dtype: np.dtype) -> torch.dtype:
    """torch's name of float32 or float64."""
    return torch.float64 if dtype == np.float64 else torch.float32
