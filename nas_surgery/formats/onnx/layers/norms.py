"""Normalisation."""

from collections.abc import Callable
from math import prod

import numpy as np

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import BatchNorm, GroupNorm, InstanceNorm, Layer


def _batch_norm(graph: Graph, layer: BatchNorm, x: Tensor) -> Tensor:
    scale, offset = scale_and_offset(graph, layer, len(layer.mean))
    arrays = (scale, offset, graph.array("mean"), graph.array("variance"))
    name = graph.node("BatchNormalization", graph.first(x), *arrays, epsilon=layer.epsilon)
    return graph.made(name, first=True)


def _instance_norm(graph: Graph, layer: InstanceNorm, x: Tensor) -> Tensor:
    arrays = scale_and_offset(graph, layer, x.shape[-1])
    name = graph.node("InstanceNormalization", graph.first(x), *arrays, epsilon=layer.epsilon)
    return graph.made(name, first=True)


def _group_norm(graph: Graph, layer: GroupNorm, x: Tensor) -> Tensor:
    """Groups as the channels of an InstanceNormalization; scale and offset follow."""
    groups, channels = layer.groups, x.shape[-1]
    inner = prod(x.shape) // groups
    rows = graph.node("Reshape", graph.first(x), graph.whole(0, groups, inner))
    plain = [filled(graph, "ones", groups, 1), filled(graph, "zeros", groups, 0)]
    rows = graph.node("InstanceNormalization", rows, *plain, epsilon=layer.epsilon)
    name = graph.node("Reshape", rows, graph.whole(0, channels, *x.shape[:-1]))
    made = graph.made(name, first=True)
    for kind, field in (("Mul", "scale"), ("Add", "offset")):
        if field in layer.arrays():
            name = graph.node(kind, name, graph.per_channel(field, made))
    return graph.made(name, first=True)


def scale_and_offset(graph: Graph, layer: Layer, channels: int) -> tuple[str, str]:
    """Their names; ones and zeros for those that the layer does not have."""
    held = layer.arrays()
    scale = graph.array("scale") if "scale" in held else filled(graph, "ones", channels, 1)
    offset = graph.array("offset") if "offset" in held else filled(graph, "zeros", channels, 0)
    return scale, offset


def filled(graph: Graph, name: str, count: int, value: float) -> str:
    """The name of so many of the same number."""
    return graph.constant(f"{name}.{count}", np.full(count, value))


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    BatchNorm: _batch_norm,
    InstanceNorm: _instance_norm,
    GroupNorm: _group_norm,
}
