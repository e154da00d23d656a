"""Layers that move values between positions."""

from math import prod

import numpy as np
import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place
from nas_surgery_torch.operators.linear import sides


def flatten(layer: ir.Flatten, place: Place) -> Operator:
    """Positions outer, channels inner."""
    size = prod(place.shape)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, size)

    return Operator(run)


def rearrange(layer: ir.Rearrange, place: Place) -> Operator:
    """Positions split, transposed and put together again."""
    channels = place.shape[-1]
    order = [0, *(axis + 1 for axis in layer.order), len(layer.order) + 1]

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        split = x.reshape(-1, *layer.shape, channels)
        return split.permute(order).reshape(-1, *layer.positions, channels)

    return Operator(run)


def token(layer: ir.Token, place: Place) -> Operator:
    """Positions that are the same for every sample, before the others."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        values = arrays["values"].unsqueeze(0).expand(x.size(0), -1, -1)
        return torch.cat([values, x], 1)

    return Operator(run)


def pad(layer: ir.Pad, place: Place) -> Operator:
    """Constants beside the inputs, or positions of theirs again."""
    beside = sides(layer.amounts)
    if layer.mode == "constant":
        return Operator(lambda arrays, x: functional.pad(x, beside, value=layer.value), first=True)
    pairs = zip(place.positions, layer.amounts, strict=True)
    return _picked([np.pad(np.arange(n), amounts, layer.mode) for n, amounts in pairs])


def crop(layer: ir.Crop, place: Place) -> Operator:
    """Slices of positions."""
    slices = map(slice, layer.starts, layer.ends(place.positions), layer.steps)
    index = (slice(None), *slices)
    return Operator(lambda arrays, x: x[index])


def resize(layer: ir.Resize, place: Place) -> Operator:
    """Positions picked, or weighed sums of two; torch's own function is not repeatable on all devices."""
    axes = list(enumerate(place.positions))
    if layer.mode == "nearest":
        return _picked([layer.nearest(axis, n) for axis, n in axes])
    constants = {}
    for axis, n in axes:
        below, above, share = layer.neighbours(axis, n)
        weight = share.reshape(-1, *(1,) * (place.rank - axis))
        for name, values in (("below", below), ("above", above), ("share", weight)):
            constants[f"{name}{axis}"] = torch.from_numpy(values)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        for axis, _ in axes:
            low = x.index_select(axis + 1, arrays[f"below{axis}"])
            high = x.index_select(axis + 1, arrays[f"above{axis}"])
            share = arrays[f"share{axis}"]
            x = low * (1 - share) + high * share
        return x

    return Operator(run, constants=constants)


def select(layer: ir.Select, place: Place) -> Operator:
    """Channels picked."""
    axis = 1 if place.first else place.rank + 1
    constants = {"indices": torch.tensor(layer.indices)}
    return Operator(
        lambda arrays, x: x.index_select(axis, arrays["indices"]), place.first, constants
    )


def space_to_depth(layer: ir.SpaceToDepth, place: Place) -> Operator:
    """Squares of positions as channels."""
    height, width, channels = place.shape
    b = layer.block
    inner = (2, 4, 5) if layer.order == "positions_outer" else (5, 2, 4)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        squares = x.reshape(-1, height // b, b, width // b, b, channels)
        moved = squares.permute(0, 1, 3, *inner)
        return moved.reshape(-1, height // b, width // b, channels * b * b)

    return Operator(run)


def depth_to_space(layer: ir.DepthToSpace, place: Place) -> Operator:
    """Channels as squares of positions."""
    height, width, channels = place.shape
    b, few = layer.block, channels // layer.block**2
    outer = layer.order == "positions_outer"
    parts, order = ((b, b, few), (0, 1, 3, 2, 4, 5)) if outer else ((few, b, b), (0, 1, 4, 2, 5, 3))

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        squares = x.reshape(-1, height, width, *parts).permute(order)
        return squares.reshape(-1, height * b, width * b, few)

    return Operator(run)


def _picked(places: list[np.ndarray]) -> Operator:
    """Some positions along each axis, perhaps more than once."""
    constants = {f"places{axis}": torch.from_numpy(held) for axis, held in enumerate(places)}

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        for axis in range(len(places)):
            x = x.index_select(axis + 1, arrays[f"places{axis}"])
        return x

    return Operator(run, constants=constants)
