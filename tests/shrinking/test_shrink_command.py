"""`nas-surgery shrink`: files in, files out, and one line for what is wrong."""

import json

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.formats.models import load_model


def foreign_model(rng):
    """A convolutional classifier as another exporter writes it: NCHW, names, a Softmax, any batch."""

    def array(name, *shape):
        return numpy_helper.from_array(rng.normal(0, 0.4, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    sizes = {"w1": (8, 2, 3, 3), "b1": (8,), "w2": (12, 8, 3, 3), "b2": (12,)}
    sizes |= {"w3": (4, 12), "b3": (4,)}
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 2, 9, 9])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])],
        [array(name, *shape) for name, shape in sizes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"author": "somebody"})
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The model, and samples with labels, as files."""
    folder = tmp_path_factory.mktemp("shrink")
    rng = np.random.default_rng(0)
    onnx.save(foreign_model(rng), folder / "model.onnx")
    x = rng.normal(size=(80, 2, 9, 9)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=rng.integers(0, 4, 80))
    return folder


def run(*arguments):
    return CliRunner().invoke(main, ["shrink", *map(str, arguments)])


def test_smaller_file_takes_the_place_of_the_original(files, tmp_path):
    """Names, layout, kinds, any batch, head and metadata are those of the original; MACs are half."""
    import onnxruntime

    out = tmp_path / "small.onnx"
    found = run(files / "model.onnx", "--data", files / "data.npz", "--macs", "50%", "-o", out)
    assert found.exit_code == 0, found.output
    before, after = onnx.load(files / "model.onnx"), onnx.load(out)
    for side in ("input", "output"):
        (one,), (other,) = getattr(before.graph, side), getattr(after.graph, side)
        assert one.name == other.name
        shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in (one, other)]
        assert shapes[0] == shapes[1]
    assert {p.key: p.value for p in after.metadata_props}["author"] == "somebody"
    sessions = [
        onnxruntime.InferenceSession(files / "model.onnx"),
        onnxruntime.InferenceSession(out),
    ]
    x = np.load(files / "data.npz")["x"]
    for count in (1, 7):
        theirs, ours = (s.run(["scores"], {"image": x[:count]})[0] for s in sessions)
        assert np.allclose(ours.sum(axis=1), 1, atol=1e-5)
        assert np.abs(ours - theirs).max() < 0.2
    macs = [load_model(file).network.macs for file in (files / "model.onnx", out)]
    assert macs[1] <= macs[0] / 2


def test_tells_what_became_of_it(files, tmp_path):
    """Costs, latency, accuracy, agreement and how many samples were held back, as text and as JSON."""
    arguments = (files / "model.onnx", "--data", files / "data.npz", "--parameters", "0.5")
    text = run(*arguments, "-o", tmp_path / "a.onnx").output
    for word in ("parameters", "MACs", "latency", "accuracy", "agreement", "16 of the samples"):
        assert word in text
    value = json.loads(run(*arguments, "-o", tmp_path / "b.onnx", "--json").output)
    assert value["parameters"]["after"] <= value["parameters"]["before"] / 2
    assert value["held_back"] == 16
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_front_is_a_folder_with_a_table(files, tmp_path):
    """As many files as asked for, each in a line of the table."""
    out = tmp_path / "front"
    found = run(
        *(files / "model.onnx", "--data", files / "data.npz"),
        *("--macs", "30%", "--front", 3, "-o", out),
    )
    assert found.exit_code == 0, found.output
    assert sorted(file.name for file in out.iterdir()) == [f"model-{i}.onnx" for i in (1, 2, 3)]
    assert all(name in found.output for name in ("original", "model-1.onnx", "model-3.onnx"))


def test_without_data_it_says_what_that_costs(files, tmp_path):
    """By weights alone a file comes out too, and nobody is told that it is as good."""
    found = run(files / "model.onnx", "--macs", "50%", "-o", tmp_path / "small.onnx")
    assert found.exit_code == 0, found.output
    assert "nothing made up for what went" in found.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one budget is needed"),
        (["--macs", "0.1%"], "cannot be reached: the smallest"),
        (["--macs", "50%", "--only", "1"], "only: layer 1 has no channels"),
        (["--macs", "50%", "--retrain", "1", "--backend", "none"], "none"),
        (["--max-drop", "1"], "max_drop: needs data"),
        (["--latency-ms", "-1"], "positive number"),
    ],
)
def test_mistakes_are_one_line(files, tmp_path, arguments, words):
    """Exit code 2, one line, no file."""
    out = tmp_path / "small.onnx"
    data = [] if "--max-drop" in arguments else ["--data", files / "data.npz"]
    found = run(files / "model.onnx", *data, *arguments, "-o", out)
    assert found.exit_code == 2
    assert words in found.output
    assert not out.exists()


def test_samples_of_another_shape_are_refused(files, tmp_path):
    """The shape that the file takes is named."""
    np.save(tmp_path / "x.npy", np.zeros((10, 3, 9, 9), np.float32))
    found = run(
        *(files / "model.onnx", "--data", tmp_path / "x.npy"),
        *("--macs", "50%", "-o", tmp_path / "small.onnx"),
    )
    assert found.exit_code == 2
    assert "samples of shape (2, 9, 9) are needed, got (3, 9, 9)" in found.output


def test_nothing_is_overwritten(files, tmp_path):
    """Without --force a file that is there stays."""
    (tmp_path / "small.onnx").write_text("mine")
    found = run(files / "model.onnx", "--macs", "50%", "-o", tmp_path / "small.onnx")
    assert found.exit_code == 2
    assert (tmp_path / "small.onnx").read_text() == "mine"


def test_files_of_our_own_work_too(files, tmp_path):
    """A safetensors file gives a safetensors file."""
    network = ns.Network.dense((20,), hidden=(24,), outputs=5, seed=1)
    ns.save(network, tmp_path / "net.safetensors")
    out = tmp_path / "small.safetensors"
    found = run(tmp_path / "net.safetensors", "--macs", "50%", "-o", out, "--quiet")
    assert found.exit_code == 0, found.output
    assert found.output == ""
    assert ns.load(out).macs <= network.macs / 2


def test_surgery_by_hand_on_a_foreign_file(files, tmp_path):
    """The edited file has the face of the original, and what became of outputs, accuracy and latency is told."""
    import onnxruntime

    out = tmp_path / "edited.onnx"
    arguments = ["operate", files / "model.onnx", "--op", "remove_neurons:layer=0,keep=6"]
    arguments += ["--data", files / "data.npz", "-o", out]
    text = CliRunner().invoke(main, list(map(str, arguments))).output
    for word in ("drift", "agreement", "accuracy", "latency", "80 samples"):
        assert word in text
    found = CliRunner().invoke(main, [*map(str, arguments), "--force", "--json"])
    value = json.loads(found.output)["effect"]
    x = np.load(files / "data.npz")["x"]
    theirs, ours = (
        onnxruntime.InferenceSession(file).run(["scores"], {"image": x})[0].argmax(1)
        for file in (files / "model.onnx", out)
    )
    assert value["agreement"] == pytest.approx(np.mean(theirs == ours))
    assert value["drift"] > 0
