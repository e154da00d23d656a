"""How an operator is given to the function that makes layers of it, and the register of these."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.nodes import Node
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Score, Value, as_constant, as_view
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Array

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


@attrs.frozen(eq=False)
class Call:
    """A node with what it is given.

    alone: whether what it reads was made by layers of the node before, and is read by nobody else.
    next: the operators that read its first output. used: which outputs are read.
    """

    node: Node
    inputs: Sequence[Value | None]
    sketch: Sketch
    alone: bool
    next: frozenset[str]
    used: tuple[bool, ...]

    @property
    def version(self) -> int:
        return self.node.version

    def setting(self, name: str, default: Any = None) -> Any:
        """An attribute; the default where it is not there."""
        value = self.node.attributes.get(name)
        return default if value is None else value

    def value(self, index: int) -> Value | None:
        """An input; None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def view(self, index: int = 0) -> View:
        """An input that depends on that of the network."""
        return as_view(self.sketch, self.value(index), f"input {index}")

    def constant(self, index: int) -> Array:
        """An input that does not; as floats, where it holds any."""
        return as_constant(self.value(index), f"input {index}")

    def optional(self, index: int) -> Array | None:
        return None if self.value(index) is None else self.constant(index)

    def weights(self, index: int, rank: int | None = None) -> Array:
        """A constant of floats, of so many axes."""
        array = self.constant(index)
        if array.dtype not in FLOATS:
            raise Outside(f"input {index} holds {array.dtype}, not floats")
        if rank is not None and array.ndim != rank:
            raise Outside(f"input {index} has {array.ndim} axes where {rank} are needed")
        return array

    def bias(self, index: int) -> Array | None:
        return None if self.value(index) is None else self.weights(index, 1)

    def moved(self, function: Callable[[View], View]) -> Value:
        """What only arranges the first input anew, which may be scores of attention."""
        value = self.value(0)
        if isinstance(value, Score):
            return value.moved(function)
        return function(self.view(0))

    def is_constant(self, index: int) -> bool:
        return isinstance(self.value(index), np.ndarray)

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Whole numbers from an attribute, or from an input as later opsets have it."""
        if (found := self.setting(name)) is not None:
            return [int(n) for n in np.atleast_1d(found)]
        array = self.optional(index)
        if array is None:
            return None
        if array.dtype.kind not in "iu":
            raise Outside(f"input {index} holds {array.dtype}, not whole numbers")
        return [int(n) for n in array.ravel()]


Made = Value | tuple[Value, ...]
OPERATORS: dict[str, Callable[[Call], Made]] = {}


def makes(*operators: str) -> Callable[[Callable[[Call], Made]], Callable[[Call], Made]]:
    """Enter a function that makes layers of operators."""

    def enter(function: Callable[[Call], Made]) -> Callable[[Call], Made]:
        OPERATORS.update(dict.fromkeys(operators, function))
        return function

    return enter
