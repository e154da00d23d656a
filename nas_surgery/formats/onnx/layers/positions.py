"""Layers that add, drop or move positions, or choose channels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import (
    Crop,
    DepthToSpace,
    Layer,
    Pad,
    Resize,
    Select,
    Shape,
    SpaceToDepth,
)
from nas_surgery.network.layers.depth_space import POSITIONS_OUTER

_NEAR = 1e-3  # how near a rounding is where float32 may round otherwise


def _pad(graph: Graph, layer: Pad, x: Tensor) -> Tensor:
    none = (0, 0)
    axes = (none, none, *layer.amounts) if x.first else (none, *layer.amounts, none)
    amounts = graph.whole(*(before for before, _ in axes), *(after for _, after in axes))
    value = [graph.number(layer.value)] if layer.value else []
    return graph.made(graph.node("Pad", x.name, amounts, *value, mode=layer.mode), x.first)


def _crop(graph: Graph, layer: Crop, x: Tensor) -> Tensor:
    start = 2 if x.first else 1
    axes = range(start, start + len(layer.starts))
    parts = (layer.starts, layer.ends(x.shape[:-1]), axes, layer.steps)
    return graph.made(graph.node("Slice", x.name, *(graph.whole(*each) for each in parts)), x.first)


def _select(graph: Graph, layer: Select, x: Tensor) -> Tensor:
    axis, indices = (1 if x.first else x.rank - 1), layer.indices
    if indices == tuple(range(indices[0], indices[0] + len(indices))):
        parts = ((indices[0],), (indices[-1] + 1,), (axis,))
        name = graph.node("Slice", x.name, *(graph.whole(*each) for each in parts))
    else:
        name = graph.node("Gather", x.name, graph.whole(*indices), axis=axis)
    return graph.made(name, x.first)


def _resize(graph: Graph, layer: Resize, x: Tensor) -> Tensor:
    positions = x.shape[:-1]
    if layer.mode == "nearest" and _ambiguous(layer, positions):
        return _taken(graph, layer, x)
    single = len(positions) == 1  # of which onnxruntime takes no linear ones: as one row
    name = graph.first(x)
    if single:
        name = graph.node("Unsqueeze", name, graph.whole(2))
    settings: dict[str, Any] = {
        "mode": layer.mode,
        "coordinate_transformation_mode": layer.coordinates,
    }
    if layer.mode == "nearest":
        settings["nearest_mode"] = layer.rounding
    scales = map(_scale, positions, layer.size)
    ones = (np.float32(1),) * (2 + single)
    name = graph.node("Resize", name, "", graph.factors(*ones, *scales), **settings)
    if single:
        name = graph.node("Squeeze", name, graph.whole(2))
    return graph.made(name, first=True)


def _scale(positions: int, size: int) -> np.float32:
    """A factor that makes `size` of so many positions, rounded down as runtimes do."""
    scale = np.float32(size / positions)
    return scale if float(scale) * positions >= size else np.nextafter(scale, np.float32(np.inf))


def _ambiguous(layer: Resize, positions: Shape) -> bool:
    """Whether places that are counted in float32 may be rounded to other positions."""
    return any(_near_rounding(layer, axis, n) for axis, n in enumerate(positions))


def _near_rounding(layer: Resize, axis: int, positions: int) -> bool:
    count = layer.size[axis]
    down = positions // count
    exact = count % positions == 0 or (positions % count == 0 and down & (down - 1) == 0)
    if exact and layer.coordinates != "align_corners":
        return False
    at = layer.places(axis, positions) + (0 if layer.rounding == "floor" else 0.5)
    return bool(np.any(np.abs(at - np.round(at)) < _NEAR * (1 + np.abs(at))))


def _taken(graph: Graph, layer: Resize, x: Tensor) -> Tensor:
    """Position by position."""
    name, start = x.name, 2 if x.first else 1
    for axis, positions in enumerate(x.shape[:-1]):
        places = graph.whole(*layer.nearest(axis, positions).tolist())
        name = graph.node("Gather", name, places, axis=start + axis)
    return graph.made(name, x.first)


def _space_to_depth(graph: Graph, layer: SpaceToDepth, x: Tensor) -> Tensor:
    b = layer.block
    if layer.order == POSITIONS_OUTER:
        return graph.made(graph.node("SpaceToDepth", graph.first(x), blocksize=b), first=True)
    height, width, channels = x.shape
    squares = graph.whole(0, channels, height // b, b, width // b, b)
    name = graph.node("Reshape", graph.first(x), squares)
    name = graph.node("Transpose", name, perm=(0, 1, 3, 5, 2, 4))
    made = graph.whole(0, channels * b * b, height // b, width // b)
    return graph.made(graph.node("Reshape", name, made), first=True)


def _depth_to_space(graph: Graph, layer: DepthToSpace, x: Tensor) -> Tensor:
    mode = "DCR" if layer.order == POSITIONS_OUTER else "CRD"
    name = graph.node("DepthToSpace", graph.first(x), blocksize=layer.block, mode=mode)
    return graph.made(name, first=True)


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Pad: _pad,
    Crop: _crop,
    Select: _select,
    Resize: _resize,
    SpaceToDepth: _space_to_depth,
    DepthToSpace: _depth_to_space,
}
