"""All parameters in one flat vector, so that an optimizer needs few calls whatever the depth."""

from collections.abc import Mapping
from math import prod

import numpy as np
import torch

from nas_surgery.network import Array, Network

ALIGNMENT = 16  # elements; every parameter starts on a cache line of 64 bytes or more


class Layout:
    """Where each parameter of a network lies in a flat vector.

    Kernels lie as torch wants them, (out, in); in the IR they are (in, out).
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        parameters = network.parameters()
        self.shapes = {name: array.shape for name, array in parameters.items()}
        self.numpy_dtype, self.device = network.dtype, device
        self.dtype = torch_dtype(network.dtype)
        sizes = [-(-prod(shape) // ALIGNMENT) * ALIGNMENT for shape in self.shapes.values()]
        self.starts = np.cumsum([0, *sizes]).tolist()

    def zeros(self) -> torch.Tensor:
        """A vector of zeros; the gaps between parameters stay zero under every optimizer."""
        return torch.zeros(self.starts[-1], dtype=self.dtype, device=self.device)

    def views(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each parameter's part of a vector in torch's shape, sharing its memory."""
        return {
            name: vector[start : start + prod(shape)].view(shape[::-1])
            for (name, shape), start in zip(self.shapes.items(), self.starts, strict=False)
        }

    def pack(self, arrays: Mapping[str, Array]) -> torch.Tensor:
        """A vector that holds copies of the IR's arrays."""
        vector = self.zeros()
        for name, view in self.views(vector).items():
            view.copy_(torch.tensor(arrays[name]).t())
        return vector

    def unpack(self, vector: torch.Tensor) -> dict[str, Array]:
        """Copies of a vector's parts in the IR's shapes."""
        arrays = {}
        for name, view in self.views(vector).items():
            arrays[name] = np.empty(self.shapes[name], self.numpy_dtype)
            torch.from_numpy(arrays[name]).copy_(view.t())
        return arrays


def torch_dtype(dtype: np.dtype) -> torch.dtype:
    """torch's name of float32 or float64."""
    return torch.float64 if dtype == np.float64 else torch.float32
