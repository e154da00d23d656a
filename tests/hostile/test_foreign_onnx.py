"""ONNX files of other tools that are odd or hostile: one line each, soon, in little memory, and no signal."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nas_surgery as ns
from nas_surgery.errors import UnsupportedModelError
from nas_surgery.testing.onnx_files import onnx_file

CHILD = Path(__file__).with_name("import_in_child.py")
SECONDS, MEMORY = 10, 2**30
PLAIN = onnx_file("a = Relu(x) y = Gemm(a, w)", (4,), w=(4, 2))


def whole(*values):
    return np.array(values, np.int64)


def edited(edit, content=PLAIN):
    model = onnx.ModelProto.FromString(content)
    edit(model)
    return model.SerializeToString()


def on_weights(**fields):
    """The file with fields of its weights set, or cleared where None; lists are replaced."""

    def edit(model):
        for name, value in fields.items():
            model.graph.initializer[0].ClearField(name)
            if isinstance(value, list):
                getattr(model.graph.initializer[0], name).extend(value)
            elif value is not None:
                setattr(model.graph.initializer[0], name, value)

    return edited(edit)


def external(location):
    def edit(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "length": str(2**40)}.items():
            tensor.external_data.add(key=key, value=value)

    return edited(edit)


def nodes(text, shape=(4,), **options):
    """A file of these nodes, and a Gemm behind them."""
    return onnx_file(f"{text} y = Gemm(t, w)", shape, w=(4, 2), **options)


def first_node(**fields):
    def edit(model):
        for name, value in fields.items():
            setattr(model.graph.node[0], name, value)

    return edited(edit)


def on_input(*sizes):
    """The file with other sizes of its input."""

    def edit(model):
        del model.graph.input[0].type.tensor_type.shape.dim[:]
        for size in sizes:
            dim = model.graph.input[0].type.tensor_type.shape.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
            elif size:
                dim.dim_param = size

    return edited(edit)


def opset(version):
    return edited(lambda m: setattr(m.opset_import[0], "version", version))


def with_graph(operator):
    inner = helper.make_graph([], "inner", [], [])

    def edit(model):
        node = helper.make_node(operator, ["x"], ["t"], body=inner)
        model.graph.node.insert(0, node)
        model.graph.node[1].input[0] = "t"

    return edited(edit)


def function(depth):
    """The file with functions that call each other so many times twice over."""

    def edit(model):
        model.opset_import.add(domain="f", version=1)
        for i in range(depth):
            calls = [
                helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="f"),
                helper.make_node(f"f{i + 1}", ["b"], ["c"], domain="f"),
            ]
            last = [helper.make_node("Relu", ["a"], ["c"])]
            body = calls if i < depth - 1 else last
            ids = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
            model.functions.append(helper.make_function("f", f"f{i}", ["a"], ["c"], body, ids))
        model.graph.node.insert(0, helper.make_node("f0", ["x"], ["z"], domain="f"))
        model.graph.node[1].input[0] = "z"

    return edited(edit)


def recursive(model):
    model.opset_import.add(domain="f", version=1)
    body = [helper.make_node("f", ["a"], ["c"], domain="f")]
    ids = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    model.functions.append(helper.make_function("f", "f", ["a"], ["c"], body, ids))
    model.graph.node.insert(0, helper.make_node("f", ["x"], ["z"], domain="f"))
    model.graph.node[1].input[0] = "z"


def sparse(model):
    model.graph.sparse_initializer.add().dims.append(2**40)


def twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))


def second_output(model):
    model.graph.node.append(helper.make_node("Relu", ["a"], ["z"], name="other"))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))


def nan(model):
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(np.full((4, 2), np.nan, np.float32), "w"))


def cycle(model):
    model.graph.node[0].input[0] = "y"


def many(model):
    model.graph.node.extend([helper.make_node("Relu", ["x"], [f"z{i}"]) for i in range(60_000)])


SIZES = {
    "34 GB of a constant": ("s = ConstantOfShape(n) t = Add(x, s)", {"n": whole(2**33)}),
    "a constant repeated to 2**40": (
        "s = Tile(c, n) t = Add(x, s)",
        {"c": np.ones(1, np.float32), "n": whole(2**40)},
    ),
    "a range to 2**40": (
        "r = Range(zero, end, one) f = Cast<to=1>(r) t = Add(x, f)",
        {"zero": np.int64(0), "end": np.int64(2**40), "one": np.int64(1)},
    ),
    "an outer product of constants": (
        "s = MatMul(c, d) t = Add(x, s)",
        {"c": np.ones((2**17, 1), np.float32), "d": np.ones((1, 2**17), np.float32)},
    ),
    "a sum that spreads two constants": (
        "s = Add(c, d) t = Add(x, s)",
        {"c": np.ones((2**17, 1), np.float32), "d": np.ones((1, 2**17), np.float32)},
    ),
    "a constant expanded to 2**60": (
        "s = Expand(c, n) t = Add(x, s)",
        {"c": np.ones(1, np.float32), "n": whole(2**30, 2**30)},
    ),
    "constants gathered 2**34 times": (
        "s = Gather(c, i) t = Add(x, s)",
        {"c": np.ones((2**17, 1), np.float32), "i": np.zeros(2**17, np.int64)},
    ),
}

FILES = {
    # not files, or of another kind
    "text": (b"\x08import onnx", "not a readable ONNX file"),
    "random bytes behind a version": (
        b"\x08\x08" + np.random.default_rng(1).bytes(4096),
        "not a readable|no graph",
    ),
    "a version alone": (b"\x08\x08", "no graph in it"),
    "cut in half": (PLAIN[: len(PLAIN) // 2], "not a readable ONNX file|no graph"),
    "no nodes": (edited(lambda m: m.graph.ClearField("node")), "no graph in it"),
    "60,000 nodes": (edited(many), "60,002 nodes are more than"),
    "functions that call each other 2**20 times": (function(20), "its functions make more than"),
    "a function that calls itself": (edited(recursive), "call each other more than"),
    "sparse weights": (edited(sparse), "sparse weights are never read"),
    # versions
    "no opset": (edited(lambda m: m.ClearField("opset_import")), "names no opset"),
    "opset 5": (opset(5), "opset 5 is not one of"),
    "opset 99": (opset(99), "opset 99 is not one of"),
    "opset -1": (opset(-1), "opset -1 is not one of"),
    "opset 17 twice": (
        edited(lambda m: m.opset_import.add(domain="ai.onnx", version=9)),
        "there twice",
    ),
    # weights
    "weights outside the folder": (external("../../weights"), "another file.*onnx.save"),
    "weights at an absolute path": (external("/etc/passwd"), "another file"),
    "weights that are missing": (external("nowhere"), "another file"),
    "weights said to lie elsewhere": (on_weights(data_location=1), "another file"),
    "raw_data too long": (on_weights(raw_data=bytes(36)), "does not fit its data"),
    "raw_data too short": (on_weights(raw_data=bytes(28)), "does not fit its data"),
    "no data": (on_weights(raw_data=None), "does not fit its data"),
    "dims of 2**33 × 2**33": (on_weights(dims=[2**33, 2**33]), "does not fit its data"),
    "dims below 0": (on_weights(dims=[-4, -2]), "is no shape"),
    "dims of 40 axes": (on_weights(dims=[1] * 40), "is no shape"),
    "complex weights": (on_weights(data_type=14), "data type 14 is not read"),
    "weights of 4 bits": (on_weights(data_type=22), "data type 22 is not read"),
    "data type 0": (on_weights(data_type=0), "data type 0 is not read"),
    "weights of text": (on_weights(data_type=8), "does not fit its data"),
    "whole numbers for weights": (
        on_weights(data_type=7, raw_data=bytes(64)),
        r"Gemm.*holds int64",
    ),
    "doubles for weights": (on_weights(data_type=11, raw_data=b"\xff" * 64), "NaN or infinite"),
    "weights of NaN": (edited(nan), "NaN or infinite"),
    "weights twice": (edited(twice), "there twice"),
    "weights of another shape": (on_weights(dims=[2, 4]), "Gemm.*input channels"),
    # inputs and outputs
    "no input": (edited(lambda m: m.graph.ClearField("input")), "it has 0 inputs"),
    "two inputs": (edited(second_input), "it has 2 inputs"),
    "two outputs of different layers": (edited(second_output), "not made of one tensor"),
    "no output": (edited(lambda m: m.graph.ClearField("output")), "not made of one tensor"),
    "an output that no node makes": (
        edited(lambda m: setattr(m.graph.output[0], "name", "q")),
        "made by no node",
    ),
    "an input of text": (
        edited(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 8)),
        "holds no numbers",
    ),
    "an input without axes": (on_input("N"), "no axes beside the batch"),
    "an input of open size": (on_input("N", "width"), "no fixed size along axis 1"),
    "an input of size 0": (on_input("N", 0), "no fixed size along axis 1"),
    "an input of 2**40": (on_input("N", 2**40), "too large"),
    "an input of 2**62 × 2**62": (on_input("N", 2**62, 2**62), "too large"),
    "an input of size -4": (on_input("N", -4), "no fixed size along axis 1"),
    # nodes
    "a loop": (with_graph("Loop"), r"\(Loop\): there is no layer"),
    "a scan": (with_graph("Scan"), r"\(Scan\): there is no layer"),
    "a branch": (with_graph("If"), r"\(If\): there is no layer"),
    "an operator of another domain": (
        first_node(domain="com.microsoft"),
        "of the domain 'com.microsoft'",
    ),
    "an operator with a path for a name": (first_node(op_type="../../lib.so"), "there is no layer"),
    "an operator with a name that a terminal obeys": (
        first_node(op_type="\x1b[2J\n"),
        "there is no layer",
    ),
    "a cycle": (edited(cycle), "made by no node"),
    "a node without outputs": (
        edited(lambda m: m.graph.node[0].ClearField("output")),
        "Gemm|no node",
    ),
    "a node without inputs": (
        edited(lambda m: m.graph.node[0].ClearField("input")),
        r"\(Relu\): its constants do not fit",
    ),
    "training": (
        nodes("t = Dropout(x, r, on)", r=np.float32(0.5), on=np.bool_(True)),
        "training mode",
    ),
    "windows of 2**40": (
        onnx_file("y = MaxPool<kernel_shape=[1099511627776,1]>(x)", (3, 8, 8)),
        "MaxPool",
    ),
    "padding of 2**40": (
        onnx_file(
            "p = Pad(x, n) y = Conv(p, w)",
            (3, 8, 8),
            n=whole(0, 0, 2**40, 0, 0, 0, 0, 0),
            w=(2, 3, 1, 1),
        ),
        "Pad|Conv",
    ),
    "resized to 2**40": (
        onnx_file("y = Resize(x, , s)", (3, 8, 8), s=np.array([1, 1, 2.0**37, 1], np.float32)),
        "Resize",
    ),
    "strides of 0": (
        onnx_file("y = Conv<strides=[0,1]>(x, w)", (3, 8, 8), w=(2, 3, 1, 1)),
        "strides",
    ),
    "groups of 0": (onnx_file("y = Conv<group=0>(x, w)", (3, 8, 8), w=(2, 3, 1, 1)), "groups"),
    "an attribute of another type": (
        onnx_file('y = Conv<strides="x">(x, w)', (3, 8, 8), w=(2, 3, 1, 1)),
        "strides",
    ),
    "an order with an axis twice": (nodes("t = Transpose<perm=[0,0]>(x)"), "no order of 2 axes"),
    "a shape that does not fit": (nodes("t = Reshape(x, s)", s=whole(0, 5)), "do not fill"),
    "a shape of 2**62": (nodes("t = Reshape(x, s)", s=whole(2**62, 2**62)), "do not fill"),
    "parts beyond the end": (
        nodes("t = Gather<axis=1>(x, i)", i=whole(7)),
        "not those of 4 values",
    ),
    "a step of 0": (
        nodes("t = Slice(x, a, b, c, d)", a=whole(0), b=whole(4), c=whole(1), d=whole(0)),
        "do not fit",
    ),
    "nothing left": (
        nodes("t = Slice(x, a, b, c)", a=whole(3), b=whole(1), c=whole(1)),
        "nothing is left",
    ),
    **{
        name: (nodes(text, **constants), "Constant|constant|numbers|Tile|fit")
        for name, (text, constants) in SIZES.items()
    },
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the importer says of each file, by name."""
    folder = tmp_path_factory.mktemp("foreign")
    paths = [folder / f"{i}.onnx" for i in range(len(FILES))]
    for path, (content, _) in zip(paths, FILES.values(), strict=True):
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, str(CHILD)],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    return dict(zip(FILES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", FILES)
def test_odd_and_hostile_files_are_refused(found, name):
    """By a line that says where and why, within seconds and a bounded amount of memory, and by no signal."""
    record = found[name]
    assert record["status"] == 0
    assert isinstance(record["found"], list)
    first = record["found"][0]
    line = f"node {first['node']} ({first['operator']}): {first['text']}"
    assert re.search(FILES[name][1], line)
    assert record["seconds"] < SECONDS
    assert record["memory"] < MEMORY


ENDS = {
    "parsed": (PLAIN[: len(PLAIN) // 2], "not a readable ONNX file|no graph"),
    "of other files": (external("../../weights"), "another file.*onnx.save"),
}


def test_the_process_that_reads_them_is_one_of_its_own(examine):
    """And what it says becomes one line that names the file."""
    examine("onnx", ENDS)


def test_there_are_enough_of_them():
    """Kinds that no other test of files has."""
    assert len(FILES) >= 60


def test_names_in_a_message_are_harmless(tmp_path):
    """What a terminal would obey is escaped."""
    path = tmp_path / "model.onnx"
    path.write_bytes(first_node(op_type="\x1b[2J\n"))
    with pytest.raises(UnsupportedModelError, match="there is no layer") as error:
        ns.load(path)
    assert str(error.value).isprintable()
    assert all(reason.isprintable() for reason in error.value.reasons)


def test_every_reason_is_kept(tmp_path):
    """The message names the first and says how many there are; the error has all."""
    path = tmp_path / "model.onnx"
    path.write_bytes(nodes("a = Whirl(x) b = Twirl(a) t = Relu(b)"))
    with pytest.raises(
        UnsupportedModelError, match=r"Whirl.*; 1 more: nas-surgery inspect"
    ) as error:
        ns.load(path)
    assert [reason.split(":")[0] for reason in error.value.reasons] == [
        "node 'Whirl 0' (Whirl)",
        "node 'Twirl 1' (Twirl)",
    ]
