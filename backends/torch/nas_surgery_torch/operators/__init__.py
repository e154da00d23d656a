"""Layers as functions of tensors, one family a file."""

from collections.abc import Callable
from typing import Any

from nas_surgery.network import Layer
from nas_surgery_torch.operators import (
    elementwise,
    joins,
    linear,
    norms,
    pools,
    positions,
    recurrent,
)
from nas_surgery_torch.operators.base import Arrays, Operator, Place, turned

OPERATORS: dict[str, Callable[[Any, Place], Operator]] = {
    "activation": elementwise.activation,
    "add": joins.add,
    "attend": joins.attend,
    "average_pool": pools.average_pool,
    "batch_norm": norms.batch_norm,
    "concat": joins.concat,
    "concat_positions": joins.concat_positions,
    "conv": linear.conv,
    "conv_transpose": linear.conv_transpose,
    "crop": positions.crop,
    "dense": linear.dense,
    "depth_to_space": positions.depth_to_space,
    "dropout": elementwise.dropout,
    "embedding": linear.embedding,
    "flatten": positions.flatten,
    "global_average_pool": pools.global_average_pool,
    "global_max_pool": pools.global_max_pool,
    "group_norm": norms.group_norm,
    "gru": recurrent.gru,
    "instance_norm": norms.instance_norm,
    "layer_norm": norms.layer_norm,
    "lstm": recurrent.lstm,
    "max_pool": pools.max_pool,
    "multiply": joins.multiply,
    "normalize": elementwise.normalize,
    "pad": positions.pad,
    "prelu": elementwise.prelu,
    "rearrange": positions.rearrange,
    "resize": positions.resize,
    "rms_norm": norms.rms_norm,
    "scale": elementwise.scale,
    "select": positions.select,
    "shift": elementwise.shift,
    "softmax": norms.softmax,
    "space_to_depth": positions.space_to_depth,
    "token": positions.token,
}
"""By kind of layer: what makes the operator of a layer at a place."""


def operator(layer: Layer, place: Place) -> Operator:
    """What a layer computes at a place."""
    return OPERATORS[layer.kind](layer, place)


__all__ = ["OPERATORS", "Arrays", "Operator", "Place", "operator", "turned"]
