"""Networks with convolutions, recurrence and branches as torch's own modules, and chains of such read back."""

import io

import numpy as np
import pytest
import torch
from torch import fx, nn

from nas_surgery import Network
from nas_surgery.errors import BackendError
from nas_surgery.network import BatchNorm, Conv, Dropout, Flatten, GlobalAveragePool, Pad
from nas_surgery.testing import layers
from nas_surgery.testing.builders import build
from nas_surgery.testing.oracles import assert_close
from nas_surgery.testing.zoo import ZOO, lenet, vgg, zoo_inputs
from nas_surgery_torch.native.building import wants_first
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()
READ = ("convolutions", "norms", "norms_of_samples", "pools")


def ran(model, network, x):
    """Outputs of a native model for samples that lie as in the IR."""
    inputs = torch.tensor(x.astype(network.dtype))
    with torch.no_grad():
        return model(inputs.movedim(-1, 1) if wants_first(network) else inputs).numpy()


def native_shape(network):
    """A sample's shape as the model takes it."""
    *positions, channels = network.input_shape
    return (channels, *positions) if wants_first(network) else network.input_shape


@pytest.mark.parametrize("index", range(len(layers.example_layers())))
def test_every_layer_becomes_a_module(index):
    """One that computes the same, alone before a linear layer; the model loads its own state."""
    layer, shape = layers.example_layers()[index]
    network, x = layers.around(layer, shape), layers.usual(layer, shape, 4)
    model = BACKEND.to_native(network)
    assert type(model) is nn.Sequential
    assert_close(ran(model, network, x), network.forward(x), 1e-10, layer.kind)
    other = BACKEND.to_native(network)
    other.load_state_dict(model.state_dict(), strict=True)


@pytest.mark.parametrize("name", layers.joined())
def test_every_join_becomes_a_module(name):
    """In a traced model, of sources that lie alike or not."""
    network = layers.joined()[name]
    x = layers.usual(network.layers[0], network.input_shape, 4)
    assert_close(ran(BACKEND.to_native(network), network, x), network.forward(x), 1e-10, name)


@pytest.mark.parametrize("name", ZOO)
def test_architectures_are_saved_and_loaded(name):
    """As a whole they compute the same bits; chains are nn.Sequential, the rest fx.GraphModule."""
    network = ZOO[name](width=4)
    x, model = zoo_inputs(network, 3), BACKEND.to_native(network)
    assert type(model) is nn.Sequential or (network.wires and isinstance(model, fx.GraphModule))
    outputs = ran(model, network, x)
    assert_close(outputs, network.forward(x), 1e-5, name)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert np.array_equal(ran(torch.load(file, weights_only=False), network, x), outputs)


def test_models_are_exported():
    """By torch.export, of any number of samples."""
    network = layers.joined()["gated"]
    model = BACKEND.to_native(network)
    x = layers.usual(network.layers[0], network.input_shape, 3)
    given = torch.tensor(x).movedim(-1, 1)
    program = torch.export.export(model, (given,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    outputs = program.module()(given[:2]).detach().numpy()
    assert_close(outputs, network.forward(x[:2]), 1e-5, "exported")


def test_a_convolutional_chain_is_what_a_user_would_write():
    """Samples with channels first; behind Flatten, a linear layer whose columns follow torch's order."""
    network = lenet(width=3)
    names = [type(module).__name__ for module in BACKEND.to_native(network)]
    assert names == [
        *("Conv2d", "ReLU", "AvgPool2d", "Conv2d", "ReLU", "AvgPool2d", "Flatten"),
        *("Linear", "ReLU", "Linear", "ReLU", "Linear"),
    ]


@pytest.mark.parametrize("network", [lenet(width=3), vgg(width=3)], ids=["lenet", "vgg"])
def test_convolutional_chains_come_back(network):
    """With the same layers and bits."""
    again = BACKEND.from_native(BACKEND.to_native(network), native_shape(network))
    assert again.equals(network)


@pytest.mark.parametrize("family", READ)
def test_layers_come_back(family):
    """As they were, or as others that compute the same."""
    for layer, shape in getattr(layers, family)():
        network, x = layers.around(layer, shape), layers.usual(layer, shape, 4)
        model = BACKEND.to_native(network)
        if any(isinstance(module, fx.GraphModule) for module in model):
            continue  # torch has no module for it
        again = BACKEND.from_native(model, native_shape(network))
        assert again.input_shape == network.input_shape
        assert_close(again.forward(x), network.forward(x), 1e-12, layer.kind)


def test_flattened_channels_reach_layers_in_between():
    """What stands between Flatten and the linear layer holds its values in torch's order too."""
    size = 2 * 3 * 4
    values = [np.linspace(0.5, 2, size) + i for i in range(4)]
    kernel = np.random.default_rng(0).normal(size=(1, 1, 3, 4))
    network = build((2, 3, 3), Conv(kernel), Flatten(), BatchNorm(*values), Dropout(0.2), "relu", 3)
    model, x = BACKEND.to_native(network), np.random.default_rng(1).normal(size=(4, 2, 3, 3))
    assert_close(ran(model, network, x), network.forward(x), 1e-12, "logits")
    assert BACKEND.from_native(model, (3, 2, 3)).equals(network)


def test_a_model_of_the_users_is_read():
    """Nested, with pooling to one position, functions with parameters, and padding of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Sequential(nn.ReflectionPad2d((1, 0, 2, 1)), nn.Conv2d(3, 6, 3, 2, groups=3)),
        nn.Sequential(nn.BatchNorm2d(6), nn.LeakyReLU(0.3), nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
        nn.Sequential(nn.ConvTranspose2d(6, 4, 2, 2), nn.PReLU(4), nn.Hardtanh(-1, 2)),
        nn.Sequential(nn.GroupNorm(2, 4), nn.GELU("tanh"), nn.PixelShuffle(2), nn.ZeroPad2d(1)),
        nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(1, 2)),
    )
    network = BACKEND.from_native(model, (3, 11, 12))
    assert network.input_shape == (11, 12, 3)
    assert network.layers[0] == Pad([(2, 1), (1, 0)], "reflect")
    assert GlobalAveragePool(keep=True) in network.layers
    x = np.random.default_rng(0).normal(size=(5, 11, 12, 3)).astype(np.float32)
    assert_close(ran(model.eval(), network, x), network.forward(x), 1e-5, "logits")


@pytest.mark.parametrize(
    ("modules", "shape", "message"),
    [
        ([nn.Conv1d(2, 3, 2), nn.Linear(4, 2)], (2, 5), r"model\[1\].*last axis, which holds"),
        ([nn.Linear(2, 3), nn.Conv1d(3, 3, 2)], (5, 2), r"model\[1\].*channels before positions"),
        ([nn.AdaptiveAvgPool2d(2)], (2, 5, 5), r"model\[0\].*output_size=1, got 2"),
        ([nn.Conv1d(2, 3, 2), nn.Flatten(), nn.LayerNorm(12)], (2, 5), r"model\[2\].*flattened"),
    ],
    ids=["linear", "conv", "pool", "norm"],
)
def test_what_torch_does_along_other_axes_is_refused(modules, shape, message):
    """The error says where."""
    with pytest.raises(BackendError, match=message):
        BACKEND.from_native(nn.Sequential(*modules), shape)


def test_an_image_that_is_flattened_first_keeps_the_order_of_the_ir():
    """Samples of such networks have always been taken as they are."""
    network = Network.dense((4, 3, 2), (5,), 3)
    assert not wants_first(network)
    assert BACKEND.from_native(BACKEND.to_native(network), (4, 3, 2)).equals(network)
