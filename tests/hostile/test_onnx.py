"""ONNX files that must be refused."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.safetensors import METADATA_KEY, described
from nas_surgery.network import Dense, Flatten, Network, Normalize
from nas_surgery.testing.builders import Unbiased, build

NETWORK = build(3, 4, "relu", Unbiased(2), dtype=np.float32)
GOOD = export_onnx(NETWORK, {"seed": 1})
RELU6 = build(3, 4, "relu6", 2, dtype=np.float32)
KERNEL = "layers.0.kernel"
OPSET = helper.make_opsetid("", 21)


def edited(edit, content=GOOD):
    """The export, changed by `edit` as a message."""
    model = onnx.ModelProto.FromString(content)
    edit(model)
    return model.SerializeToString()


def initializer(model, name=KERNEL):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def on_kernel(**fields):
    """The export with fields of a kernel's tensor set, or cleared where None; lists are replaced."""

    def edit(model):
        tensor = initializer(model)
        for name, value in fields.items():
            tensor.ClearField(name)
            if isinstance(value, list):
                getattr(tensor, name).extend(value)
            elif value is not None:
                setattr(tensor, name, value)

    return edited(edit)


def external(location, make=None):
    """The export with a kernel that lies in another file; `make` puts something there."""

    def write(path):
        def edit(model):
            tensor = initializer(model)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            where = {"location": location, "offset": "0", "length": str(2**40)}
            for key, value in where.items():
                tensor.external_data.add(key=key, value=value)

        path.write_bytes(edited(edit))
        if make:
            make(path.with_name("weights"))

    return write


def with_node(*arguments, place=1, **attributes):
    """The export with another node in the middle of its graph."""

    def edit(model):
        node = helper.make_node(*arguments, name="more", **attributes)
        model.graph.node.insert(place, node)

    return edited(edit)


def on_node(index, **fields):
    def edit(model):
        for name, value in fields.items():
            setattr(model.graph.node[index], name, value)

    return edited(edit)


def opsets(*pairs):
    def edit(model):
        model.ClearField("opset_import")
        for domain, version in pairs:
            model.opset_import.add(domain=domain, version=version)

    return edited(edit)


def on_model(name, value):
    return edited(lambda model: setattr(model, name, value))


def on_shape(part, index, value):
    """The export with one declared axis changed."""

    def edit(model):
        getattr(model.graph, part)[0].type.tensor_type.shape.dim[index].dim_value = value

    return edited(edit)


def foreign_bomb():
    """A few bytes that ask for 34 GB."""
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
    shape = numpy_helper.from_array(np.array([2**33], np.int64), "shape")
    node = helper.make_node("ConstantOfShape", ["shape"], ["y"], value=value)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2**33])
    return helper.make_model(
        helper.make_graph([node], "g", [], [out], [shape]), opset_imports=[OPSET]
    ).SerializeToString()


def described_as(text):
    def edit(model):
        next(p for p in model.metadata_props if p.key == METADATA_KEY).value = text

    return edited(edit)


def with_metadata(key, value):
    return edited(lambda model: model.metadata_props.add(key=key, value=value))


