"""Functions of each value by itself."""

from collections.abc import Callable
from typing import Any

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Activation, Layer, Normalize, PReLU, Scale, Shift

_ONE_NODE: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("HardSwish", {}),
    "mish": ("Mish", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "exponential": ("Exp", {}),
    "linear": ("Identity", {}),
}
_ALPHA = {"leaky_relu": "LeakyRelu", "elu": "Elu", "celu": "Celu"}


def _activation(graph: Graph, layer: Activation, x: Tensor) -> Tensor:
    write = _MORE_NODES.get(layer.function, _one_node)
    return graph.made(write(graph, layer, x.name), x.first)


def _one_node(graph: Graph, layer: Activation, x: str) -> str:
    kind, attributes = _ONE_NODE[layer.function]
    return graph.node(kind, x, **attributes)


def _with_alpha(graph: Graph, layer: Activation, x: str) -> str:
    return graph.node(_ALPHA[layer.function], x, alpha=layer.slope)


def _log_sigmoid(graph: Graph, layer: Activation, x: str) -> str:
    return graph.node("Neg", graph.node("Softplus", graph.node("Neg", x)))


def _clip(graph: Graph, layer: Activation, x: str) -> str:
    """By two nodes, which onnxruntime does not fuse with a Relu: it fails where those are float64."""
    for kind, bound in (("Max", layer.low), ("Min", layer.high)):
        x = x if bound is None else graph.node(kind, x, graph.number(bound))
    return x


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


_MORE_NODES: dict[str, Callable[[Graph, Activation, str], str]] = {
    **dict.fromkeys(_ALPHA, _with_alpha),
    "log_sigmoid": _log_sigmoid,
    "clip": _clip,
    "silu": _silu,
    "relu6": _relu6,
}


def _normalize(graph: Graph, layer: Normalize, x: Tensor) -> Tensor:
    centred = graph.node("Sub", graph.last(x), graph.array("mean"))
    return graph.made(graph.node("Div", centred, graph.array("scale")))


def _scale(graph: Graph, layer: Scale, x: Tensor) -> Tensor:
    return graph.made(graph.node("Mul", x.name, graph.per_channel("scale", x)), x.first)


def _shift(graph: Graph, layer: Shift, x: Tensor) -> Tensor:
    rank = layer.offset.ndim
    if rank == 1:
        offset = graph.per_channel("offset", x)
    else:
        order = (rank - 1, *range(rank - 1))
        offset = graph.array("offset")
        offset = graph.node("Transpose", offset, name="offset", perm=order) if x.first else offset
    return graph.made(graph.node("Add", x.name, offset), x.first)


def _prelu(graph: Graph, layer: PReLU, x: Tensor) -> Tensor:
    return graph.made(graph.node("PRelu", x.name, graph.per_channel("slope", x)), x.first)


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Activation: _activation,
    Normalize: _normalize,
    Scale: _scale,
    Shift: _shift,
    PReLU: _prelu,
}
