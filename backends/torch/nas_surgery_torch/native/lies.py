"""How a tensor of a native model lies beside that of the IR, and the modules that lay it otherwise."""

import attrs
import numpy as np
import torch
from torch import fx, nn

from nas_surgery.network import Array, Layer, Outputs, Shape
from nas_surgery_torch.native.tracing import calls, traced
from nas_surgery_torch.operators import turned

TURNS = {True: "ChannelsFirst", False: "ChannelsLast"}


@attrs.frozen(eq=False)
class Lie:
    """first: whether channels stand before the positions. order: where each of the IR's channels is in
    the tensor, (C,); None where they are."""

    first: bool = False
    order: Array | None = None

    def laid(self, x: torch.Tensor) -> torch.Tensor:
        """The IR's tensor (N, ...) as it lies here."""
        x = turned(x, False, self.first)
        return x if self.order is None else x[:, np.argsort(self.order)]

    def restored(self, x: torch.Tensor) -> torch.Tensor:
        """The IR's tensor again."""
        x = turned(x, self.first, False) if x.ndim > 1 else x
        return x if self.order is None else x[:, self.order]


def flattened(shape: Shape, lie: Lie) -> Lie:
    """What torch's Flatten leaves of a sample: channels outer where they come first."""
    *positions, channels = shape
    if not lie.first or channels == 1 or np.prod(positions) == 1:
        return Lie(order=lie.order)
    places = np.arange(np.prod(shape)).reshape(channels, *positions)
    return Lie(order=np.moveaxis(places, 0, -1).ravel())


def passes_order(layer: Layer, shape: Shape) -> bool:
    """Whether a layer can do with reordered channels, if its arrays are reordered too."""
    if layer.several or len(shape) > 1 or len(layer.output_shape(shape)) > 1:
        return False
    outputs = layer.channels.outputs
    return outputs is Outputs.SAME or (outputs is Outputs.FRESH and bool(layer.channels.reads))


def reordered(layer: Layer, order: Array) -> Layer:
    """The layer for inputs whose channel i is the one that was at order[i]."""
    channels, held = layer.channels, layer.arrays()
    axes = channels.per_channel if channels.outputs is Outputs.SAME else channels.reads
    changed = {a.array: held[a.array].take(order, a.axis) for a in axes if a.array in held}
    return attrs.evolve(layer, **changed) if changed else layer  # type: ignore[misc]


def behind(layer: Layer, lie: Lie) -> Lie:
    """How the outputs lie of a layer that passes the order."""
    return lie if layer.channels.outputs is Outputs.SAME else Lie()


def turn(first: bool) -> fx.GraphModule:
    """A module that brings channels to the front, or to the end."""
    return traced(TURNS[first], lambda held, x: turned(x, not first, first), {})


def turns(module: nn.Module) -> bool | None:
    """Where a module brings channels, if it is one of these."""
    return next((first for first in TURNS if calls(module) == calls(turn(first)) != []), None)


def reorder(order: Array) -> fx.GraphModule:
    """A module that puts channels where the IR has them."""
    indices = {"order": torch.tensor(order)}
    return traced("Reorder", lambda held, x: x.index_select(1, held["order"]), indices)


def reorders(module: nn.Module) -> bool:
    """Whether a module is such a one."""
    return calls(module) == calls(reorder(np.zeros(1, int)))
