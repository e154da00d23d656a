"""Checks an ONNX model of unknown origin, as a process of its own with bounded memory and time.

The parser and the checker of ONNX are C++, and hostile files have crashed them. Run as a script, this
imports nothing of the package, reads the length of the expected model (8 bytes), that model and the
one to check, and prints as JSON why it is refused, or null.
"""

import json
import sys
from typing import Any

OPERATORS = frozenset(
    {
        *("Add", "AveragePool", "BatchNormalization", "Cast", "Celu", "Clip", "Concat"),
        *("Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Exp", "Expand"),
        *("Flatten", "GRU", "Gather", "Gelu", "Gemm", "HardSigmoid", "HardSwish"),
        *("Identity", "InstanceNormalization", "LSTM", "LayerNormalization", "LeakyRelu"),
        *("MatMul", "Max", "MaxPool", "Min", "Mish", "Mul", "Neg", "PRelu", "Pad"),
        *("ReduceMax", "ReduceMean", "Relu", "Reshape", "Resize", "Selu", "Shape"),
        *("Sigmoid", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Sqrt"),
        *("Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
    }
)
MIN_OPSET, MIN_IR = 20, 9
SPARE = 2**30  # bytes of address space beside what the models need
COPIES = 8  # of the models, while they are parsed, checked and compared
SECONDS = 60  # of processor time


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """Why a model is refused, in one line."""


def main() -> None:
    """Answer the question on the standard input."""
    size = int.from_bytes(sys.stdin.buffer.read(8), "little")
    expected, content = sys.stdin.buffer.read(size), sys.stdin.buffer.read()
    _limit(SPARE + COPIES * (len(expected) + len(content)))
    try:
        check(content, expected)
        reason = None
    except Refusal as refusal:
        reason = str(refusal)
    except MemoryError:
        reason = "the check of it needs too much memory"
    print(json.dumps(reason))


def check(content: bytes, expected: bytes) -> None:
    """Raise Refusal unless the model is the expected one, but for comments and versions."""
    model, wanted = _parse(content), _parse(expected)
    _check_versions(model, wanted)
    _check_operators(model.graph.node)
    if _essence(model) != _essence(wanted):
        raise Refusal(_difference(model.graph, wanted.graph))
    _run_checker(model)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    limits = {"AS": memory, "CPU": SECONDS, "CORE": 0, "FSIZE": 0}
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _parse(content: bytes) -> Any:
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(content)
    except MemoryError:
        raise
    except Exception:  # protobuf has kinds of its own
        raise Refusal("not a readable ONNX file") from None
    size = model.ByteSize()
    model.DiscardUnknownFields()
    if model.ByteSize() != size:
        raise Refusal("it holds fields that are not known")
    return model


def _check_versions(model: Any, wanted: Any) -> None:
    opset, newest = list(model.opset_import), wanted.opset_import[0].version
    if len(opset) != 1 or opset[0].domain not in ("", "ai.onnx"):
        raise Refusal(f"operators of other domains: {[entry.domain for entry in opset]}")
    if not MIN_OPSET <= opset[0].version <= newest:
        raise Refusal(f"opset {opset[0].version} is not one of {MIN_OPSET} to {newest}")
    if not MIN_IR <= model.ir_version <= wanted.ir_version:
        raise Refusal(f"IR version {model.ir_version} is not {MIN_IR} to {wanted.ir_version}")


def _check_operators(nodes: Any) -> None:
    for node in nodes:
        if node.domain not in ("", "ai.onnx"):
            raise Refusal(f"node {node.name!r}: the domain {node.domain!r} is not known")
        if node.op_type not in OPERATORS:
            raise Refusal(f"node {node.name!r}: {node.op_type} is not an operator that is exported")


def _essence(model: Any) -> Any:
    """A copy without what changes nothing."""
    bare = type(model)()
    bare.CopyFrom(model)
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        bare.ClearField(name)
    for name in ("ir_version", "opset_import"):
        bare.ClearField(name)
    for name in ("name", "doc_string", "value_info"):
        bare.graph.ClearField(name)
    return bare


def _difference(graph: Any, wanted: Any) -> str:
    parts = {"input": "the declared input", "output": "the declared output"}
    for field, name in parts.items():
        if list(getattr(graph, field)) != list(getattr(wanted, field)):
            return f"{name} is not that of the network"
    return "the graph was changed after nas-surgery exported it"


def _run_checker(model: Any) -> None:
    from onnx import checker, shape_inference

    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        raise Refusal(f"refused by the ONNX checker: {' '.join(str(error).split())}") from None


if __name__ == "__main__":
    main()
