"""Positions one after the other."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.layers.fields import settled, whole
from nas_surgery.network.layers.join import Join


@attrs.frozen
class ConcatPositions(Join):
    """The positions of its sources along `axis`, counted without the batch; all else of them is alike.

    Their channels are tied to each other.
    """

    kind: ClassVar[str] = "concat_positions"
    channels: ClassVar[Channels] = Channels(Outputs.TIE)

    axis: int = 0

    def __attrs_post_init__(self) -> None:
        settled(self, axis=whole("ConcatPositions.axis", self.axis, 0))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        axis, (first, *_) = self.axis, input_shapes
        others = {(*shape[:axis], *shape[axis + 1 :]) for shape in input_shapes}
        alike = len({*map(len, input_shapes)}) == 1 and len(others) == 1
        if not alike or len(first) < axis + 2:
            raise self._refuse(
                f"sources of one shape but for axis {axis}, which holds positions", input_shapes
            )
        return (*first[:axis], sum(shape[axis] for shape in input_shapes), *first[axis + 1 :])

    def forward(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=self.axis + 1)

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        return self.forward(*errors)
