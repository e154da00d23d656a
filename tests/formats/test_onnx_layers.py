"""Every layer that reads one source means the same under onnxruntime, and comes back from files."""

import attrs
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nas_surgery as ns
from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.comparison import compare_onnx, onnx_function
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.safetensors import from_bytes, to_bytes
from nas_surgery.network import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Layer,
    MaxPool,
    Network,
    Pad,
)
from nas_surgery.testing.convolutional import convolutional, images
from nas_surgery.testing.layers import Values, around, example_layers, joined, usual
from nas_surgery.testing.networks import inputs, sequences

TOLERANCE = 1e-5
DRAWN = 20 * TOLERANCE
JOINED = joined()
every_layer = pytest.mark.parametrize(
    ("layer", "shape"), example_layers(), ids=lambda value: getattr(value, "kind", None)
)


def tolerance(content, dtype):
    """1e-10 where all is computed in float64."""
    nodes = onnx.load_model_from_string(content).graph.node
    narrowed = any(node.name.endswith("narrow") for node in nodes)
    return TOLERANCE if narrowed or dtype == np.float32 else 1e-10


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layer_means_the_same_under_onnxruntime(layer, shape, dtype):
    """With N samples, one, and none; the model is valid, and no further off than rounding explains."""
    network = around(layer, shape).astype(dtype)
    content, x = export_onnx(network), usual(layer, shape, 5)
    agreement = compare_onnx(content, network, x)
    assert not agreement.beyond
    assert agreement.difference <= tolerance(content, dtype)
    none = onnx_function(content)(x[:0])
    assert none.shape == (0, 2)
    assert none.dtype == dtype
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_join_means_the_same_under_onnxruntime(name, dtype):
    """Wherever its sources have their channels and positions; with N samples, one, and none."""
    network = JOINED[name].astype(dtype)
    content = export_onnx(network)
    agreement = compare_onnx(content, network, inputs(network, 5))
    assert not agreement.beyond
    assert agreement.difference <= tolerance(content, dtype)
    assert onnx_function(content)(inputs(network, 5)[:0]).shape == (0, 2)
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)


@given(sequences())
@settings(max_examples=30)
def test_networks_for_sequences_mean_the_same_under_onnxruntime(network):
    """As they are drawn; and they come back from files, bit for bit."""
    content = export_onnx(network)
    x = usual(network.layers[0], network.input_shape, 5)
    assert not compare_onnx(content, network, x).beyond
    assert from_bytes(to_bytes(network)).equals(network)
    assert onnx_function(content)(x[:0]).shape == (0, 2)


@every_layer
def test_every_layer_comes_back_from_files(tmp_path, layer, shape):
    """Bit for bit, settings included."""
    network = around(layer, shape)
    assert from_bytes(to_bytes(network)).equals(network)
    ns.save(network, tmp_path / "a.onnx")
    assert ns.load(tmp_path / "a.onnx").equals(network)


@every_layer
def test_the_same_layer_behind_channels_that_stand_first(layer, shape):
    """Where a convolution has left them so; of one position axis to three."""
    if not 2 <= len(shape) <= 4:
        return
    size, channels = (1,) * (len(shape) - 1), shape[-1]
    before = [Conv(np.eye(channels).reshape(*size, channels, channels))]
    if layer.leads:
        before = []
    tail = around(layer, shape).layers
    network = Network(shape, [*before, *tail])
    agreement = compare_onnx(export_onnx(network), network, usual(layer, shape, 5))
    assert not agreement.beyond
    assert agreement.difference <= TOLERANCE


@given(convolutional(), st.booleans())
@settings(max_examples=25)
def test_convolutional_networks_mean_the_same_under_onnxruntime(network, narrow):
    """Of every kind of layer on one to three axes, with branches; and they come back from files."""
    network = network.astype(np.float32) if narrow else network
    content, x = export_onnx(network), images(network)
    agreement = compare_onnx(content, network, x)
    assert agreement.difference <= DRAWN  # of a few positions, norms magnify what sums lose
    assert from_bytes(to_bytes(network)).equals(network)


@pytest.mark.parametrize("pool", [MaxPool((2, 2)), AveragePool((2, 2), padding=1)])
def test_zeros_in_front_of_a_pool_count(pool):
    """onnxruntime would take them for padding, which does not."""
    count = int(np.prod(pool.output_shape((5, 6, 3))))
    layers = [Pad([1, (0, 2)]), pool, ns.Flatten(), Dense(Values(0).normal(count, 2))]
    network = Network((3, 4, 3), [Conv(-np.ones((1, 1, 3, 3))), *layers])
    agreement = compare_onnx(export_onnx(network), network, np.abs(inputs(network, 4)))
    assert not agreement.beyond
    assert agreement.difference <= TOLERANCE


def transposes(network):
    graph = onnx.load_model_from_string(export_onnx(network)).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Transpose" and node.input[0] not in weights
    ]


def test_channels_are_moved_only_where_they_must_be():
    """Once in front of all that wants them first, and once behind it."""
    values = Values(0)

    def norm():
        return BatchNorm(values.normal(3), values.positive(3))

    def conv():
        return Conv(values.normal(3, 3, 3, 3), padding="same")

    block = [conv(), norm(), Activation("relu"), conv(), norm(), ns.Add(), Activation("relu6")]
    tail = [ns.Concat(), ns.Flatten(), Dense(values.normal(6 * 30, 2))]
    layers = [conv(), *block, *tail]
    network = Network((5, 6, 3), layers, {6: (5, 0), 8: (0, 7)})
    assert transposes(network) == ["0.transpose", "9.transpose"]
    agreement = compare_onnx(export_onnx(network), network, inputs(network, 5))
    assert agreement.difference <= TOLERANCE


def test_sources_of_a_join_stand_alike():
    """Whether the first of them has its channels first or last."""
    values = Values(0)
    conv, dense = Conv(values.normal(1, 1, 3, 3)), Dense(values.normal(3, 3))
    for join, width in ((ns.Add(), 18), (ns.Concat(), 54)):
        for sources in ((0, 1, -1), (-1, 0, 1), (1, -1, 0)):
            layers = [conv, dense, join, ns.Flatten(), Dense(values.normal(width, 2))]
            network = Network((2, 3, 3), layers, {1: (-1,), 2: sources})
            agreement = compare_onnx(export_onnx(network), network, inputs(network, 4))
            assert agreement.difference <= TOLERANCE


@attrs.frozen
class Unknown(Layer):
    kind = "unknown"

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return x


def test_a_layer_of_another_party_is_refused_by_name():
    """In one line."""
    with pytest.raises(ModelFileError, match="how a Unknown is written as ONNX is not known"):
        export_onnx(Network(3, [Dense(np.eye(3))]).replace({0: (Dense(np.eye(3)), Unknown())}))
