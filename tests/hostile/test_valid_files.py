"""What refuses hostile files still takes every good one, and nothing gets lost."""

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from nas_surgery import Spec, load, save
from nas_surgery.data.sources import read_npz
from nas_surgery.errors import DataError, ModelFileError
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.onnx.importing import read_metadata
from nas_surgery.formats.regular_file import LIMIT_VARIABLE
from nas_surgery.formats.safetensors import named_arrays, to_bytes
from nas_surgery.network import (
    ACTIVATIONS,
    LAYERS,
    Activation,
    Add,
    Concat,
    Dense,
    Dropout,
    Flatten,
    Network,
    Normalize,
)
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.layers import around, example_layers, joined
from nas_surgery.testing.networks import networks

FORMATS = ["safetensors", "onnx"]
ROW = np.array([[0.5, 2.0]])
RELU = Activation("relu")
A, B, C, D = (build(n, m).layers[0] for n, m in [(3, 4), (4, 4), (4, 2), (14, 2)])
NETWORKS = {
    **{f"dense and {name}": build(3, 4, name, 2) for name in ACTIVATIONS},
    "dense without bias": build(3, Unbiased(4), 2),
    "dense on an axis": build((2, 3), 4, Flatten(), 2),
    "flatten": build((2, 3, 2), Flatten(), 2),
    "dropout": build(3, 4, Dropout(0.25), Dropout(0.0), 2),
    "normalize by scalars": build(3, Normalize(np.float64(0.5), np.float64(2)), 2),
    "normalize by channel": build((2, 2), Normalize(ROW[0], ROW[0]), Flatten(), 2),
    "normalize by row": build((2, 2), Normalize(ROW, ROW.T), Flatten(), 2),
    "one weight": Network(1, [Dense(np.full((1, 1), 3.0))]),
    "subnormal, huge and negative zero": Network(1, [Dense([[5e-324, 1.7e308, -0.0]])]),
}
NETWORKS.update(
    {
        "a sum of three": Network(3, [A, RELU, B, Add(), C], {2: (0,), 3: (0, 2, 1)}),
        "side by side": Network(3, [A, Concat(), Activation("relu6"), D], {1: (-1, 0, -1, 0)}),
    }
)
NETWORKS.update(
    {
        f"{layer.kind} {i}": around(layer, shape)
        for i, (layer, shape) in enumerate(example_layers())
        if len(shape) > 1 or layer.channels.writes
    }
)
NETWORKS.update(joined())
X, Y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2


def shapes(network):
    return {name: (array.shape, array.dtype) for name, array in named_arrays(network).items()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_every_layer_comes_back(tmp_path, name, dtype, suffix):
    """Bit by bit, with the shapes of its arrays, in both dtypes and formats."""
    network = NETWORKS[name].astype(dtype)
    if "huge" in name and dtype == "float32":
        network = Network(1, [Dense(np.array([[1e-45, 3e38, -0.0]], np.float32))])
    save(network, tmp_path / f"a.{suffix}")
    again = load(tmp_path / f"a.{suffix}")
    assert again.equals(network)
    assert shapes(again) == shapes(network)


def test_the_networks_above_hold_every_kind_of_layer():
    """A new kind of layer must be added there."""
    assert {layer.kind for network in NETWORKS.values() for layer in network.layers} == set(LAYERS)


@given(network=networks(), dtype=st.sampled_from(["float32", "float64"]))
@settings(max_examples=30)
def test_others_read_the_same_weights(tmp_path_factory, network, dtype):
    """The libraries of both formats find the arrays under their names."""
    network = network.astype(dtype)
    path = tmp_path_factory.getbasetemp() / "same.safetensors"
    path.write_bytes(to_bytes(network))
    model = onnx.ModelProto.FromString(export_onnx(network))
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for found in (load_file(path), tensors):
        for name, array in named_arrays(network).items():
            assert np.array_equal(found[name], array)
            assert found[name].shape == array.shape


def commented(model):
    model.doc_string = "a comment"
    model.producer_name, model.producer_version, model.model_version = "another", "9", 7
    model.graph.name, model.graph.doc_string = "main", "a comment"


def with_shapes(model):
    value = helper.make_tensor_value_info("0.gemm", TensorProto.FLOAT, ["N", 4])
    model.graph.value_info.append(value)


def older(model):
    model.opset_import[0].version, model.ir_version = 20, 9


CHANGES = {"comments": commented, "shapes in between": with_shapes, "an older version": older}
NETWORK = build(3, 4, "relu", 2, dtype=np.float32)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_that_mean_nothing_are_taken(tmp_path, change):
    """An ONNX file that other tools have commented on is still the same network."""
    model = onnx.ModelProto.FromString(export_onnx(NETWORK, {"seed": 3}))
    CHANGES[change](model)
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    assert load(path).equals(NETWORK)
    assert read_metadata(path) == {"seed": 3}


def test_fields_in_another_order_are_taken(tmp_path):
    """A protocol buffer has no order of its own."""
    model = onnx.ModelProto.FromString(export_onnx(NETWORK))
    graph = onnx.ModelProto(graph=model.graph).SerializeToString()
    model.ClearField("graph")
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString() + graph)
    assert path.read_bytes() != export_onnx(NETWORK)
    assert load(path).equals(NETWORK)


