"""Normalisation."""

from collections.abc import Callable

import numpy as np

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import BatchNorm, Layer


def _batch_norm(graph: Graph, layer: BatchNorm, x: Tensor) -> Tensor:
    scale, offset = scale_and_offset(graph, layer, len(layer.mean))
    arrays = (scale, offset, graph.array("mean"), graph.array("variance"))
    name = graph.node("BatchNormalization", graph.first(x), *arrays, epsilon=layer.epsilon)
    return graph.made(name, first=True)


def scale_and_offset(graph: Graph, layer: Layer, channels: int) -> tuple[str, str]:
    """Their names; ones and zeros for those that the layer does not have."""
    held = layer.arrays()
    scale = graph.array("scale") if "scale" in held else _filled(graph, "ones", channels, 1)
    offset = graph.array("offset") if "offset" in held else _filled(graph, "zeros", channels, 0)
    return scale, offset


def _filled(graph: Graph, name: str, count: int, value: float) -> str:
    return graph.constant(f"{name}.{count}", np.full(count, value))


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {BatchNorm: _batch_norm}
