"""Layers with several sources."""

from collections.abc import Callable
from functools import reduce

import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def add(layer: ir.Add, place: Place) -> Operator:
    """A sum."""
    if place.spare and len(set(place.shapes)) == 1:
        return Operator(lambda arrays, x, *xs: reduce(torch.Tensor.add_, xs, x), place.first)
    return _elementwise(torch.add, place)


def multiply(layer: ir.Multiply, place: Place) -> Operator:
    """A product."""
    return _elementwise(torch.mul, place)


def _elementwise(function: Callable[..., torch.Tensor], place: Place) -> Operator:
    """Sources without positions get as many of length one as the others have."""
    rank = max(map(len, place.shapes)) - 1
    ones = [(1,) * rank if len(shape) == 1 else () for shape in place.shapes]

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        pairs = zip(xs, ones, place.shapes, strict=True)
        return reduce(function, [_beside(x, one, shape[-1]) for x, one, shape in pairs])

    def _beside(x: torch.Tensor, one: tuple[int, ...], channels: int) -> torch.Tensor:
        if not one:
            return x
        return x.reshape(-1, channels, *one) if place.first else x.reshape(-1, *one, channels)

    return Operator(run, place.first)


def concat(layer: ir.Concat, place: Place) -> Operator:
    """Channels beside each other."""
    axis = 1 if place.first else -1
    return Operator(lambda arrays, *xs: torch.cat(xs, axis), place.first)


def concat_positions(layer: ir.ConcatPositions, place: Place) -> Operator:
    """Positions one after the other."""
    axis = layer.axis + (2 if place.first else 1)
    return Operator(lambda arrays, *xs: torch.cat(xs, axis), place.first)


def attend(layer: ir.Attend, place: Place) -> Operator:
    """Attention of each head; what `causal` hides is added to the biases where there are some."""
    queries, _, values = place.shapes
    scale = layer.scale_for(queries[-1])

    def split(x: torch.Tensor, shape: ir.Shape) -> torch.Tensor:
        heads = x.reshape(-1, *shape[:-1], layer.heads, shape[-1] // layer.heads)
        return heads.transpose(-3, -2)

    def run(arrays: Arrays, *xs: torch.Tensor) -> torch.Tensor:
        heads = [split(x, shape) for x, shape in zip(xs, place.shapes, strict=True)]
        bias, hides = arrays.get("bias"), layer.causal
        if bias is not None and hides:
            bias, hides = bias + _hidden(bias, queries[-2]), False
        y = functional.scaled_dot_product_attention(
            *heads, attn_mask=bias, is_causal=hides, scale=scale
        )
        return y.transpose(-3, -2).reshape(-1, *queries[:-1], values[-1])

    return Operator(run)


def _hidden(bias: torch.Tensor, length: int) -> torch.Tensor:
    """What a causal score is added to, (L, L)."""
    return bias.new_full((length, length), float("-inf")).triu(1)
