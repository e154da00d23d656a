"""The architectures that people have: each computes the same in NumPy and under onnxruntime, and is kept in files."""

import numpy as np
import pytest

from nas_surgery.formats.onnx.comparison import compare_onnx, onnx_function
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.safetensors import from_bytes, to_bytes
from nas_surgery.testing.zoo import ZOO, vit, zoo_inputs

every_network = pytest.mark.parametrize("name", ZOO)


@every_network
def test_numpy_and_onnxruntime_agree(name):
    """In float32, within 1e-5 of the output's scale; of N samples, one and none."""
    network = ZOO[name]()
    content, x = export_onnx(network), zoo_inputs(network, 6)
    agreement = compare_onnx(content, network, x)
    assert not agreement.beyond
    assert agreement.difference <= 1e-5
    assert onnx_function(content)(x[:0]).shape == (0, 10)


@every_network
def test_a_changed_weight_is_no_rounding(name):
    """However deep the network: one array that is off by a hundredth is found in the export of it."""
    network = ZOO[name]()
    first = next(iter(network.parameters()))
    other = network.with_parameters({first: 1.01 * network.parameters()[first]})
    assert compare_onnx(export_onnx(other), network, zoo_inputs(network, 6)).beyond


@every_network
def test_outputs_are_such_as_of_a_network_at_its_start(name):
    """Of a size about one, and other samples give others."""
    network = ZOO[name]()
    outputs = network.forward(zoo_inputs(network, 16))
    assert outputs.dtype == np.float32
    assert 0.1 < np.sqrt(np.square(outputs).mean()) < 10
    assert outputs.std(axis=0).mean() > 0.02


@every_network
def test_each_comes_back_from_a_file_and_from_its_seed(name):
    """Bit for bit; another seed gives other weights, and float64 the same values."""
    network = ZOO[name]()
    assert from_bytes(to_bytes(network)).equals(network)
    assert ZOO[name](seed=0).equals(network)
    assert not ZOO[name](seed=1).equals(network)
    assert ZOO[name](dtype=np.float64).astype(np.float32).equals(network)


@every_network
def test_width_and_classes_are_chosen(name):
    """And nothing else of a network has to be known for that."""
    network = ZOO[name](classes=3, width=4)
    assert network.output_shape == (3,)
    assert network.parameter_count < ZOO[name](classes=3).parameter_count


def test_images_may_have_other_sizes():
    """For those of whatever data there are."""
    names = set(ZOO) - {"lstm", "gru", "transformer"}
    for name in sorted(names):
        assert ZOO[name]((28, 28, 1)).input_shape == (28, 28, 1), name
    assert vit((8, 12, 1), patch=2, depth=1, heads=2).output_shape == (10,)
