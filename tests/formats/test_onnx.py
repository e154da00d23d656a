import json

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

import nas_surgery as ns
from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.comparison import check_onnx, compare_onnx, onnx_function
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.onnx.graph import INPUT, OUTPUT
from nas_surgery.formats.onnx.importing import read_metadata
from nas_surgery.network import ACTIVATIONS, Activation, Dense, Dropout, Flatten, Network, Normalize
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import forked, inputs, networks
from nas_surgery.testing.oracles import scaled_error

DTYPES = (np.float32, np.float64)
TOLERANCE = 1e-5
FLOAT32_ONLY = {"leaky_relu", "elu", "selu", "gelu", "softplus"}  # in onnxruntime
NETWORK = build(3, 4, "relu6", 2, dtype=np.float32)


def session(content):
    """onnxruntime, without anything of ours between."""
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_activation_means_the_same_under_onnxruntime(function, dtype):
    """On both sides of zero and far out, with 0, 1 and N samples; the batch axis is free."""
    network = build(3, 6, function, Unbiased(5), function, 2, dtype=dtype)
    run = session(export_onnx(network))
    x = 3 * inputs(network)
    for count in (0, 1, len(x)):
        batch = x[:count].astype(dtype)
        (found,) = run.run([OUTPUT], {INPUT: batch})
        wanted = network.forward(batch)
        assert found.dtype == dtype
        assert found.shape == wanted.shape == (count, 2)
        narrowed = dtype == np.float32 or function in FLOAT32_ONLY
        assert scaled_error(found, wanted) <= (TOLERANCE if narrowed else 1e-10)


@given(networks() | forked(), st.sampled_from(DTYPES))
@settings(max_examples=60)
def test_every_network_means_the_same_under_onnxruntime(network, dtype):
    """Spatial inputs, Flatten anywhere, Normalize, Dropout, layers without bias or activation, branches."""
    network = network.astype(dtype)
    content = export_onnx(network)
    x = inputs(network, count=9)
    found = onnx_function(content)(x)
    assert scaled_error(found, network.forward(x)) <= TOLERANCE
    assert check_onnx(content, network, x) <= TOLERANCE
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    assert export_onnx(network) == content


@given(network=networks() | forked(), narrow=st.booleans())
@settings(max_examples=40)
def test_what_is_exported_can_be_loaded(tmp_path_factory, network, narrow):
    """Bit for bit, layers that ONNX does not need (Dropout) included."""
    network = network.astype(np.float32) if narrow else network
    path = tmp_path_factory.getbasetemp() / "round_trip.onnx"
    ns.save(network, path)
    assert ns.load(path).equals(network)


@pytest.mark.parametrize(
    "layers",
    [
        [Dense(np.ones((3, 2)))],
        [Dense(np.ones((3, 2))), Activation("tanh")],
        [Dense(np.ones((3, 2))), Dropout(0.5)],
        [Normalize(1.0, 2.0), Dense(np.ones((3, 2))), Activation("linear")],
        [Flatten(), Dense(np.ones((3, 2)), np.ones(2)), Flatten()],
        [Dropout(0.5), Dense(np.ones((3, 2)), np.ones(2)), Activation("linear")],
        [
            Dropout(0.5),
            Dropout(0.5),
            Activation("linear"),
            Activation("linear"),
            Dense(np.eye(3)),
            Activation("linear"),
        ],
    ],
)
def test_the_last_layer_may_be_any(layers):
    """The output has its name whatever writes it, and no two nodes have one name."""
    network = Network((3,), layers)
    names = [node.name for node in onnx.load_model_from_string(export_onnx(network)).graph.node]
    assert len(set(names)) == len(names)
    x = np.arange(6.0).reshape(2, 3)
    assert np.allclose(onnx_function(export_onnx(network))(x), network.forward(x))


@pytest.mark.parametrize("between", [[], ["linear"], [Dropout(0.5)], ["linear", "linear"]])
def test_relu6_behind_relu_runs_in_float64(between):
    """onnxruntime fuses the two and would fail; what it is given means the same, and comes back."""
    network = build(3, 4, "relu", *between, "relu6", 2)
    content, x = export_onnx(network), 9 * inputs(network)
    assert check_onnx(content, network, x) < 1e-10


def test_names_shapes_and_versions_are_pinned():
    """A named input and output with a symbolic batch axis, and versions that onnxruntime runs."""
    network = build((4, 5), Flatten(), 3, dtype=np.float32)
    model = onnx.load_model_from_string(export_onnx(network))
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    held = {}
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        held[value.name] = [axis.dim_param or axis.dim_value for axis in axes]
    assert held == {"input": ["N", 4, 5], "logits": ["N", 3]}


