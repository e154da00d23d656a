"""ONNX: export of a network, its check under onnxruntime, and reading back what was exported.

onnx stamps newer versions by default than onnxruntime accepts, so opset and IR version are pinned.
"""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.errors import ModelFileError, NetworkError
from nas_surgery.formats.onnx.reading import check_foreign, read_export, read_model
from nas_surgery.formats.safetensors import METADATA_KEY, described, from_description, named_arrays
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Activation, Array, Dense, Flatten, Layer, Network, Normalize
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery.network.network import array_name
from nas_surgery.network.rounding import bounded_forward, unit_roundoff

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
        graph.add(address, layer)
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


@attrs.frozen
class Agreement:
    """How far an exported model is from its network, relative to the largest output.

    difference: of the model to `Network.forward`. rounding: what float arithmetic may explain of the
    difference to float64. beyond: whether either is further from float64 than that explains.
    """

    difference: float
    rounding: float
    beyond: bool

    def __str__(self) -> str:
        return (
            f"the exported model differs from the network by {self.difference:.1e},"
            f" where rounding explains {self.rounding:.1e}"
        )


def compare_onnx(content: bytes, network: Network, x: ArrayLike) -> Agreement:
    """Run the model under onnxruntime on raw inputs `x`, together and one by one.

    It and `Network.forward` are both compared with float64, against what the sums of each layer can
    lose. Raises ModelFileError if onnxruntime does not run the model.
    """
    batch = np.asarray(x)
    again = min(4, len(batch))
    found, held = _answers(content, batch, again), network.forward(batch)
    # onnxruntime fuses, and computes parts of float64 networks in float32
    exact, bound = bounded_forward(network, batch, unit_roundoff(np.float32))
    held, exact, bound = (np.concatenate([a, a[:again]]) for a in (held, exact, bound))
    scale = max(float(np.abs(held).max(initial=0)), float(np.finfo(np.float32).tiny))
    within = (np.abs(found - exact) <= bound) & (np.abs(held - exact) <= bound)
    difference = float(np.abs(found - held).max(initial=0)) / scale
    return Agreement(difference, float(bound.max(initial=0)) / scale, not bool(within.all()))


def check_onnx(content: bytes, network: Network, x: ArrayLike) -> float:
    """The difference that `compare_onnx` finds; ModelFileError if it is beyond rounding."""
    agreement = compare_onnx(content, network, x)
    if agreement.beyond:
        raise ModelFileError(str(agreement))
    return agreement.difference


def _answers(content: bytes, batch: Array, again: int) -> Array:
    """Outputs of the whole batch, then of the first `again` samples one by one."""
    try:
        run = onnx_function(content)
        return np.concatenate([run(batch), *(run(batch[i : i + 1]) for i in range(again))])
    except Exception as error:  # onnxruntime has kinds of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"onnxruntime does not run the exported model: {reason}") from error


def onnx_function(content: bytes) -> Callable[[ArrayLike], Array]:
    """The model as a function from raw inputs to logits, run by onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    dtype = np.float64 if "double" in session.get_inputs()[0].type else np.float32

    def run(x: ArrayLike) -> Array:
        logits: Array = session.run([OUTPUT], {INPUT: np.asarray(x, dtype)})[0]
        return logits

    return run


def read_onnx(path: Path) -> Network:
    """The network in a file that `export_onnx` made; ModelFileError for any other.

    A file that is byte for byte what `export_onnx` writes for the network in it is known to be
    harmless. Any other is compared with that in a process of its own.
    """
    try:
        content = read_model(path)
        held = read_export(content)
        network = from_description(held.description, held.arrays)
        expected = export_onnx(network, held.metadata)
        if content != expected:
            check_foreign(content, expected)
        return network
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def read_metadata(source: bytes | Path) -> dict[str, Any]:
    """The metadata of an exported model or file by key, without the structure."""
    if isinstance(source, bytes):
        return read_export(source).metadata
    try:
        return read_export(read_model(source)).metadata
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from None


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
    """Collects the nodes of a chain of layers."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = named_arrays(network)
        self.constants: list[str] = []
        self._rank = len(network.input_shape) + 1
        self._dtype = network.dtype
        self._at = INPUT

    def add(self, address: int, layer: Layer) -> None:
        """Append what the layer does at inference; a Dropout does nothing."""
        if isinstance(layer, Dense):
            self._dense(address, layer)
        elif isinstance(layer, Activation):
            self._activation(address, layer.function)
        elif isinstance(layer, Flatten):
            self._rank = 2
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
