"""ONNX files made by hand, in ONNX's own text, and what onnxruntime says of them."""

from typing import Any

import numpy as np

from nas_surgery.formats.onnx.importer.reading import imported
from nas_surgery.formats.onnx.interface import Imported
from nas_surgery.network import Array, Shape


def onnx_file(
    nodes: str,
    x: Shape,
    *,
    opset: int = 17,
    kind: str = "float",
    batch: int | str = "N",
    outputs: str = "y",
    **constants: Any,
) -> bytes:
    """The bytes of a file with an input `x` of that shape, without the batch, and nodes in ONNX's text.

    constants: arrays, or shapes of random ones.
    """
    from onnx import helper, numpy_helper, parser

    sizes = ", ".join(map(str, (batch, *x)))
    declared = ", ".join(f"float {name}" for name in outputs.split())
    graph = parser.parse_graph(f"g ({kind}[{sizes}] x) => ({declared}) {{ {nodes} }}")
    rng = np.random.default_rng(0)
    for name, value in constants.items():
        array = rng.normal(0, 0.5, value) if isinstance(value, tuple) else np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        graph.initializer.append(numpy_helper.from_array(array, name))
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type} {number}"
    versions = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    return bytes(model.SerializeToString())


def run(content: bytes, x: Array) -> list[Array]:
    """All outputs of a file under onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def samples(content: bytes, count: int = 2, seed: int = 1) -> Array:
    """Inputs that a file takes."""
    interface = imported(content).interface
    assert interface is not None
    fixed = (interface.input.sizes or (None,))[0]
    shape = (fixed if isinstance(fixed, int) else count, *interface.sample)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def outputs(held: Imported, x: Array) -> Array:
    """What a network that was imported gives, as the file's logits."""
    assert held.interface is not None
    return held.interface.restore(held.network.forward(held.interface.arrange(x)))