METADATA = {
    "score": {"name": "paper", "accuracy": 0.5, "loss": None},
    "parents": [0, 4, 7],
    "operations": [{"name": "add_neurons", "layer": 0, "count": 2}],
    "seed": 3,
    "class_names": ["Eiche", "Ulme, größer", 'mit "Zeichen"'],
    "scaling": "unit",
}


def test_metadata_come_back(tmp_path):
    """By our own reader and by onnxruntime's, beside the structure."""
    content = export_onnx(NETWORK, METADATA)
    assert read_metadata(content) == METADATA
    held = session(content).get_modelmeta().custom_metadata_map
    assert {key: json.loads(held[key]) for key in METADATA} == METADATA
    assert set(held) == {*METADATA, "nas_surgery"}
    ns.save(NETWORK, tmp_path / "n.onnx", METADATA)
    assert read_metadata((tmp_path / "n.onnx").read_bytes()) == METADATA
    assert ns.load(tmp_path / "n.onnx").equals(NETWORK)


def test_a_wrong_export_is_noticed():
    """The check compares numbers, of single samples too; it knows how far rounding goes."""
    other = build(3, 4, "relu6", 2, dtype=np.float32, seed=1)
    x = inputs(NETWORK)
    assert check_onnx(export_onnx(NETWORK), NETWORK, x) < 1e-6
    with pytest.raises(ModelFileError, match="the exported model differs from the network by"):
        check_onnx(export_onnx(other), NETWORK, x)
    broken = NETWORK.replace({2: (Dense(NETWORK.layers[2].kernel * np.nan),)})
    with pytest.raises(ModelFileError, match="differs from the network by nan"):
        check_onnx(export_onnx(broken), NETWORK, x)


def offset_network(deviations):
    """One that separates inputs that lie so many standard deviations from zero, and such inputs."""
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(800, 6)).astype(np.float32)
    bias = (-deviations * kernel.sum(axis=0)).astype(np.float32)
    network = Network((800,), [Dense(kernel, bias), Activation("relu"), Dense(kernel[:6, :3])])
    return network, (deviations + generator.normal(size=(64, 800))).astype(np.float32)


def test_inputs_far_from_zero_are_allowed_what_their_sums_lose():
    """Large terms cancel: two float32 results differ by more than small ones would, and neither is wrong."""
    network, x = offset_network(300)
    agreement = compare_onnx(export_onnx(network), network, x)
    assert not agreement.beyond
    assert agreement.difference > TOLERANCE
    assert agreement.rounding < 1


def test_a_model_that_onnxruntime_refuses_is_an_error_of_ours():
    """In one line."""
    with pytest.raises(
        ModelFileError, match="onnxruntime does not run the exported model"
    ) as caught:
        check_onnx(b"no model", NETWORK, inputs(NETWORK))
    assert "\n" not in str(caught.value)


def changed(change):
    """An export with something changed in it afterwards."""
    model = onnx.load_model_from_string(export_onnx(NETWORK))
    change(model)
    return model.SerializeToString()


def swap_operator(model):
    model.graph.node[1].op_type = "Relu"
    del model.graph.node[1].input[1:]


def add_node(model):
    model.graph.node.add(op_type="Relu", input=["logits"], output=["more"])


def scale_weights(model):
    kernel = next(t for t in model.graph.initializer if t.name == "layers.0.kernel")
    kernel.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(kernel), kernel.name))


def six_is_seven(model):
    six = next(t for t in model.graph.initializer if t.name == "six")
    six.CopyFrom(numpy_helper.from_array(np.float32(7), six.name))


@pytest.mark.parametrize("change", [swap_operator, add_node, six_is_seven, scale_weights])
def test_models_that_we_did_not_export_so_are_refused(tmp_path, change):
    """A network in the metadata that is not the graph's would be another model under this name."""
    path = tmp_path / "model.onnx"
    path.write_bytes(changed(change))
    with pytest.raises(ModelFileError) as refusal:
        ns.load(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_comment_changes_nothing(tmp_path):
    """Tools add such things; the model is the same."""

    def comment(model):
        model.doc_string = "looked at"
        model.producer_version = "9"

    path = tmp_path / "model.onnx"
    path.write_bytes(changed(comment))
    assert ns.load(path).equals(NETWORK)


@pytest.mark.parametrize("content", [b"", b"\x08", b"not a model", b"\x00" * 99])
def test_what_is_no_model_is_refused(tmp_path, content):
    """In one line with its name."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.onnx: "):
        ns.load(path)


def test_files_are_told_apart_by_their_suffix(tmp_path):
    """Both ways, and a missing one is named."""
    with pytest.raises(ModelFileError, match=r"the suffix must be one of \.safetensors, \.onnx"):
        ns.save(NETWORK, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "model").touch()
    with pytest.raises(ModelFileError, match="the suffix must be"):
        ns.load(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"nowhere\.onnx: No such file"):
        ns.load(tmp_path / "nowhere.onnx")
