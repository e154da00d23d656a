"""What each kind of layer can do, as a table in Markdown: found in declarations, backends and exports.

`python -m nas_surgery.testing.layer_table FILE` renews it in a file, with the operators that are read,
between their marks.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from nas_surgery.formats.onnx.graph import INPUT, Graph, Tensor
from nas_surgery.formats.onnx.importer.operators import OPERATORS
from nas_surgery.formats.onnx.importer.walking import HELPERS
from nas_surgery.formats.onnx.layers import write_layer
from nas_surgery.network import LAYERS, Layer, Network, Outputs, Passes
from nas_surgery.network.wires import walk
from nas_surgery.plugins.lookup import backend
from nas_surgery.testing.layers import around, example_layers, joined
from nas_surgery.training.backend import Backend

BACKENDS = ("numpy", "torch", "tensorflow")
MARKS = "<!-- {0}: begin -->\n", "<!-- {0}: end -->\n"
CHANNELS = {
    Outputs.FRESH: "makes its own",
    Outputs.SAME: "hands them on",
    Outputs.TILE: "hands them on, once for each position",
    Outputs.CONCAT: "side by side",
    Outputs.TIE: "tied, change together",
    Outputs.SELECT: "picks some",
    Outputs.ATTEND: "queries and keys tied, values handed on",
    Outputs.FROZEN: "left alone",
}
PASSES = {
    Passes.NOTHING: "",
    Passes.SELECTION: "selected",
    Passes.MONOMIAL: "selected, rescaled",
    Passes.ANY: "any",
}
MOVES = {"Cast", "Concat", "Gather", "Reshape", "Shape", "Slice", "Squeeze", "Transpose"}
MOVES |= {"Unsqueeze"}  # operators that only bring numbers to their places
MANY = 6  # operators that are still named one by one


def layer_table(backends: Iterable[Backend] | None = None) -> str:
    """The table, a row for each kind; of several examples of a kind all that is true of one."""
    trainers = [backend(name) for name in BACKENDS] if backends is None else list(backends)
    networks = [*(around(*example) for example in example_layers()), *joined().values()]
    examples, operators = _examples(networks), _operators(networks)
    head = ["layer", "channels", "passes", *(one.name for one in trainers), "in ONNX"]
    rows = [
        [
            f"`{LAYERS[kind].__name__}`",
            _words(CHANNELS[layer.channels.outputs] for layer in layers),
            _words(PASSES[layer.passes] for layer in layers),
            *(_trained(one, layers) for one in trainers),
            _named(kind, operators[kind]),
        ]
        for kind, layers in ((kind, examples[kind]) for kind in LAYERS)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def read_operators() -> str:
    """The operators of ONNX of which layers are made, and those that are only computed."""
    made = sorted((one.rpartition(".")[2] for one in OPERATORS), key=str.lower)
    computed = sorted({*HELPERS} - {*made}, key=str.lower)
    return (
        f"Operators that become layers: {_listed(made)}.\n\n"
        f"Where they meet only constants and shapes: {_listed(computed)}.\n"
    )


def renewed(text: str, backends: Iterable[Backend] | None = None) -> str:
    """The text with what is generated between its marks."""
    generated = {"layers": layer_table(backends), "operators": read_operators()}
    for name, content in generated.items():
        begin, end = (mark.format(name) for mark in MARKS)
        whole = f"{begin}\n{content}\n{end}"
        text = re.sub(f"{begin}.*?{end}", whole.replace("\\", r"\\"), text, flags=re.DOTALL)
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _examples(networks: Iterable[Network]) -> dict[str, list[Layer]]:
    """All layers of the networks by their kinds."""
    found: dict[str, list[Layer]] = defaultdict(list)
    for network in networks:
        for layer in network.layers:
            found[layer.kind].append(layer)
    return found


def _operators(networks: Iterable[Network]) -> dict[str, set[str]]:
    """The operators that layers of each kind become in ONNX files."""
    found: dict[str, set[str]] = defaultdict(set)
    for network in networks:
        for kind, operator in _nodes(network):
            found[kind].add(operator)
    return found


def _nodes(network: Network) -> Iterator[tuple[str, str]]:
    made: list[tuple[str, str]] = []
    graph = Graph(network)

    def write(address: int, *inputs: Tensor) -> Tensor:
        graph.at(address, network.shapes[address + 1])
        layer, before = network.layers[address], len(graph.nodes)
        result = write_layer(graph, layer, inputs)
        made.extend((layer.kind, node.op_type) for node in graph.nodes[before:])
        return result

    walk(network.sources, Tensor(INPUT, network.input_shape), write)
    return iter(made)


def _words(values: Iterable[str]) -> str:
    return " or ".join(value for value in dict.fromkeys(values) if value)


def _trained(one: Backend, layers: Iterable[Layer]) -> str:
    known = [
        layer.needs in one.layer_kinds and (one.forks or not layer.several) for layer in layers
    ]
    return "yes" if all(known) else "some" if any(known) else ""


def _named(kind: str, operators: set[str]) -> str:
    """The operator of that name, or all that do more than move numbers; or those."""
    plain = kind.replace("_", "")
    namesakes = {one for one in operators if one.lower().startswith(plain)}
    shown = namesakes or operators - MOVES or operators
    if len(shown) > MANY:
        return "one or a few for each function"
    return _listed(sorted(shown)) or "nothing"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
