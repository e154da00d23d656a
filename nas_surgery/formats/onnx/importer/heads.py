"""What a classifier does with its logits: Softmax, the best class, labels. It is taken off, kept, and put back."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.nodes import Graph, Node
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.interface import HeadConstant, HeadNode
from nas_surgery.network import Array

DECIDING = frozenset(
    {"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Normalizer", "ZipMap", "LabelEncoder"}
)
BESIDE = frozenset(
    {
        "ArrayFeatureExtractor",
        "Cast",
        "Identity",
        "Concat",
        "Sub",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
    }
)


VALUES: dict[str, Any] = {  # attributes of Constant, and what they hold
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": None,
    "value_strings": None,
}
MAX_CONSTANT = 100_000  # values


@attrs.frozen(eq=False)
class Cut:
    """Where the network ends. logits: the tensor; head: the nodes behind it, in their order."""

    logits: str
    body: tuple[Node, ...]
    head: tuple[Node, ...]


def cut(graph: Graph) -> Cut | None:
    """The graph up to the one tensor that all outputs are made of; None where there is no such one."""
    waiting = {port.name for port in graph.outputs}
    fixed, best = _fixed(graph), None
    head: list[int] = []
    if len(waiting) == 1:
        best = (next(iter(waiting)), 0)
    for index in reversed(range(len(graph.nodes))):
        node = graph.nodes[index]
        if not waiting & set(node.outputs):
            continue
        if node.operator not in DECIDING | BESIDE:
            break
        waiting -= set(node.outputs)
        waiting |= {name for name in node.inputs if name and name not in fixed}
        head.append(index)
        decides = any(graph.nodes[i].operator in DECIDING for i in head)
        if len(waiting) == 1 and decides and _weighs(graph, next(iter(waiting)), fixed):
            best = (next(iter(waiting)), len(head))
    return None if best is None else _cut(graph, best[0], head[: best[1]], fixed)


def _cut(graph: Graph, logits: str, head: Sequence[int], fixed: set[str]) -> Cut:
    taken = set(head)
    body = _needed(graph, logits, taken)
    for name in {name for i in taken for name in graph.nodes[i].inputs if name in fixed}:
        supplies = {node.name for node in _needed(graph, name, set())}
        taken |= {i for i, node in enumerate(graph.nodes) if node.name in supplies}
    return Cut(logits, body, tuple(graph.nodes[i] for i in sorted(taken)))


def _needed(graph: Graph, logits: str, taken: set[int]) -> tuple[Node, ...]:
    """The nodes that a tensor depends on, in their order."""
    waiting, found = {logits}, []
    for index in reversed(range(len(graph.nodes))):
        node = graph.nodes[index]
        if index not in taken and waiting & set(node.outputs):
            waiting |= set(node.inputs)
            found.append(node)
    return tuple(reversed(found))


def _fixed(graph: Graph) -> set[str]:
    """The tensors that do not depend on an input."""
    fixed = set(graph.constants)
    for node in graph.nodes:
        if all(not name or name in fixed for name in node.inputs):
            fixed.update(node.outputs)
    return fixed


def _weighs(graph: Graph, name: str, fixed: set[str]) -> bool:
    """Whether anything before a tensor is made with weights, so that what follows it is no layer of its own."""
    nodes = _needed(graph, name, set())
    kernels = {"Gemm", "MatMul", "Conv", "ConvTranspose", "LSTM", "GRU", "Gather"}
    return any(node.operator in kernels and fixed & set(node.inputs) for node in nodes)


def kept(graph: Graph, cut: Cut, rank: int) -> tuple[list[HeadNode], list[HeadConstant]]:
    """The operators behind the logits, which have so many axes, as today's opsets write them; and constants."""
    nodes: list[HeadNode] = []
    constants: dict[str, Array] = {}
    for node in cut.head:
        attributes = {k: v for k, v in node.attributes.items() if v is not None}
        inputs = list(node.inputs)
        if node.operator == "Constant":
            constants[node.outputs[0]] = _constant(attributes)
            continue
        if node.operator in ("Softmax", "LogSoftmax") and node.version < 13:
            attributes["axis"] = _last(int(attributes.get("axis", 1)), rank)
        if node.operator in ("Squeeze", "Unsqueeze") and "axes" in attributes:
            name = f"{node.outputs[0]}.axes"
            constants[name] = np.array(attributes.pop("axes"), np.int64)
            inputs.append(name)
        nodes.append(HeadNode(node.operator, node.domain, inputs, node.outputs, attributes))
    read = {name for node in nodes for name in node.inputs}
    constants |= {name: graph.constants[name] for name in read & set(graph.constants)}
    return nodes, [_written(name, array) for name, array in sorted(constants.items())]


def _constant(attributes: Mapping[str, Any]) -> Array:
    for name, dtype in VALUES.items():
        if name in attributes:
            return np.asarray(attributes[name], dtype)
    raise Outside("a constant behind the logits has no value")


def _last(axis: int, rank: int) -> int:
    if axis not in (-1, rank - 1):
        raise Outside("shares of several axes behind the logits")
    return -1


def _written(name: str, array: Array) -> HeadConstant:
    if array.size > MAX_CONSTANT:
        raise Outside(f"a constant of {array.size:,} values behind the logits")
    kinds = {"U": 8, "b": 9, "f8": 11, "f4": 1, "i4": 6, "i8": 7}
    kind = kinds.get(array.dtype.str[1:], kinds.get(array.dtype.kind))
    if kind is None:
        raise Outside(f"a constant of {array.dtype} behind the logits")
    return HeadConstant(name, kind, array.shape, array.ravel().tolist())
