"""Some of the channels, in any order."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import given, is_list, settled, whole


@attrs.frozen
class Select(Layer):
    """The channels that `indices` name, in that order, some perhaps more than once: splits and shuffles."""

    kind: ClassVar[str] = "select"
    channels: ClassVar[Channels] = Channels(Outputs.SELECT)

    indices: tuple[int, ...] = attrs.field(converter=given)

    def __attrs_post_init__(self) -> None:
        if not is_list(self.indices) or not len(self.indices):
            raise NetworkError(
                f"Select.indices needs a list of channels, got {described(self.indices)}"
            )
        settled(self, indices=tuple(whole("Select.indices", i, 0) for i in self.indices))

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or max(self.indices) >= input_shape[-1]:
            raise NetworkError(
                f"Select.indices name channel {max(self.indices)}, which inputs of shape"
                f" {input_shape} do not have"
            )
        return (*input_shape[:-1], len(self.indices))

    def forward(self, x: Array) -> Array:
        return x.take(np.array(self.indices), axis=-1)

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        back = np.zeros(x.shape)
        for place, channel in enumerate(self.indices):
            back[..., channel] += gradient[..., place]
        return back

    def describe(self) -> str:
        return f"{super().describe()} {len(self.indices)}"
