"""Layers as functions of tensors, one family a file."""

from collections.abc import Callable
from typing import Any

from nas_surgery.network import Layer
from nas_surgery_torch.operators import elementwise, joins, linear, norms, positions
from nas_surgery_torch.operators.base import Arrays, Operator, Place, turned

OPERATORS: dict[str, Callable[[Any, Place], Operator]] = {
    "activation": elementwise.activation,
    "add": joins.add,
    "batch_norm": norms.batch_norm,
    "concat": joins.concat,
    "conv": linear.conv,
    "dense": linear.dense,
    "dropout": elementwise.dropout,
    "flatten": positions.flatten,
    "normalize": elementwise.normalize,
}
"""By kind of layer: what makes the operator of a layer at a place."""


def operator(layer: Layer, place: Place) -> Operator:
    """What a layer computes at a place."""
    return OPERATORS[layer.kind](layer, place)


__all__ = ["OPERATORS", "Arrays", "Operator", "Place", "operator", "turned"]
