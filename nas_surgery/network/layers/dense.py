"""The linear layer."""

from math import prod
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Axis, Channels, Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import optional_array, with_affine
from nas_surgery.network.roundoff import gamma


@attrs.frozen(eq=False)
class Dense(Layer):
    """`x @ kernel + bias` on the last axis.

    kernel: (in, out); bias: (out,) or None. Raises NetworkError on other shapes.
    """

    kind: ClassVar[str] = "dense"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    channels: ClassVar[Channels] = Channels(
        Outputs.FRESH,
        reads=(Axis("kernel", 0),),
        writes=(Axis("kernel", -1),),
        per_channel=(Axis("bias", 0),),
    )

    kernel: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=optional_array, default=None)

    def __attrs_post_init__(self) -> None:
        if self.kernel.ndim != 2 or 0 in self.kernel.shape:
            raise NetworkError(f"Dense.kernel needs shape (in, out), got {self.kernel.shape}")
        if self.bias is not None and self.bias.shape != (self.units,):
            raise NetworkError(
                f"Dense.bias needs shape {(self.units,)} for kernel {self.kernel.shape},"
                f" got {self.bias.shape}"
            )

    @property
    def fan_in(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        return int(self.kernel.shape[1])

    def followed(self, factor: Array, offset: Array) -> Layer:
        return with_affine(self, factor, offset)

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] != self.fan_in:
            raise NetworkError(
                f"Dense.kernel {self.kernel.shape} needs {self.fan_in} input channels,"
                f" got inputs of shape {input_shape}"
            )
        return (*input_shape[:-1], self.units)

    def forward(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):  # some BLAS raise it from what they pad
            y: Array = x @ self.kernel
        return y if self.bias is None else y + self.bias

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        back: Array = gradient @ self.kernel.T.astype(np.float64)
        return back

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        sizes, weights = np.abs(x) + errors, np.abs(self.kernel)
        total = sizes @ weights if self.bias is None else sizes @ weights + np.abs(self.bias)
        tiny = float(np.finfo(np.float32).tiny) * self.fan_in  # products below it may count as zero
        bound: Array = errors @ weights + gamma(self.fan_in + 1, unit) * total + tiny
        return bound

    def macs(self, input_shape: Shape) -> int:
        return prod(input_shape) * self.units


def linear_layer(layer: Layer) -> Dense:
    """The layer itself, for the type checker of a plugin, where only a linear one can stand.

    Surgery itself asks declarations: `kernel_of`, `bias_of`, `with_weights`.
    """
    assert isinstance(layer, Dense), layer
    return layer
