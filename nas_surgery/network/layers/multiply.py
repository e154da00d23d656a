"""Gates."""

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import ClassVar

import attrs

from nas_surgery.network.arrays import Array
from nas_surgery.network.bounded import Bounded
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.layers.join import Elementwise, aligned


@attrs.frozen
class Multiply(Elementwise):
    """The product of its sources, value by value; their channels are tied to each other."""

    kind: ClassVar[str] = "multiply"
    channels: ClassVar[Channels] = Channels(Outputs.TIE)

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION

    def forward(self, *xs: Array) -> Array:
        product: Array = reduce(mul, aligned(xs))
        return product

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        pairs = zip(aligned(xs), aligned(errors), strict=True)
        product: Bounded = reduce(mul, (Bounded(x, off, unit) for x, off in pairs))
        return product.error
