"""Branches side by side."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.layers.join import Join


@attrs.frozen
class Concat(Join):
    """The channels of its sources, one after the other; their shapes differ in the last axis at most."""

    kind: ClassVar[str] = "concat"
    channels: ClassVar[Channels] = Channels(Outputs.CONCAT)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        if not all(input_shapes) or len({shape[:-1] for shape in input_shapes}) != 1:
            raise self._refuse("sources of one shape but for their channels", input_shapes)
        return (*input_shapes[0][:-1], sum(shape[-1] for shape in input_shapes))

    def forward(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=-1)

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        return self.forward(*errors)
