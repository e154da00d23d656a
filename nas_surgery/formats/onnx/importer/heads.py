"""What a classifier does with its logits: Softmax, the best class, labels. It is taken off, kept, and put back."""

from collections.abc import Sequence

import attrs

from nas_surgery.formats.onnx.importer.nodes import Graph, Node

DECIDING = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Normalizer", "ZipMap", "LabelEncoder"})
BESIDE = frozenset(
    {"ArrayFeatureExtractor", "Cast", "Identity", "Concat", "Sub", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}
)


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
    return None if best is None else _cut(graph, best[0], head[: best[1]])


def _cut(graph: Graph, logits: str, head: Sequence[int]) -> Cut:
    taken = set(head)
    body = _needed(graph, logits, taken)
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
