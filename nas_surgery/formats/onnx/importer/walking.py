"""The walk through a graph: node by node, to what its output is, or to all reasons why it cannot be held."""

from collections import Counter
from collections.abc import Mapping

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer import folding
from nas_surgery.formats.onnx.importer.nodes import Graph, Node
from nas_surgery.formats.onnx.importer.operators import OPERATORS, Call
from nas_surgery.formats.onnx.importer.outside import Outside, Reason
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Promise, Unknown, Value
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import NetworkError

MAX_REASONS = 1000
HELPERS = folding.OPERATORS | {"Shape", "Size"}  # known where they are of constants and shapes
MALFORMED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


@attrs.define(eq=False)
class Walk:
    """What is known of each tensor, and what was outside."""

    sketch: Sketch
    values: dict[str, Value]
    reasons: list[Reason] = attrs.field(factory=list)
    _readers: Counter[str] = attrs.field(factory=Counter)
    _kinds: dict[str, set[str]] = attrs.field(factory=dict)
    _makers: dict[int, str] = attrs.field(factory=dict)
    _place: int = 0

    def through(self, graph: Graph, nodes: tuple[Node, ...]) -> None:
        """Go through nodes in their order."""
        for node in graph.nodes:
            self._readers.update(node.inputs)
            for name in node.inputs:
                self._kinds.setdefault(name, set()).add(node.operator)
        self._readers.update(port.name for port in graph.outputs)
        for place, node in enumerate(nodes):
            self._place = place
            self._step(node)

    def _step(self, node: Node) -> None:
        inputs = [self.values.get(name, Unknown()) if name else None for name in node.inputs]
        try:
            made = self._made(node, inputs)
        except Outside as outside:
            self._refuse(node, str(outside))
            made = ()
        except NetworkError as error:
            self._refuse(node, str(error))
            made = ()
        except MALFORMED as error:
            self._refuse(node, f"its attributes or inputs are malformed: {error}")
            made = ()
        results = made if isinstance(made, tuple) else (made,)
        for name, value in zip(node.outputs, results, strict=False):
            self.values[name] = value
        for name in node.outputs:
            self.values.setdefault(name, Unknown())
        if len(results) == 1 and isinstance(results[0], View):
            self._makers.setdefault(results[0].source, node.outputs[0])

    def _made(self, node: Node, inputs: list[Value | None]) -> Value | tuple[Value, ...]:
        constant = [x for x in inputs if x is None or isinstance(x, np.ndarray)]
        if len(constant) == len(inputs) and folding.is_foldable(node):
            return folding.fold(node, constant)
        if (
            not node.domain
            and node.operator in ("Shape", "Size")
            and not isinstance(inputs[0], Unknown)
        ):
            return self._shape(node, inputs[0])
        kind = f"{node.domain}.{node.operator}" if node.domain else node.operator
        known = kind in OPERATORS
        if any(isinstance(x, Unknown) for x in inputs) and (known or kind in HELPERS):
            return Unknown()
        if not known:
            where = f" of the domain {node.domain!r}" if node.domain else ""
            raise Outside(f"there is no layer for this operator{where}")
        return OPERATORS[kind](self._call(node, inputs))

    def _shape(self, node: Node, value: Value | None) -> Value:
        from nas_surgery.formats.onnx.importer.operators.elementwise import sizes_of

        sizes = np.array(sizes_of(self.sketch, value), np.int64)
        if node.operator == "Size":
            return np.array(sizes.prod(), np.int64)
        return sizes[node.attributes.get("start") or 0 : node.attributes.get("end")]

    def _call(self, node: Node, inputs: list[Value | None]) -> Call:
        moving = [
            (name, x)
            for name, x in zip(node.inputs, inputs, strict=True)
            if isinstance(x, View | Promise)
        ]
        alone = all(
            self._readers[name] == 1 and isinstance(x, View) and self._makers.get(x.source) == name
            for name, x in moving
        )
        output = node.outputs[0] if node.outputs else ""
        used = tuple(self._readers[name] > 0 if name else False for name in node.outputs)
        following = frozenset(self._kinds.get(output, ()))
        return Call(node, inputs, self.sketch, alone, following, used)

    def _refuse(self, node: Node, text: str) -> None:
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(Reason(text, node.name, node.operator, self._place))


def start(sketch: Sketch, constants: Mapping[str, Value], name: str, view: View) -> Walk:
    """A walk that has not begun."""
    return Walk(sketch, {**constants, name: view})
