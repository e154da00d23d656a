"""ONNX files made by hand, in ONNX's own text, and what onnxruntime says of them."""

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper, parser

from nas_surgery.formats.onnx.importer.reading import imported


def onnx_file(nodes, x, *, opset=17, kind="float", batch="N", outputs="y", **constants):
    """The bytes of a file with an input `x` of that shape, without the batch, and nodes in ONNX's text.

    constants: arrays, or shapes of random ones.
    """
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
    return helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()


def run(content, x):
    """All outputs of a file under onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def samples(content, count=2, seed=1):
    """Inputs that a file takes."""
    port = imported(content).interface.input
    count = port.sizes[0] if isinstance(port.sizes[0], int) else count
    shape = (count, *port.sizes[1:])
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32)


def outputs(held, x):
    """What a network that was imported gives, as the file's logits."""
    return held.interface.restore(held.network.forward(held.interface.arrange(x)))
