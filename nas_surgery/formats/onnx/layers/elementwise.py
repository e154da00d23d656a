"""Functions of each value by itself."""

from collections.abc import Callable
from typing import Any

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Activation, Layer, Normalize
from nas_surgery.network.activations import LEAKY_SLOPE

_ONE_NODE: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": LEAKY_SLOPE}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}),
    "linear": ("Identity", {}),
}


def _activation(graph: Graph, layer: Activation, x: Tensor) -> Tensor:
    write = _MORE_NODES.get(layer.function, _one_node)
    return graph.made(write(graph, layer, x.name), x.first)


def _one_node(graph: Graph, layer: Activation, x: str) -> str:
    kind, attributes = _ONE_NODE[layer.function]
    return graph.node(kind, x, **attributes)


def _silu(graph: Graph, layer: Activation, x: str) -> str:
    return graph.node("Mul", graph.node("Sigmoid", x), x)


def _relu6(graph: Graph, layer: Activation, x: str) -> str:
    zero = graph.constant("zero", 0)
    if graph.forked and graph.wide:  # not fused with a Relu, as below
        return graph.node("Min", graph.node("Max", x, zero), graph.constant("six", 6))
    _unfuse_relu(graph)
    return graph.node("Clip", x, zero, graph.constant("six", 6))


def _unfuse_relu(graph: Graph) -> None:
    """Let a Relu right before a relu6, which needs none, be an Identity.

    onnxruntime fuses the two, and fails where they are float64.
    """
    before = next((n for n in reversed(graph.nodes) if n.op_type != "Identity"), None)
    if graph.wide and before is not None and before.op_type == "Relu":
        before.op_type = "Identity"


_MORE_NODES = {"silu": _silu, "relu6": _relu6}


def _normalize(graph: Graph, layer: Normalize, x: Tensor) -> Tensor:
    centred = graph.node("Sub", graph.last(x), graph.array("mean"))
    return graph.made(graph.node("Div", centred, graph.array("scale")))


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Activation: _activation,
    Normalize: _normalize,
}
