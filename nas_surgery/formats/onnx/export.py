"""Export of a network to ONNX.

onnx stamps newer versions by default than onnxruntime accepts, so opset and IR version are pinned.
"""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.safetensors import METADATA_KEY, described, named_arrays
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import (
    Activation,
    Add,
    Array,
    Concat,
    Dense,
    Flatten,
    Layer,
    Network,
    Normalize,
)
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery.network.network import array_name

OPSET = 21
IR_VERSION = 10
INPUT, OUTPUT, BATCH = "input", "logits", "N"
LARGEST = 2**31 - 2**20  # bytes of weights, beside which the rest of the file has room

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
_FLOAT32_ONLY = ("LeakyRelu", "Elu", "Selu", "Gelu", "Softplus")  # in onnxruntime


def export_onnx(network: Network, metadata: Mapping[str, Any] | None = None) -> bytes:
    """The network as an ONNX model: raw inputs (N, *input_shape) to logits (N, outputs).

    metadata: JSON values, kept under their keys beside the structure that `read_onnx` needs. Raises
    ModelFileError for values that could not be read again, and for more weights than a file holds.
    """
    from onnx import helper, numpy_helper

    if sum(array.nbytes for array in named_arrays(network).values()) > LARGEST:
        raise ModelFileError(f"an ONNX file holds {LARGEST:,} bytes of weights at most")
    graph = _Graph(network)
    for address, layer in enumerate(network.layers):
        graph.add(address, layer, network.sources[address])
    graph.finish()
    kind = _element_type(network.dtype)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, kind, [BATCH, *network.input_shape])],
            [helper.make_tensor_value_info(OUTPUT, kind, [BATCH, *network.output_shape])],
            [numpy_helper.from_array(array, name) for name, array in graph.arrays.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nas-surgery",
    )
    helper.set_model_props(model, _properties(network, metadata or {}))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _properties(network: Network, metadata: Mapping[str, Any]) -> dict[str, str]:
    """What goes into the model beside the graph, each value as JSON that can be read again."""
    texts = {METADATA_KEY: described(network)}
    for key, value in metadata.items():
        try:
            text = json.dumps(value, sort_keys=True)
            strict_json(text)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"metadata {key!r} cannot be kept: {error}") from None
        if texts.setdefault(key, text) != text:
            raise ModelFileError(f"metadata {key!r} cannot be kept: the name is taken")
    return texts


class _Graph:
    """Collects the nodes of the layers, in their order."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = named_arrays(network)
        self.constants: list[str] = []
        self._ranks = [len(shape) + 1 for shape in network.shapes]
        self._rank = self._ranks[0]
        self._forked = bool(network.wires)
        self._dtype = network.dtype
        self._at = INPUT
        self._values = {-1: INPUT}

    def add(self, address: int, layer: Layer, sources: tuple[int, ...]) -> None:
        """Append what the layer does at inference to what its sources give; a Dropout does nothing."""
        self._at, *others = (self._values[source] for source in sources)
        self._rank = self._ranks[sources[0] + 1]
        self._add(address, layer, others)
        self._values[address] = self._at

    def _add(self, address: int, layer: Layer, others: list[str]) -> None:
        if isinstance(layer, Add):
            for place, other in enumerate(others):
                self._node("Add", address, other, name=f"add{place or ''}")
        elif isinstance(layer, Concat):
            self._node("Concat", address, *others, axis=-1)
        elif isinstance(layer, Dense):
            self._dense(address, layer)
        elif isinstance(layer, Activation):
            self._activation(address, layer.function)
        elif isinstance(layer, Flatten):
            self._node("Flatten", address, axis=1)
        elif isinstance(layer, Normalize):
            self._node("Sub", address, array_name(address, "mean"))
            self._node("Div", address, array_name(address, "scale"))

    def finish(self) -> None:
        """Give the last value the name of the output."""
        if self.nodes and self.nodes[-1].op_type in ("Gemm", "MatMul", "Add"):
            self.nodes[-1].output[0] = OUTPUT
        else:
            taken = {node.name for node in self.nodes}
            free = (i for i in count(len(self.nodes)) if f"{i}.identity" not in taken)
            self._node("Identity", next(free))
            self.nodes[-1].output[0] = OUTPUT

    def _dense(self, address: int, layer: Dense) -> None:
        names = [array_name(address, field) for field in layer.arrays()]
        if self._rank == 2 and layer.bias is not None:
            self._node("Gemm", address, *names)
            return
        self._node("MatMul", address, names[0])
        if layer.bias is not None:
            self._node("Add", address, names[1])

    def _activation(self, address: int, function: str) -> None:
        if function == "silu":
            x = self._at
            self._node("Sigmoid", address)
            self._node("Mul", address, x)
        elif function == "relu6" and self._forked and self._dtype == np.float64:
            self._node("Max", address, self._constant("zero", 0))  # not fused with a Relu, as below
            self._node("Min", address, self._constant("six", 6))
        elif function == "relu6":
            self._unfuse_relu()
            self._node("Clip", address, self._constant("zero", 0), self._constant("six", 6))
        else:
            kind, attributes = _ONE_NODE[function]
            narrowed = self._dtype == np.float64 and kind in _FLOAT32_ONLY
            if narrowed:
                self._cast(address, "narrow", np.float32)
            self._node(kind, address, **attributes)
            if narrowed:
                self._cast(address, "widen", np.float64)

    def _unfuse_relu(self) -> None:
        """Let a Relu right before a relu6, which needs none, be an Identity.

        onnxruntime fuses the two, and fails where they are float64.
        """
        before = next((n for n in reversed(self.nodes) if n.op_type != "Identity"), None)
        if self._dtype == np.float64 and before is not None and before.op_type == "Relu":
            before.op_type = "Identity"

    def _cast(self, address: int, name: str, dtype: type) -> None:
        self._node("Cast", address, name=name, to=_element_type(np.dtype(dtype)))

    def _constant(self, name: str, value: float) -> str:
        if name not in self.constants:
            self.constants.append(name)
            self.arrays[name] = np.asarray(value, self._dtype)
        return name

    def _node(
        self, kind: str, address: int, *inputs: str, name: str = "", **attributes: Any
    ) -> None:
        from onnx import helper

        full = f"{address}.{name or kind.lower()}"
        self.nodes.append(
            helper.make_node(kind, [self._at, *inputs], [full], name=full, **attributes)
        )
        self._at = full


def _element_type(dtype: "np.dtype[Any]") -> int:
    from onnx import TensorProto

    return int(TensorProto.FLOAT if dtype == np.float32 else TensorProto.DOUBLE)
