"""The layers of a network, one family a file: immutable values with read-only arrays.

Channels are last. A linear layer is linear only; its activation is a layer of its own.
"""

from nas_surgery.network.layers.activation import Activation
from nas_surgery.network.layers.add import Add
from nas_surgery.network.layers.attend import Attend
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.batch_norm import BatchNorm
from nas_surgery.network.layers.channelwise import PReLU, Scale, Shift
from nas_surgery.network.layers.concat import Concat
from nas_surgery.network.layers.concat_positions import ConcatPositions
from nas_surgery.network.layers.conv import Conv
from nas_surgery.network.layers.conv_transpose import ConvTranspose
from nas_surgery.network.layers.dense import Dense, linear_layer
from nas_surgery.network.layers.depth_space import DepthToSpace, SpaceToDepth
from nas_surgery.network.layers.dropout import Dropout
from nas_surgery.network.layers.embedding import Embedding
from nas_surgery.network.layers.extent import Crop, Pad
from nas_surgery.network.layers.flatten import Flatten
from nas_surgery.network.layers.group_norm import GroupNorm, InstanceNorm
from nas_surgery.network.layers.gru import GRU
from nas_surgery.network.layers.join import Join
from nas_surgery.network.layers.layer_norm import LayerNorm, RMSNorm
from nas_surgery.network.layers.lstm import LSTM
from nas_surgery.network.layers.multiply import Multiply
from nas_surgery.network.layers.normalize import Normalize
from nas_surgery.network.layers.pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
)
from nas_surgery.network.layers.rearrange import Rearrange
from nas_surgery.network.layers.resize import Resize
from nas_surgery.network.layers.select import Select
from nas_surgery.network.layers.softmax import Softmax
from nas_surgery.network.layers.token import Token

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        *(Dense, Conv, ConvTranspose, Embedding, LSTM, GRU),
        *(Activation, PReLU, Scale, Shift, Softmax),
        *(BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm, Normalize),
        *(MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool),
        *(Pad, Crop, Resize, Select, SpaceToDepth, DepthToSpace),
        *(Flatten, Rearrange, Token, Dropout),
        *(Add, Multiply, Concat, ConcatPositions, Attend),
    )
}

__all__ = [
    "GRU",
    "LAYERS",
    "LSTM",
    "Activation",
    "Add",
    "Attend",
    "AveragePool",
    "BatchNorm",
    "Concat",
    "ConcatPositions",
    "Conv",
    "ConvTranspose",
    "Crop",
    "Dense",
    "DepthToSpace",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "Join",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Multiply",
    "Normalize",
    "PReLU",
    "Pad",
    "RMSNorm",
    "Rearrange",
    "Resize",
    "Scale",
    "Select",
    "Shift",
    "Softmax",
    "SpaceToDepth",
    "Token",
    "linear_layer",
]
