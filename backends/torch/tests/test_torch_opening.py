"""Any module as a network, by its export, and a module with its names again."""

import numpy as np
import pytest
import torch
from torch import nn

import nas_surgery as ns
from nas_surgery.errors import ArgumentError, BackendError
from nas_surgery.plugins.natives import opened_native

BACKEND = ns.backend("torch")


class Residual(nn.Module):
    """A stem, a block with a way around it, and a head."""

    def __init__(self, head=None):
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1)
        self.inner = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.last = nn.Linear(8, 4)
        self.head = head

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(self.inner(x) + x)
        x = self.last(x.mean((2, 3)))
        return x if self.head is None else self.head(x)


class Tokens(nn.Module):
    """Whole numbers in, attention between."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 16)
        self.mix = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=True)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.mix(self.table(x)).mean(1))


class Branching(nn.Module):
    """What its export cannot know: it does something else for other samples."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, x):
        y = self.last(x)
        return y * torch.randn(1) if len(x) else y


def samples(*shape):
    torch.manual_seed(1)
    return torch.randn(*shape)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def settled(model, x):
    """The model in inference, with statistics that are not those of a fresh BatchNorm."""
    model.train()(x)
    return model.eval()


def test_a_module_comes_back_with_its_names():
    """Untouched, it has the same parameters and buffers by the same names, and computes the same."""
    x = samples(6, 2, 7, 7)
    model = settled(Residual(), x)
    held = opened_native(model, x)
    again = held.close(held.network)
    wanted, found = model.state_dict(), again.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted if "num_b" not in name)
    assert torch.allclose(again(x), model(x), atol=1e-5)
    made = held.network.forward(held.arrange(x.numpy()))
    assert np.allclose(made, model(x).detach(), atol=1e-5)


def test_a_smaller_module_fits_where_the_original_did():
    """The same input, the same outputs, half of the work, names as before, and it trains on."""
    x = samples(80, 2, 7, 7)
    model = settled(Residual(), x)
    small = ns.shrink(model, x, macs=0.5)
    assert small(x[:3]).shape == (3, 4)
    assert not small.training
    assert {"stem.weight", "inner.0.weight", "inner.1.running_mean", "last.bias"} <= set(
        small.state_dict()
    )
    assert (
        BACKEND.from_native(small, (2, 7, 7)).macs
        <= 0.5 * BACKEND.from_native(model, (2, 7, 7)).macs
    )
    small.train()(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in small.parameters())


@pytest.mark.parametrize("head", [nn.Softmax(1), nn.Sigmoid(), nn.LogSoftmax(1)], ids=repr)
def test_what_ends_a_module_is_taken_off_and_put_back(head):
    """Networks are fitted by logits; the module that comes back gives what the first gave."""
    x = samples(6, 2, 7, 7)
    model = settled(Residual(head), x)
    held = opened_native(model, x)
    assert torch.allclose(held.close(held.network)(x), model(x), atol=1e-5)


def test_from_native_keeps_the_head():
    """As a network it computes what the module does, and one that no network holds is named."""
    x = samples(6, 2, 7, 7)
    model = settled(Residual(nn.Softmax(1)), x)
    network = BACKEND.from_native(model, (2, 7, 7))
    made = network.forward(np.moveaxis(x.numpy(), 1, -1))
    assert np.allclose(made, model(x).detach(), atol=1e-5)
    with pytest.raises(BackendError, match="holds no LogSoftmax"):
        BACKEND.from_native(settled(Residual(nn.LogSoftmax(1)), x), (2, 7, 7))


def test_modules_that_take_tokens():
    """Samples of whole numbers are tried where other numbers fail."""
    x = torch.randint(0, 11, (70, 5))
    model = Tokens().eval()
    small = ns.shrink(model, x, parameters=0.8)
    assert small(x[:4]).shape == (4, 3)


def test_what_an_export_misses_is_found():
    """A module that does not compute the same again is refused."""
    with pytest.raises(BackendError, match="model: "):
        BACKEND.from_native(Branching().eval(), 3)


@pytest.mark.parametrize("shape", [(3, 7, 7), (2,)], ids=str)
def test_a_shape_that_does_not_fit_is_named(shape):
    """With what the module says of it, in one line."""
    with pytest.raises(BackendError, match=r"cannot be exported for samples of shape") as caught:
        BACKEND.from_native(Residual(), shape)
    assert "\n" not in str(caught.value)


def test_modes_and_gradients_are_left_as_they_were():
    """Reading a model that trains changes nothing of it, and what comes back trains too."""
    x = samples(80, 2, 7, 7)
    model = settled(Residual(), x).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small = ns.shrink(model, x, macs=0.6)
    assert model.training
    assert small.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_functions_that_take_a_network_take_a_module(tmp_path):
    """`save` writes it, and a run starts from it, with samples as the module takes them."""
    x = samples(60, 6)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    ns.save(model, tmp_path / "model.onnx")
    made = ns.load(tmp_path / "model.onnx").forward(x.numpy())
    assert np.allclose(made, model(x).detach(), atol=1e-5)
    spec = {"search": {"max_epochs": 1}, "data": {"scaling": "none"}}
    result = ns.run(spec, network=model, data=(x.numpy(), np.arange(60) % 2))
    assert result.network.input_shape == (6,)
    ns.save(settled(Residual(), samples(4, 2, 7, 7)), tmp_path / "r.onnx", input_shape=(2, 7, 7))
    assert ns.load(tmp_path / "r.onnx").input_shape == (7, 7, 2)
    with pytest.raises(ArgumentError, match="input_shape"):
        ns.save(Residual(), tmp_path / "r.onnx")
