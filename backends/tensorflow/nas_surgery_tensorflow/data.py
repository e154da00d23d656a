"""Samples on a device, where they stay for a run."""

from functools import cached_property

import numpy as np
import tensorflow as tf

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Layer, Network
from nas_surgery.training.state import Samples, apply_prefix
from nas_surgery_tensorflow.devices import on


class PlacedSamples:
    """Inputs and labels as tensors on one device.

    Both are moved once, in the dtype and behind the frozen layers of the network that asks first;
    networks of one run agree on them.
    """

    def __init__(self, samples: Samples, device: str) -> None:
        self.samples, self.device = samples, device
        self._key: tuple[tuple[Layer, ...], np.dtype] | None = None
        self._moved: tuple[tf.Tensor, tf.Tensor] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def tensors(self, network: Network) -> tuple[tf.Tensor, tf.Tensor]:
        """What enters the first layer of `network` that can change, (N, ...) in its dtype, and the
        labels: class indices (N,) as int64, or targets (N, outputs)."""
        if self.samples.prefix > network.prefix:
            raise BackendError(
                f"the samples enter layer {self.samples.prefix}, but training starts at"
                f" layer {network.prefix}"
            )
        key = network.layers[self.samples.prefix : network.prefix], network.dtype
        if self._moved is None or self._key != key:
            x = self._inputs(network)
            with on(self.device):
                self._moved = tf.constant(x), tf.constant(self._labels(network.dtype))
            self._key = key
        return self._moved

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

    def _inputs(self, network: Network) -> Array:
        x = apply_prefix(network, self.samples).x
        expected = network.shapes[network.prefix]
        if x.shape[1:] != expected:
            raise BackendError(f"samples of shape {expected} are expected, got {x.shape[1:]}")
        return x

    def _labels(self, dtype: np.dtype) -> Array:
        y = self.samples.y
        return y.astype(np.int64 if y.dtype.kind in "iub" else dtype, copy=False)
