"""Sums of branches."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.layers.join import Join
from nas_surgery.network.roundoff import gamma


@attrs.frozen
class Add(Join):
    """The sum of its sources, which have one shape; their channels are tied to each other."""

    kind: ClassVar[str] = "add"
    channels: ClassVar[Channels] = Channels(Outputs.TIE)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        if len(set(input_shapes)) != 1:
            raise self._refuse("sources of one shape", input_shapes)
        return input_shapes[0]

    def forward(self, *xs: Array) -> Array:
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        return total

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        carried, sizes = self.forward(*errors), self.forward(*map(np.abs, xs))
        bound: Array = carried + gamma(len(xs), unit) * (sizes + carried)
        return bound
