"""The layers of a network, one family a file: immutable values with read-only arrays.

Channels are last. A linear layer is linear only; its activation is a layer of its own.
"""

from nas_surgery.network.layers.activation import Activation
from nas_surgery.network.layers.add import Add
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.batch_norm import BatchNorm
from nas_surgery.network.layers.concat import Concat
from nas_surgery.network.layers.conv import Conv
from nas_surgery.network.layers.dense import Dense, linear_layer
from nas_surgery.network.layers.dropout import Dropout
from nas_surgery.network.layers.flatten import Flatten
from nas_surgery.network.layers.join import Join
from nas_surgery.network.layers.normalize import Normalize

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        *(Dense, Conv),
        *(Activation,),
        *(BatchNorm, Normalize),
        *(Flatten, Dropout),
        *(Add, Concat),
    )
}

__all__ = [
    "LAYERS",
    "Activation",
    "Add",
    "BatchNorm",
    "Concat",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "Join",
    "Layer",
    "Normalize",
    "linear_layer",
]
