"""Samples on a device, where they stay for a run."""

from functools import cached_property

import numpy as np
import torch

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Layer, Network
from nas_surgery.training.state import Samples, apply_prefix


class PlacedSamples:
    """Inputs and labels as tensors on one device.

    Inputs are moved once, in the dtype and behind the frozen layers of the network that asks first;
    networks of one run agree on both.
    """

    def __init__(self, samples: Samples, device: torch.device) -> None:
        self.samples, self.device = samples, device
        self.y = moved(samples.y, device)
        self._key: tuple[tuple[Layer, ...], np.dtype] | None = None
        self._inputs = torch.empty(0)

    def inputs(self, network: Network) -> torch.Tensor:
        """What enters the first layer of `network` that can change, (N, ...), in its dtype."""
        if self.samples.prefix > network.prefix:
            raise BackendError(
                f"the samples enter layer {self.samples.prefix}, but training starts at"
                f" layer {network.prefix}"
            )
        frozen = network.layers[self.samples.prefix : network.prefix]
        if self._key != (frozen, network.dtype):
            self._inputs = self._moved(network)
            self._key = (frozen, network.dtype)
        return self._inputs

    def check_classes(self, classes: int) -> None:
        """Raise BackendError unless the labels are class indices below `classes`."""
        y = self.samples.y
        if y.dtype.kind not in "iub" or y.ndim != 1:
            raise BackendError(
                "cross_entropy needs class indices (N,), got labels of shape"
                f" {y.shape} and dtype {y.dtype}"
            )
        low, high = self._span
        if low < 0 or high >= classes:
            raise BackendError(f"class indices must lie in 0…{classes - 1}, got {low}…{high}")

    @cached_property
    def _span(self) -> tuple[int, int]:
        y = self.samples.y
        return (int(y.min()), int(y.max())) if len(y) else (0, 0)

    def _moved(self, network: Network) -> torch.Tensor:
        x = apply_prefix(network, self.samples).x
        expected = network.shapes[network.prefix]
        if x.shape[1:] != expected:
            raise BackendError(f"samples of shape {expected} are expected, got {x.shape[1:]}")
        return moved(x, self.device)


def moved(array: Array, device: torch.device) -> torch.Tensor:
    """A copy of an array on a device; whole numbers become int64."""
    wide = array.astype(np.int64) if array.dtype.kind in "iub" else array
    if device.type == "mps" and wide.dtype == np.float64:
        raise BackendError("the device mps computes in float32 only, got float64")
    return torch.tensor(wide).to(device)
