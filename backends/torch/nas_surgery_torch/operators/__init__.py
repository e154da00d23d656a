"""Layers as functions of tensors, one family a file."""

from collections.abc import Callable
from typing import Any

from nas_surgery.network import Layer
from nas_surgery_torch.operators import elementwise, joins, linear, norms, positions, recurrent
from nas_surgery_torch.operators.base import Arrays, Operator, Place, turned

OPERATORS: dict[str, Callable[[Any, Place], Operator]] = {
    "activation": elementwise.activation,
    "add": joins.add,
    "attend": joins.attend,
    "batch_norm": norms.batch_norm,
    "concat": joins.concat,
    "concat_positions": joins.concat_positions,
    "conv": linear.conv,
    "dense": linear.dense,
    "dropout": elementwise.dropout,
    "embedding": linear.embedding,
    "flatten": positions.flatten,
    "gru": recurrent.gru,
    "layer_norm": norms.layer_norm,
    "lstm": recurrent.lstm,
    "multiply": joins.multiply,
    "normalize": elementwise.normalize,
    "rearrange": positions.rearrange,
    "rms_norm": norms.rms_norm,
    "softmax": norms.softmax,
    "token": positions.token,
}
"""By kind of layer: what makes the operator of a layer at a place."""


def operator(layer: Layer, place: Place) -> Operator:
    """What a layer computes at a place."""
    return OPERATORS[layer.kind](layer, place)


__all__ = ["OPERATORS", "Arrays", "Operator", "Place", "operator", "turned"]
