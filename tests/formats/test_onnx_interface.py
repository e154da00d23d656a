"""What is imported from a file takes its place again: names, layout, batch, kinds, head and metadata."""

import json
import warnings

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.errors import ModelFileError
from nas_surgery.formats.models import load_model, save
from nas_surgery.formats.onnx.importer.reading import imported
from nas_surgery.formats.onnx.interface import Interface
from nas_surgery.formats.onnx.likeness import export_like
from nas_surgery.network import Dense, Network
from nas_surgery.testing.onnx_files import onnx_file, run, samples

TWO = (Dense(np.ones((4, 2), np.float32)),)
CLASSIFIER = onnx_file(
    "c = Conv(x, w) r = Relu(c) p = GlobalAveragePool(r) f = Flatten(p) z = Gemm(f, v) y = Softmax(z)",
    (3, 6, 5),
    w=(4, 3, 3, 3),
    v=(4, 3),
)


@pytest.fixture
def path(tmp_path):
    """A file of a classifier of another tool."""
    file = tmp_path / "model.onnx"
    file.write_bytes(CLASSIFIER)
    return file


def again(content):
    held = imported(content)
    return export_like(held.network, held.interface)


def ports(content):
    """Names, kinds and sizes of what a file takes and gives, without the batch."""
    graph = onnx.ModelProto.FromString(content).graph
    return [
        (
            port.name,
            port.type.tensor_type.elem_type,
            [d.dim_value for d in port.type.tensor_type.shape.dim][1:],
        )
        for port in (*graph.input, *graph.output)
    ]


def test_a_file_is_loaded_and_saved_with_its_own_face(path, tmp_path):
    """Channels are last in the network; in the files they are where they were, and the Softmax is back."""
    held = load_model(path)
    assert held.network.input_shape == (6, 5, 3)
    assert held.network.output_shape == (3,)
    assert held.interface.head_operators == ("Softmax",)
    out = tmp_path / "out.onnx"
    save(held.network, out, interface=held.interface)
    x = samples(CLASSIFIER, 5)
    np.testing.assert_allclose(run(out.read_bytes(), x)[0], run(CLASSIFIER, x)[0], atol=1e-6)
    assert ports(out.read_bytes()) == ports(CLASSIFIER)
    assert ns.load(path).equals(ns.load(out))


def test_what_surgery_made_of_it_has_the_same_face(path, tmp_path):
    """By the command, on a dense layer of the file."""
    file, out = tmp_path / "mlp.onnx", tmp_path / "smaller.onnx"
    file.write_bytes(
        onnx_file("a = Gemm(x, v) b = Relu(a) y = Gemm(b, w)", (4,), v=(4, 8), w=(8, 2))
    )
    arguments = ["operate", str(file), "--op", "remove_neurons:layer=0,keep=5", "-o", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert ports(out.read_bytes()) == ports(file.read_bytes())
    assert ns.load(out).hidden == (5,)


def test_inspect_says_what_was_imported(tmp_path):
    """The input, where its channels are, and what was taken off."""
    path = tmp_path / "model.onnx"
    path.write_bytes(
        onnx_file(
            "a = Gemm(x, v) b = Relu(a) c = Gemm(b, w) y = Softmax(c)", (4,), v=(4, 8), w=(8, 2)
        )
    )
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 0, result.output
    assert "input 'x' (N, 4), channels on axis 1; Softmax taken off" in result.output


def test_inspect_lists_all_reasons(tmp_path):
    """Of a file that cannot be held, as text or as JSON, with the exit code of wrong input."""
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_file("a = Whirl(x) b = Twirl(a) y = Gemm(b, w)", (4,), w=(4, 2)))
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 2
    assert "(Whirl): there is no layer" in result.output
    assert "(Twirl): there is no layer" in result.output
    result = CliRunner().invoke(main, ["inspect", str(path), "--json"])
    assert len(json.loads(result.output)["unsupported"]) == 2


