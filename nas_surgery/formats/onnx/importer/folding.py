"""What follows from constants and shapes alone, computed once, operator by operator, by ONNX's reference in NumPy."""

from collections.abc import Callable
from math import prod

import numpy as np

from nas_surgery.formats.onnx.importer.nodes import Node
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.network import Array, Shape

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
    inside, outside = (
        [helper.make_empty_tensor_value_info(name) for name in names if name]
        for names in (given, node.outputs)
    )
    graph = helper.make_graph([node.proto], "constants", inside, outside)
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


def _numbers(array: Array) -> list[int]:
    return [int(n) for n in array.ravel()]


def _range(start: Array, limit: Array, step: Array) -> int:
    first, last, by = (float(x.ravel()[0]) for x in (start, limit, step))
    return int(abs((last - first) / by)) if by else 0


def _product(a: Array, b: Array, *_: Array) -> int:
    return int(a.size // max(a.shape[-1], 1) * (b.size // max(min(b.shape), 1)))


def _nothing(*_: Array) -> int:
    return 0


AMOUNTS: dict[str, Callable[..., int]] = {
    "ConstantOfShape": lambda shape: prod(_numbers(shape)),
    "Tile": lambda x, times: int(x.size) * prod(_numbers(times)),
    "Range": _range,
    "OneHot": lambda x, depth, values: int(x.size) * _numbers(depth)[0],
    "MatMul": _product,
    "Gemm": _product,
    "Gather": lambda x, places: int(x.size) * int(places.size),
    "GatherElements": lambda x, places: int(places.size),
    "GatherND": lambda x, places: int(x.size) * int(places.size),
    # what makes no more than goes in, whose inputs are no tensors of one shape
    **dict.fromkeys(("Constant", "Concat", "Split", "Reshape", "Slice", "ScatterND"), _nothing),
    **dict.fromkeys(("Squeeze", "Unsqueeze", "ReduceSum", "ReduceMean", "ReduceMax"), _nothing),
}


def _amount(node: Node, inputs: list[Array | None]) -> int:
    """How many numbers it makes at most, where that may be more than goes in."""
    held = [x for x in inputs if x is not None]
    try:
        if node.operator in AMOUNTS:
            return AMOUNTS[node.operator](*held)
        shape: Shape = np.broadcast_shapes(*(x.shape for x in held))
        return prod(shape)
    except (ValueError, IndexError, TypeError, OverflowError):
        return 0  # they do not fit, which the operator will say


def is_foldable(node: Node) -> bool:
    """Whether a node is computed where all that it reads is constant."""
    return node.domain == "" and node.operator in OPERATORS
