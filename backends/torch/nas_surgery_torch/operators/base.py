"""What an operator is: a layer as a function of tensors.

A sample's axes lie as in the IR, channels last, or as most of torch's functions want them, channels
first. Either way it is one memory, channels innermost, seen through two views: turning one into the
other moves nothing. An operator says which it takes and which it gives.
"""

from collections.abc import Callable, Mapping

import attrs
import torch

from nas_surgery.network import Shape

Arrays = Mapping[str, torch.Tensor]
"""A layer's arrays by field, each lying as `layout.order` says; while training also "mask", of a Dropout."""


@attrs.frozen
class Operator:
    """`run(arrays, *xs)` gives the outputs from the layer's arrays and what its sources give.

    first: whether channels come first in both; a sample of channels alone lies one way only.
    constants: more tensors for `run`, which it finds among the arrays; numbers are float64.
    """

    run: Callable[..., torch.Tensor]
    first: bool = False
    constants: Arrays = attrs.field(factory=dict)


@attrs.frozen
class Place:
    """Where an operator stands.

    shapes: of one sample from each source, as in the IR. first: how the first of them lies; what works
    on either takes it as it comes. training: whether the operator trains, not infers. spare: whether
    the first source's tensor may be written into, since nobody else needs it.
    """

    shapes: tuple[Shape, ...]
    first: bool = False
    training: bool = False
    spare: bool = False

    @property
    def shape(self) -> Shape:
        """The shape from the first source."""
        return self.shapes[0]

    @property
    def positions(self) -> Shape:
        """Its position axes."""
        return self.shape[:-1]

    @property
    def rank(self) -> int:
        """The number of position axes."""
        return len(self.shape) - 1


def turned(x: torch.Tensor, first: bool, wanted: bool) -> torch.Tensor:
    """A view with channels where they are wanted."""
    if first == wanted:
        return x
    return x.movedim(-1, 1) if wanted else x.movedim(1, -1)