def field(number, content):
    """A field of bytes, as it stands in a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def relu6(model):
    next(t for t in model.graph.initializer if t.name == "six").raw_data = np.float32(7).tobytes()


def with_raw_node(node):
    """The export with another node, as bytes."""
    graph = onnx.ModelProto.FromString(GOOD).graph.SerializeToString() + field(1, node)
    return edited(lambda model: model.ClearField("graph")) + field(7, graph)


def nested_graphs(levels):
    """The export with a node that holds a graph that holds a node, so many levels deep."""
    node = b""
    for _ in range(levels):
        node = field(5, field(6, field(1, node)))
    return with_raw_node(node)


def sparse(model):
    tensor = model.graph.sparse_initializer.add()
    tensor.dims.append(2**40)


def function(model):
    model.functions.add(name="f", domain="x")


def branch(model):
    graph = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["input"], ["x"], then_branch=graph, else_branch=graph)
    model.graph.node.insert(0, node)


SQUARE = Network((3, 3), [Normalize(np.ones((1, 3)), np.ones((1, 3))), Flatten(), Dense(np.eye(9))])
TRANSPOSED = edited(
    lambda m: initializer(m, "layers.0.mean").dims.__setitem__(slice(None), [3, 1]),
    export_onnx(SQUARE),
)

FILES = {
    "empty": (b"", "does not start with its version"),
    "random bytes": (np.random.default_rng(0).bytes(4096), "not a readable ONNX file"),
    "zeros": (bytes(4096), "does not start with its version"),
    "a zip file": (b"PK\x03\x04" + bytes(99), "does not start with its version"),
    "one byte": (GOOD[:1], "not a readable ONNX file"),
    "cut in the graph": (GOOD[:200], "not a readable ONNX file"),
    "cut in the metadata": (GOOD[:-60], "not a readable ONNX file"),
    "cut at the last byte": (GOOD[:-1], "truncated"),
    "a byte too many": (GOOD + b"\0", "truncated|not one that is known"),
    "a number of 11 bytes": (b"\x08" + b"\xff" * 11, "not a readable ONNX file"),
    "a field of 2**60 bytes": (b"\x08\x0a\x3a" + varint(2**60), "not a readable"),
    "a field of number 0": (GOOD + b"\x02\0", "field 0 is not one that is known"),
    "a group": (GOOD + b"\x0b\x0c", "not a protocol buffer"),
    "an unknown field": (GOOD + field(99, b"x"), "field 99 is not one that is known"),
    "a number for a graph": (b"\x08\x0a\x38\x01" + GOOD[2:], "twice|a number where bytes"),
    "10**6 empty nodes": (GOOD + field(7, b"\x0a\0" * 10**6), "field 7 is there twice"),
    "10**6 empty metadata": (b"\x08\x0a" + b"\x72\0" * 10**6, "more than 100000 fields"),
    "10**6 empty nodes of one graph": (
        edited(lambda m: m.graph.node.extend([onnx.NodeProto()] * 10**6)),
        "graph: more than 100000 fields",
    ),
    "10**6 empty attributes of one node": (
        with_raw_node(b"\x2a\0" * 10**6),
        "2,000,005 bytes more than its network needs",
    ),
    "10**5 empty attributes of one node": (
        with_raw_node(b"\x2a\0" * 10**5),
        "is not an operator",
    ),
    "a million dims": (on_kernel(dims=[1] * 10**6), "more than 100000 fields"),
    "graphs nested 90 deep": (nested_graphs(30), "is not an operator"),
    "graphs nested 3,000 deep": (nested_graphs(1_000), "not a readable ONNX file"),
    "two graphs, which parsers merge": (GOOD + field(7, b""), "graph|field 7 is there twice"),
    "34 GB in 154 bytes": (foreign_bomb(), "it has 0 inputs"),
    "no graph": (edited(lambda m: m.ClearField("graph")), "structure is damaged"),
}

TENSORS = {
    "weights outside the folder": (external("../../weights"), "external data"),
    "weights at an absolute path": (external("/etc/passwd"), "external data"),
    "weights that are missing": (external("nowhere"), "external data"),
    "weights behind a link": (
        external("weights", lambda path: path.symlink_to("/etc/passwd")),
        "external data",
    ),
    "weights past the end": (
        external("weights", lambda path: path.write_bytes(bytes(48))),
        "external data",
    ),
    "weights said to lie elsewhere": (on_kernel(data_location=1), "external data"),
    "raw_data too long": (on_kernel(raw_data=bytes(52)), "does not fit 52 bytes of raw_data"),
    "raw_data too short": (on_kernel(raw_data=bytes(44)), "does not fit 44 bytes of raw_data"),
    "no raw_data": (on_kernel(raw_data=None), "does not fit 0 bytes of raw_data"),
    "numbers one by one": (
        on_kernel(raw_data=None, float_data=[0.0] * 12),
        "data of another kind than raw_data",
    ),
    "numbers beside raw_data": (on_kernel(float_data=[0.0] * 12), "data of another kind"),
    "dims of 2**33 × 2**33": (on_kernel(dims=[2**33, 2**33]), "does not fit"),
    "dims of 2**62": (on_kernel(dims=[2**62]), "does not fit"),
    "dims below 0": (on_kernel(dims=[-3, -4]), "at most 32 axes and none below 0"),
    "dims of 40 axes": (on_kernel(dims=[1] * 39 + [12]), "at most 32 axes and none below 0"),
    "dims the other way round": (on_kernel(dims=[4, 3]), "not a valid network"),
    "dims that broadcast otherwise": (TRANSPOSED, "SHA-256 of layers.0.mean is not"),
    "no dims": (on_kernel(dims=None), "does not fit"),
    "data type int64": (on_kernel(data_type=7), "neither float nor double"),
    "data type bfloat16": (on_kernel(data_type=16), "neither float nor double"),
    "data type 0": (on_kernel(data_type=0), "neither float nor double"),
    "data type double": (on_kernel(data_type=11, dims=[3, 2]), "not a valid network"),
    "no name": (on_kernel(name=None), "the name of an initializer is missing"),
    "another name": (on_kernel(name="layers.7.kernel"), "structure is damaged"),
    "weights of NaN": (on_kernel(raw_data=12 * b"\0\0\xc0\x7f"), "NaN or infinite"),
    "weights of infinity": (on_kernel(raw_data=12 * b"\0\0\x80\x7f"), "NaN or infinite"),
    "weights that were changed": (on_kernel(raw_data=bytes(48)), f"SHA-256 of {KERNEL} is not"),
    "an initializer twice": (
        edited(lambda m: m.graph.initializer.append(initializer(m))),
        f"initializer '{KERNEL}' is there twice",
    ),
    "an initializer too many": (
        edited(
            lambda m: m.graph.initializer.append(
                numpy_helper.from_array(np.ones(2, np.float32), "x")
            )
        ),
        "the graph was changed",
    ),
    "another constant": (edited(relu6, export_onnx(RELU6)), "the graph was changed"),
    "a sparse initializer": (edited(sparse), "sparse_initializer is never read"),
    "a segment": (
        edited(lambda m: setattr(initializer(m).segment, "end", 9)),
        "segment is never read",
    ),
}

GRAPHS = {
    "34 GB in a node of ours": (
        with_node("ConstantOfShape", [KERNEL], ["x"]),
        "ConstantOfShape is not an operator that is exported",
    ),
    "a loop": (with_node("Loop", ["input"], ["x"]), "Loop is not an operator"),
    "a branch": (edited(branch), "If is not an operator"),
    "an operator of another domain": (
        with_node("Relu", ["input"], ["x"], domain="com.microsoft"),
        "the domain 'com.microsoft' is not known",
    ),
    "an operator with a path for a name": (
        with_node("../../lib.so", ["input"], ["x"]),
        "is not an operator",
    ),
    "a node too many": (with_node("Relu", ["input"], ["x"]), "the graph was changed"),
    "a node too few": (edited(lambda m: m.graph.node.pop()), "the graph was changed"),
    "another activation": (on_node(1, op_type="Sigmoid"), "the graph was changed"),
    "another attribute": (
        edited(
            lambda m: m.graph.node[1].attribute.extend([helper.make_attribute("alpha", 7.0)]),
        ),
        "the graph was changed",
    ),
    "an unknown field in a node": (
        edited(lambda m: m.graph.node[1].MergeFromString(field(99, b"x"))),
        "fields that are not known",
    ),
    "a declared input of another shape": (on_shape("input", 1, 7), "declared input is not"),
    "a declared input of 2**40": (on_shape("input", 0, 2**40), "declared input is not"),
    "a declared output of another shape": (on_shape("output", 1, 7), "declared output is not"),
    "an input too many": (
        edited(lambda m: m.graph.input.add(name="x")),
        "declared input is not",
    ),
    "a value of another shape": (
        edited(
            lambda m: m.graph.value_info.append(
                helper.make_tensor_value_info("0.gemm", TensorProto.FLOAT, [5, 5, 5])
            )
        ),
        "refused by the ONNX checker",
    ),
    "opset 99": (opsets(("", 99)), "opset 99 is not one of"),
    "opset 0": (opsets(("", 0)), "opset 0 is not one of"),
    "opset -1": (opsets(("", -1)), "opset -1 is not one of"),
    "opset 12": (opsets(("", 12)), "opset 12 is not one of"),
    "no opset": (opsets(), "operators of other domains"),
    "two opsets": (opsets(("", 21), ("", 7)), "operators of other domains"),
    "an unknown domain": (opsets(("evil", 1)), "operators of other domains"),
    "IR version 99": (on_model("ir_version", 99), "IR version 99 is not"),
    "IR version -1": (on_model("ir_version", -1), "IR version -1 is not"),
    "a function": (edited(function), "a function is never read"),
    "training": (edited(lambda m: m.training_info.add()), "training_info is never read"),
    "a quantization": (
        edited(lambda m: m.graph.quantization_annotation.add()),
        "quantization_annotation is never read",
    ),
}

METADATA = {
    "a structure twice": (
        with_metadata(METADATA_KEY, described(NETWORK)),
        f"the metadata hold '{METADATA_KEY}' twice",
    ),
    "a key twice": (with_metadata("seed", "2"), "the metadata hold 'seed' twice"),
    "a structure that is no JSON": (described_as("{"), "structure is damaged"),
    "a structure nested 10**5 deep": (described_as("[" * 10**5), "nested deeper"),
    "a structure of another network": (
        described_as(described(build(3, 5, "relu", 2, dtype=np.float32))),
        "structure is damaged|not a valid network|SHA-256",
    ),
    "a structure with another activation": (
        described_as(described(NETWORK).replace("relu", "tanh")),
        "SHA-256 of structure is not",
    ),
    "a structure without SHA-256": (
        described_as(
            json.dumps({k: v for k, v in json.loads(described(NETWORK)).items() if k != "sha256"})
        ),
        "SHA-256 of the arrays are missing",
    ),
    "metadata that are no JSON": (with_metadata("x", "{"), "the metadata are damaged"),
    "metadata of NaN": (with_metadata("x", "NaN"), "the metadata are damaged: NaN"),
    "metadata nested 10**5 deep": (with_metadata("x", "[" * 10**5), "nested deeper"),
    "metadata with a key twice": (with_metadata("x", '{"a":1,"a":2}'), "'a' is there twice"),
    "metadata that are not UTF-8": (
        GOOD + field(14, field(1, b"\xff") + field(2, b"1")),
        "is not UTF-8",
    ),
    "metadata without a key": (GOOD + field(14, field(2, b"1")), "is missing"),
}


def test_bad_onnx_files_are_refused(examine):
    """External data, bombs, lies, changes: one line, little memory, no signal, no network."""
    examine("onnx", {**FILES, **TENSORS, **GRAPHS, **METADATA})