def test_metadata_that_could_not_be_read_are_not_written():
    """Rather refused now than lost with the file."""
    for value in (
        {1, 2},
        float("nan"),
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    ):
        with pytest.raises(ModelFileError, match="metadata 'x' cannot be kept"):
            export_onnx(NETWORK, {"x": value})
    with pytest.raises(ModelFileError, match="the name is taken"):
        export_onnx(NETWORK, {"nas_surgery": {}})


ARCHIVES = {
    "big-endian numbers": (X.astype(">f4"), Y.astype(">i8")),
    "Fortran order": (np.asfortranarray(X), Y),
    "single bytes": (X.astype(np.uint8), Y.astype(np.int8)),
    "halves": (X.astype(np.float16), Y.astype(np.float32)),
    "bools": (X > 7, Y > 0),
    "strings": (X, np.array(["ja", "nein", "größer"])[Y]),
    "big-endian strings": (X, np.array(["a", "é"], ">U2")[Y]),
    "bytes": (X, np.array([b"a", b"bc"])[Y]),
    "targets": (X, X[:, :2] / 7),
    "images": (X.reshape(5, 2, 3, 2), Y[:5]),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_every_plain_array_is_read(tmp_path, name, write):
    """As numpy reads it, in the machine's byte order."""
    x, y = ARCHIVES[name]
    write(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y, other=X)
    found = read_npz(str(tmp_path / "a.npz"))
    for array, wanted in ((found.x, x), (found.y, y), (found.x_test, x), (found.y_test, y)):
        assert np.array_equal(array, wanted)
        assert array.dtype.isnative
        assert array.dtype == wanted.dtype.newbyteorder("=")


def test_zeros_that_are_packed_well_are_read(tmp_path):
    """Below 16 MB no ratio is too good to be true."""
    np.savez_compressed(tmp_path / "a.npz", x_train=np.zeros((4000, 500)), y_train=np.zeros(4000))
    assert read_npz(str(tmp_path / "a.npz")).x.shape == (4000, 500)


def test_an_archive_with_a_comment_is_read(tmp_path):
    """At the end of a zip file there may be text."""
    path = tmp_path / "a.npz"
    np.savez(path, x_train=X, y_train=Y)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"a comment" * 100
    assert np.array_equal(read_npz(str(path)).x, X)


def test_the_limit_can_be_set(tmp_path, monkeypatch):
    """On the size of a file, and on what it unpacks to."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x_train=np.zeros((1000, 10)), y_train=np.zeros(1000))
    monkeypatch.setenv(LIMIT_VARIABLE, "90000")
    assert read_npz(str(path)).x.shape == (1000, 10)
    monkeypatch.setenv(LIMIT_VARIABLE, "80000")
    with pytest.raises(DataError, match="would unpack to 88,256 bytes, more than the limit of 80,"):
        read_npz(str(path))
    monkeypatch.setenv(LIMIT_VARIABLE, "100")
    for suffix in FORMATS:
        save(NETWORK, tmp_path / f"a.{suffix}")
        with pytest.raises(ModelFileError, match="larger than 100 bytes"):
            load(tmp_path / f"a.{suffix}")
    monkeypatch.setenv(LIMIT_VARIABLE, "4 GB")
    with pytest.raises(ModelFileError, match="must be a whole number of bytes, got '4 GB'"):
        load(tmp_path / "a.onnx")


SPECS = sorted(Path(__file__).parents[2].glob("specs/**/*.toml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_specs_that_come_with_it_are_read(path):
    """And say the same when they are written again."""
    spec = Spec.from_toml(path)
    assert Spec.from_dict(spec.to_dict()) == spec


def test_text_that_only_looks_deep_is_read(tmp_path):
    """Dots and brackets in strings, comments and lists are not depth."""
    path = tmp_path / "a.toml"
    path.write_text(
        f"# {'[' * 50} {'a.' * 50}\n[data]\nsource = 'npz:{'../' * 20}x.npz' # {'[' * 50}\n"
        f'[network]\nhidden = [{"1, " * 50}]\nfile = """{"a.[{" * 30}"""\n'
        "[search]\nexclude = [\n" + "  3, # [\n" * 20 + "]\n"
        "[training]\nlearning_rate = 1.5e-3\n"
    )
    spec = Spec.from_toml(path)
    assert spec.network.hidden == (1,) * 50
    assert spec.search.exclude == (3,) * 20
    assert json.dumps(spec.training.learning_rate) == "0.0015"