FACES = {
    "channels last": (
        "a = Transpose<perm=[0,3,1,2]>(x) y = Conv(a, w)",
        (6, 5, 3),
        {"w": (2, 3, 1, 1)},
    ),
    "a channel that is not there": (
        "a = Unsqueeze(x, one) c = Conv(a, w) y = Flatten(c)",
        (6,),
        {"w": (2, 1, 3), "one": np.array([1])},
    ),
    "outputs with channels first": ("y = Conv(x, w)", (3, 6, 5), {"w": (2, 3, 1, 1)}),
    "outputs put together": ("c = Conv(x, w) y = Flatten(c)", (3, 6, 5), {"w": (2, 3, 1, 1)}),
    "a Sigmoid for each pixel": ("c = Conv(x, w) y = Sigmoid(c)", (3, 6, 5), {"w": (1, 3, 1, 1)}),
    "names that exports use": (
        "layers.0.kernel = Gemm(x, w) y = Softmax(layers.0.kernel)".replace(
            "layers.0.kernel", "zero"
        ),
        (4,),
        {"w": (4, 2)},
    ),
}


@pytest.mark.parametrize("name", FACES)
def test_faces_come_back(name):
    """Wherever channels and positions are in a file, they are there again."""
    nodes, shape, constants = FACES[name]
    content = onnx_file(nodes, shape, **constants)
    x = samples(content)
    np.testing.assert_allclose(run(again(content), x)[0], run(content, x)[0], atol=1e-6)
    assert [port[:2] for port in ports(again(content))] == [port[:2] for port in ports(content)]


def test_names_of_the_file_are_never_those_of_ours():
    """An input that is called as a node of an export is."""
    model = onnx.ModelProto.FromString(onnx_file("y = Gemm(x, w)", (4,), w=(4, 2)))
    model.graph.input[0].name = model.graph.node[0].input[0] = "0.matmul"
    model.graph.output[0].name = model.graph.node[0].output[0] = "layers.0.kernel"
    content = model.SerializeToString()
    x = samples(content)
    np.testing.assert_allclose(run(again(content), x)[0], run(content, x)[0], atol=1e-6)


def test_metadata_come_back():
    """What a file says of itself."""
    model = onnx.ModelProto.FromString(CLASSIFIER)
    helper.set_model_props(model, {"author": "somebody"})
    content = again(model.SerializeToString())
    assert {p.key: p.value for p in onnx.ModelProto.FromString(content).metadata_props} == {
        "author": "somebody"
    }


def test_an_interface_is_plain_values():
    """It survives JSON, and no other network passes for its own."""
    held = imported(CLASSIFIER)
    assert Interface.from_json(json.dumps(held.interface.to_json())) == held.interface
    with pytest.raises(ModelFileError, match="damaged"):
        Interface.from_json("{}")
    with pytest.raises(ModelFileError, match="takes inputs"):
        export_like(Network.dense(4, outputs=3), held.interface)
    with pytest.raises(ModelFileError, match="gives 3 outputs, the network 2"):
        export_like(held.network.replace({len(held.network.layers) - 1: TWO}), held.interface)


LABELS = np.array(["ant", "bee", "cat"])
MODELS = {
    "a regression": (MLPRegressor(hidden_layer_sizes=(5, 3)), lambda x: x @ [1.0, 2, 3, 4]),
    "three classes": (MLPClassifier(hidden_layer_sizes=(5,)), lambda x: np.arange(len(x)) % 3),
    "two classes": (
        MLPClassifier(hidden_layer_sizes=(5,), activation="tanh"),
        lambda x: np.arange(len(x)) % 2,
    ),
    "classes with names": (
        MLPClassifier(hidden_layer_sizes=(5,)),
        lambda x: LABELS[np.arange(len(x)) % 3],
    ),
    "a scaler before": (
        make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(5,))),
        lambda x: np.arange(len(x)) % 3,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_scikit_learn(name):
    """As skl2onnx writes them: logits in the network, and labels, probabilities and maps again in its export."""
    to_onnx = pytest.importorskip("skl2onnx").to_onnx
    model, target = MODELS[name]
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(**{k: 20 for k in model.get_params() if k.endswith("max_iter")})
        model.fit(x, target(x))
        content = to_onnx(model, x[:1]).SerializeToString()
    for wanted, found in zip(run(content, x), run(again(content), x), strict=True):
        if isinstance(wanted, np.ndarray) and wanted.dtype.kind == "f":
            np.testing.assert_allclose(found, wanted, atol=1e-5)
        elif isinstance(wanted, np.ndarray):
            assert found.tolist() == wanted.tolist()
        else:
            assert [list(each) for each in found] == [list(each) for each in wanted]
