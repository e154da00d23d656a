"""What follows from constants and shapes alone, computed once, operator by operator, by ONNX's reference in NumPy."""

from math import prod

import numpy as np

from nas_surgery.formats.onnx.importer.nodes import Node
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.network import Array

OPERATORS = frozenset(
    {
        *("Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Constant"),
        *("ConstantOfShape", "CumSum", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten"),
        *("Floor", "Gather", "GatherElements", "GatherND", "Gemm", "Greater"),
        *("GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min"),
        *("Mod", "Mul", "Neg", "Not", "OneHot", "Or", "Pow", "Range", "Reciprocal"),
        *("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        *("Relu", "Reshape", "Round", "ScatterND", "Shape", "Sigmoid", "Sign", "Size"),
        *("Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile", "Transpose"),
        *("Trilu", "Unsqueeze", "Where"),
    }
)
LARGEST = 2**26  # numbers that an operator may make out of fewer


def fold(node: Node, inputs: list[Array | None]) -> tuple[Array, ...]:
    """What a node gives for constants; Outside where that is not known, or too much."""
    if node.operator == "Expand" and len(inputs) == 2:
        return (_expanded(inputs),)
    if node.operator in ("Cast", "CastLike"):
        return (_cast(node, inputs),)
    made = _amount(node, inputs)
    if made > LARGEST and made > 4 * sum(x.size for x in inputs if x is not None):
        raise Outside(f"{made:,} numbers are more than are made of constants")
    try:
        return _computed(node, inputs)
    except Exception as error:  # of any kind: the reference checks little
        text = " ".join(str(error).split()) or type(error).__name__
        raise Outside(f"its constants do not fit: {text[:200]}") from None


def _computed(node: Node, inputs: list[Array | None]) -> tuple[Array, ...]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    given = {name: x for name, x in zip(node.inputs, inputs, strict=True) if x is not None}
    ports = [
        [helper.make_empty_tensor_value_info(n) for n in names if n]
        for names in (given, node.outputs)
    ]
    graph = helper.make_graph([node.proto], "constants", *ports)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.version)])
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(model).run(None, given)
    return tuple(np.asarray(each) for each in found)


def _expanded(inputs: list[Array | None]) -> Array:
    """A view that takes no memory, however large."""
    values, shape = inputs
    if values is None or shape is None or not np.issubdtype(shape.dtype, np.integer):
        raise Outside("it needs values and a shape")
    try:
        whole = np.broadcast_shapes(values.shape, tuple(int(n) for n in shape))
        return np.broadcast_to(values, whole)
    except ValueError:
        raise Outside(f"shape {list(values.shape)} does not expand to {shape.tolist()}") from None


def _cast(node: Node, inputs: list[Array | None]) -> Array:
    from onnx import helper

    values = inputs[0]
    if values is None or values.dtype.kind not in "fiub":
        raise Outside("it needs numbers")
    if node.operator == "CastLike":
        like = inputs[1]
        dtype = values.dtype if like is None else like.dtype
    else:
        kind = node.attributes.get("to")
        known = {1: 1, 10: 1, 16: 1, 11: 11, **{i: i for i in (2, 3, 4, 5, 6, 7, 9, 12, 13)}}
        if kind not in known:
            raise Outside(f"a cast to type {kind} is not read")
        dtype = helper.tensor_dtype_to_np_dtype(known[kind])
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def _amount(node: Node, inputs: list[Array | None]) -> int:
    """How many numbers it makes at most, where that may be more than goes in."""
    held = [x for x in inputs if x is not None]
    kind = node.operator
    try:
        if kind == "ConstantOfShape":
            return prod(int(n) for n in held[0].ravel())
        if kind == "Tile":
            return held[0].size * prod(int(n) for n in held[1].ravel())
        if kind == "Range":
            start, limit, step = (float(x.ravel()[0]) for x in held[:3])
            return int(abs((limit - start) / step)) if step else 0
        if kind == "OneHot":
            return held[0].size * int(held[1].ravel()[0])
        if kind in ("MatMul", "Gemm"):
            rows = held[0].size // max(held[0].shape[-1], 1)
            return rows * max(held[1].size // max(held[1].shape[0], 1), 1)
        if kind in ("Gather", "GatherElements", "GatherND"):
            return held[0].size * held[1].size
        if kind in ("Constant", "Concat", "Split", "Reshape", "Slice", "ScatterND"):
            return 0
        return prod(np.broadcast_shapes(*(x.shape for x in held)))
    except (ValueError, IndexError, OverflowError):
        return 0  # they do not fit, which the operator will say


def is_foldable(node: Node) -> bool:
    """Whether a node is computed where all that it reads is constant."""
    return node.domain == "" and node.operator in OPERATORS
