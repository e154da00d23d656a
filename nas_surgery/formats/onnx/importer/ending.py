"""From the tensor in which a file ends to what the network gives."""

from collections.abc import Sequence

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.views import Factor, View, cut_alike
from nas_surgery.network import Dense, Flatten, Layer, Network, Outputs, Shape

LARGEST = 4096  # channels of a layer that changes nothing


@attrs.frozen
class Ending:
    """How the outputs become the tensor: reshaped, transposed, reshaped, all without the batch."""

    split: Shape
    order: tuple[int, ...]
    sizes: Shape


def ended(sketch: Sketch, view: View, wide: bool) -> tuple[Network, Ending]:
    """The network whose outputs are all of a tensor, and how; wide: in float64."""
    view = cut_alike(view)
    if view.batch != 0:
        raise Outside("the outputs have the samples elsewhere than first")
    factors = [factor for axis in view.axes[1:] for factor in axis]
    standing = sorted(factors, key=lambda factor: (factor.axis, -factor.stride))
    ending = Ending(
        split=tuple(factor.size for factor in standing),
        order=_places(standing, factors),
        sizes=view.sizes[1:],
    )
    address = _linear(sketch, view.source)
    if view.rank == 2 and len(sketch.shape(address)) > 2:
        address = sketch.add(Flatten(), address)
    return sketch.network(address, np.float64 if wide else np.float32), ending


def _places(standing: Sequence[Factor], wanted: Sequence[Factor]) -> tuple[int, ...]:
    return tuple(standing.index(factor) for factor in wanted)


def _linear(sketch: Sketch, address: int) -> int:
    """The source, or where it depends on no linear layer, which a network needs, one that changes nothing."""
    if any(_is_linear(sketch.layers[i]) for i in sketch.needed(address)):
        return address
    channels = sketch.shape(address)[-1]
    if channels > LARGEST:
        raise Outside("there is no linear layer in it")
    return sketch.add(Dense(np.eye(channels, dtype=np.float32)), address)


def _is_linear(layer: Layer) -> bool:
    return layer.channels.outputs is Outputs.FRESH
