"""How each layer is written into an ONNX graph, one family a file."""

from collections.abc import Callable, Sequence

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.formats.onnx.layers import (
    elementwise,
    joins,
    linear,
    norms,
    pooling,
    positions,
    sequences,
    shapes,
)
from nas_surgery.network import Layer

# by class: what appends the nodes of a layer that reads these tensors, and gives the one it makes
WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    **linear.WRITERS,
    **elementwise.WRITERS,
    **norms.WRITERS,
    **pooling.WRITERS,
    **positions.WRITERS,
    **shapes.WRITERS,
    **joins.WRITERS,
    **sequences.WRITERS,
}


def write_layer(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    """Append what the layer does at inference; ModelFileError for a class that is not known."""
    writer = WRITERS.get(type(layer))
    if writer is None:
        raise ModelFileError(f"how a {type(layer).__name__} is written as ONNX is not known")
    return writer(graph, layer, *inputs)
