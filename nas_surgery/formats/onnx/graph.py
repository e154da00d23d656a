"""The nodes and arrays of an ONNX graph, while layers are written into it one after the other.

Layers have their channels last; convolutions and pools of ONNX want them first. So each tensor says
which it has, and a Transpose stands only where a layer needs the other one.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any

import attrs
import numpy as np

from nas_surgery.formats.safetensors import named_arrays
from nas_surgery.network import Array, Network, Shape
from nas_surgery.network.network import array_name

INPUT, OUTPUT = "input", "logits"

# onnxruntime has these for float32 alone on the CPU
_FLOAT32_ONLY = frozenset(
    {
        *("AveragePool", "Conv", "ConvTranspose", "Elu", "Erf", "GRU", "Gelu", "HardSigmoid"),
        *(
            "Celu",
            "HardSwish",
            "InstanceNormalization",
            "LSTM",
            "LeakyRelu",
            "Mish",
            "PRelu",
            "Resize",
        ),
        *("Selu", "Softplus", "Softsign", "ThresholdedRelu"),
    }
)
_RENAMED = ("Gemm", "MatMul", "Add")  # as a last node these take the name of the output themselves


@attrs.frozen
class Tensor:
    """What a layer gives: its name in the graph, and the shape of one sample, channels last.

    first: whether it has its channels first in the graph.
    """

    name: str
    shape: Shape
    first: bool = False

    @property
    def rank(self) -> int:
        """Number of axes in the graph, that of the samples among them."""
        return len(self.shape) + 1


class Graph:
    """Collects the nodes of the layers, in their order, and what they share."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = named_arrays(network)
        self.forked = bool(network.wires)
        self.wide = network.dtype == np.float64
        self._dtype = network.dtype
        self._names: Counter[str] = Counter()
        self._moved: dict[str, str] = {}
        self._kept: set[str] = set()
        self._address, self._shape = 0, network.input_shape

    def at(self, address: int, shape: Shape) -> None:
        """What follows belongs to the layer at that address, which gives samples of that shape."""
        self._address, self._shape = address, shape

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node, by default with its kind as its name; the name of what it gives.

        Operators that onnxruntime does not have in float64 are computed in float32.
        """
        if not (self.wide and kind in _FLOAT32_ONLY):
            return self._append(kind, inputs, name, attributes)
        narrow = [self._narrow(one) for one in inputs]
        return self._cast(self._append(kind, narrow, name, attributes), "widen", np.float64)

    def array(self, field: str) -> str:
        """The name of an array of the layer."""
        return array_name(self._address, field)

    def constant(self, name: str, value: Any) -> str:
        """The name of a number, or of numbers, that all layers may share: one name, one value."""
        self.arrays.setdefault(name, np.asarray(value, self._dtype))
        return name

    def number(self, value: float) -> str:
        """The name of a number."""
        return self.constant(f"number.{value!r}", value)

    def own(self, name: str, value: Any) -> str:
        """The name of numbers that only this layer uses."""
        return self.constant(f"{self._address}.{name}", value)

    def whole(self, *values: int) -> str:
        """The name of whole numbers, such as sizes, as a vector."""
        return self._keep(f"whole.{'_'.join(map(str, values))}", np.asarray(values, np.int64))

    def factors(self, *values: "np.float32") -> str:
        """The name of float32 numbers as a vector, in a float64 network too."""
        return self._keep(f"factors.{'_'.join(map(str, values))}", np.asarray(values))

    def made(self, name: str, first: bool = False) -> Tensor:
        """The result of the layer, by the name of the node that gives it."""
        return Tensor(name, self._shape, first and len(self._shape) > 1)

    def last(self, tensor: Tensor) -> str:
        """The name of the tensor with its channels last."""
        rank = tensor.rank
        return (
            self._transposed(tensor.name, (0, *range(2, rank), 1)) if tensor.first else tensor.name
        )

    def first(self, tensor: Tensor) -> str:
        """The name of the tensor with its channels first."""
        rank = tensor.rank
        if tensor.first or rank == 2:
            return tensor.name
        return self._transposed(tensor.name, (0, rank - 1, *range(1, rank - 1)))

    def alike(self, tensor: Tensor, like: Tensor) -> str:
        """The name of the tensor with its channels where the other one has them."""
        return self.first(tensor) if like.first else self.last(tensor)

    def per_channel(self, field: str, like: Tensor) -> str:
        """An array of the layer with one value for each channel, so that it meets the tensor's channels."""
        name = self.array(field)
        if not like.first or self.arrays[name].size == 1:
            return name
        return self.node("Unsqueeze", name, self.whole(*range(1, like.rank - 1)))

    def maker(self, name: str) -> str:
        """The operator that gives what is called so, that before where it does nothing; "" of an input."""
        node = next((node for node in self.nodes if node.output[0] == name), None)
        if node is None:
            return ""
        return self.maker(node.input[0]) if node.op_type == "Identity" else str(node.op_type)

    def finish(self, tensor: Tensor) -> None:
        """Give the last value the name of the output."""
        name = self.last(tensor)
        if not (self.nodes and self.nodes[-1].op_type in _RENAMED):
            taken = {node.name for node in self.nodes}
            free = (i for i in count(len(self.nodes)) if f"{i}.identity" not in taken)
            self._address = next(free)
            self.node("Identity", name)
        self.nodes[-1].output[0] = OUTPUT

    def _transposed(self, name: str, order: Sequence[int]) -> str:
        if name not in self._moved:
            self._moved[name] = self.node("Transpose", name, perm=order)
        return self._moved[name]

    def _keep(self, name: str, array: Array) -> str:
        self._kept.add(name)
        self.arrays.setdefault(name, array)
        return name

    def _narrow(self, name: str) -> str:
        held = not name or name in self._kept  # nothing is given, or what is so in any network
        return name if held else self._cast(name, "narrow", np.float32)

    def _cast(self, name: str, called: str, dtype: type) -> str:
        return self._append("Cast", [name], called, {"to": element_type(np.dtype(dtype))})

    def _append(
        self, kind: str, inputs: Sequence[str], name: str, attributes: dict[str, Any]
    ) -> str:
        from onnx import helper

        base = f"{self._address}.{name or kind.lower()}"
        full = f"{base}{self._names[base] or ''}"
        self._names[base] += 1
        self.nodes.append(helper.make_node(kind, inputs, [full], name=full, **attributes))
        return full


def element_type(dtype: "np.dtype[Any]") -> int:
    """How ONNX calls float32 and float64."""
    from onnx import TensorProto

    return int(TensorProto.FLOAT if dtype == np.float32 else TensorProto.DOUBLE)
