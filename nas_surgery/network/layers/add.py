"""Sums of branches."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.layers.join import Elementwise, aligned
from nas_surgery.network.roundoff import gamma


@attrs.frozen
class Add(Elementwise):
    """The sum of its sources, whose channels are tied to each other."""

    kind: ClassVar[str] = "add"
    channels: ClassVar[Channels] = Channels(Outputs.TIE)

    def forward(self, *xs: Array) -> Array:
        total, *others = aligned(xs)
        for x in others:
            total = total + x
        return total

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        carried, sizes = self.forward(*errors), self.forward(*map(np.abs, xs))
        bound: Array = carried + gamma(len(xs), unit) * (sizes + carried)
        return bound
