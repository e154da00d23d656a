"""From the bytes of a file to its graph. Nothing is allocated that the file does not hold."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from nas_surgery.formats.onnx.importer.nodes import Graph, Node
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.interface import Port
from nas_surgery.network import Array

OPSETS = range(6, 27)
DOMAINS = ("", "ai.onnx.ml")
MAX_NODES = 50_000
MAX_DEPTH = 32  # of functions that call others
MAX_AXES = 16
HALVES = frozenset({10, 16})  # float16 and bfloat16, read as float32
KINDS = HALVES | {1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13}  # of 8 bits and more, real, or bool
INLINE = (
    "onnx.save(onnx.load('model.onnx'), 'inlined.onnx'), run beside its weights,"
    " writes one file with all of them"
)


def parse(content: bytes) -> Graph:
    """The graph of a file; Outside where it cannot be read, or is of a kind that is never read."""
    model = _inlined(_model(content))
    opsets = _opsets(model)
    if len(model.graph.node) > MAX_NODES:
        raise Outside(f"{len(model.graph.node):,} nodes are more than {MAX_NODES:,}")
    if model.graph.sparse_initializer:
        raise Outside("sparse weights are never read")
    constants = dict(_constants(model.graph.initializer))
    return Graph(
        inputs=tuple(_port(v) for v in model.graph.input if v.name not in constants),
        outputs=tuple(_port(v) for v in model.graph.output),
        nodes=tuple(_node(i, proto, opsets) for i, proto in enumerate(model.graph.node)),
        constants=constants,
        opsets=opsets,
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _model(content: bytes) -> Any:
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(content)
    except MemoryError:
        raise
    except Exception:  # protobuf has kinds of its own
        raise Outside("not a readable ONNX file") from None
    if not model.graph.node:
        raise Outside("there is no graph in it")
    return model


def _inlined(model: Any) -> Any:
    """The model with the functions that it defines itself put where they are called."""
    if not model.functions:
        return model
    if _nodes_inlined(model) > MAX_NODES:
        raise Outside(f"its functions make more than {MAX_NODES:,} nodes")
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # of C++
        raise Outside(f"its functions cannot be put in place: {error}") from None


def _nodes_inlined(model: Any) -> int:
    """How many nodes there are once every function stands where it is called."""
    bodies = {(each.domain, each.name): each.node for each in model.functions}
    counts: dict[tuple[str, str], int] = {}
    for _ in range(MAX_DEPTH):
        waiting = [key for key in bodies if key not in counts]
        for key in waiting:
            called = [(node.domain, node.op_type) for node in bodies[key]]
            if all(name in counts for name in called if name in bodies):
                counts[key] = sum(counts.get(name, 1) for name in called)
        if not waiting:
            return sum(counts.get((node.domain, node.op_type), 1) for node in model.graph.node)
    raise Outside(f"its functions call each other more than {MAX_DEPTH} deep")


def _opsets(model: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in model.opset_import:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if domain in found:
            raise Outside(f"the opset of domain {domain!r} is there twice")
        found[domain] = entry.version
    if "" not in found:
        raise Outside("it names no opset of ONNX")
    if found[""] not in OPSETS:
        raise Outside(f"opset {found['']} is not one of {OPSETS[0]} to {OPSETS[-1]}")
    return found


def _constants(tensors: Any) -> Iterator[tuple[str, Array]]:
    seen: set[str] = set()
    for proto in tensors:
        if proto.name in seen:
            raise Outside(f"initializer {proto.name!r} is there twice")
        seen.add(proto.name)
        yield proto.name, array_of(proto)


def array_of(proto: Any) -> Array:
    """The values of a tensor of a file; Outside unless they are there, as many as its shape says."""
    from onnx import TensorProto, helper, numpy_helper

    name = f"tensor {proto.name!r}"
    if proto.data_location == TensorProto.EXTERNAL or proto.external_data:
        raise Outside(f"{name} lies in another file, which is never read: {INLINE}")
    shape = tuple(proto.dims)
    if len(shape) > MAX_AXES or any(size < 0 for size in shape):
        raise Outside(f"{name}: {list(shape)} is no shape")
    if proto.data_type == TensorProto.STRING:
        if len(proto.string_data) != prod(shape):
            raise Outside(f"{name}: shape {list(shape)} does not fit its data")
        return np.array([str(s, "utf-8", "replace") for s in proto.string_data]).reshape(shape)
    if proto.data_type not in KINDS:
        raise Outside(f"{name}: data type {proto.data_type} is not read")
    dtype = helper.tensor_dtype_to_np_dtype(proto.data_type)
    field = helper.tensor_dtype_to_field(proto.data_type)
    found = len(proto.raw_data) / dtype.itemsize if proto.raw_data else len(getattr(proto, field))
    if found != prod(shape):
        raise Outside(f"{name}: shape {list(shape)} does not fit its data")
    try:
        values: Array = numpy_helper.to_array(proto)
    except (ValueError, TypeError, AttributeError) as error:
        raise Outside(f"{name}: {error}") from None
    return values.astype(np.float32) if proto.data_type in HALVES else values


def _port(value: Any) -> Port:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        return Port(value.name, kind.elem_type, None)
    sizes: tuple[Any, ...] = tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
        for dim in kind.shape.dim
    )
    return Port(value.name, kind.elem_type, sizes)


def _node(index: int, proto: Any, opsets: dict[str, int]) -> Node:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    name = proto.name or (proto.output[0] if proto.output else "") or f"{proto.op_type} {index}"
    return Node(
        name=name,
        operator=proto.op_type,
        domain=domain,
        version=opsets.get(domain, 0),
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={each.name: _attribute(each) for each in proto.attribute},
        proto=proto,
    )


def _attribute(proto: Any) -> Any:
    from onnx import AttributeProto, helper

    if proto.type == AttributeProto.TENSOR:
        return array_of(proto.t)
    if proto.type == AttributeProto.STRING:
        return str(proto.s, "utf-8", "replace")
    if proto.type in (AttributeProto.INT, AttributeProto.FLOAT):
        return helper.get_attribute_value(proto)
    if proto.type == AttributeProto.STRINGS:
        return [str(text, "utf-8", "replace") for text in proto.strings]
    if proto.type in (AttributeProto.INTS, AttributeProto.FLOATS):
        return list(helper.get_attribute_value(proto))
    return None  # graphs, sparse tensors and types, which no operator that is read has
