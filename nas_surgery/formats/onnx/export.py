"""Export of a network to ONNX.

onnx stamps newer versions by default than onnxruntime accepts, so opset and IR version are pinned.
"""

import json
from collections.abc import Mapping
from typing import Any

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.graph import INPUT, OUTPUT, Graph, Tensor, element_type
from nas_surgery.formats.onnx.layers import write_layer
from nas_surgery.formats.safetensors import METADATA_KEY, described, named_arrays
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Network
from nas_surgery.network.wires import walk

OPSET = 21
IR_VERSION = 10
BATCH = "N"
LARGEST = 2**31 - 2**20  # bytes of weights, beside which the rest of the file has room


def export_onnx(network: Network, metadata: Mapping[str, Any] | None = None) -> bytes:
    """The network as an ONNX model: raw inputs (N, *input_shape) to logits (N, outputs).

    metadata: JSON values, kept under their keys beside the structure that `read_onnx` needs. Raises
    ModelFileError for values that could not be read again, and for more weights than a file holds.
    """
    from onnx import helper, numpy_helper

    if sum(array.nbytes for array in named_arrays(network).values()) > LARGEST:
        raise ModelFileError(f"an ONNX file holds {LARGEST:,} bytes of weights at most")
    graph = _written(network)
    kind = element_type(network.dtype)
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


def _written(network: Network) -> Graph:
    """What all layers do at inference."""
    graph = Graph(network)

    def write(address: int, *inputs: Tensor) -> Tensor:
        graph.at(address, network.shapes[address + 1])
        return write_layer(graph, network.layers[address], inputs)

    graph.finish(walk(network.sources, Tensor(INPUT, network.input_shape), write))
    return graph


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
