"""Training of networks that are no dense chains, beside plain loops over modules written by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nas_surgery import Network
from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, BatchNorm, Conv, Dropout, Embedding, Flatten
from nas_surgery.testing.backend.base import state_bits
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.layers import Values
from nas_surgery.testing.oracles import assert_close
from nas_surgery.testing.zoo import lenet, resnet8, vgg, zoo_inputs
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe, batches
from nas_surgery.training.state import Samples, TrainState
from nas_surgery_torch import train
from nas_surgery_torch.devices import repeatable
from nas_surgery_torch.graph import is_dense_chain
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()


class LeNet(nn.Sequential):
    """LeNet-5 on images of 28 × 28, as a user writes it but for the order of what is flattened."""

    def __init__(self, width):
        super().__init__(
            *(nn.Conv2d(1, width, 5, padding=2, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
            nn.Conv2d(width, width * 8 // 3, 5, padding=2, bias=False),
            *(nn.ReLU(), nn.AvgPool2d(2)),
        )
        sizes = (49 * (width * 8 // 3), 20 * width, 14 * width)
        self.head = nn.Sequential(
            *(nn.Linear(sizes[0], sizes[1]), nn.ReLU(), nn.Linear(sizes[1], sizes[2]), nn.ReLU()),
            nn.Linear(sizes[2], 10),
        )

    def forward(self, x):
        for module in list(self)[:-1]:
            x = module(x)
        return self.head(x.movedim(1, -1).flatten(1))


class Block(nn.Module):
    """Two convolutions beside a shortcut, which has one of its own where the block halves positions."""

    def __init__(self, fan_in, units, strides):
        super().__init__()
        self.strides = strides
        self.first = nn.Conv2d(fan_in, units, 3, strides, padding=int(strides == 1), bias=False)
        self.first_norm = nn.BatchNorm2d(units)
        self.second, self.second_norm = (
            nn.Conv2d(units, units, 3, padding=1, bias=False),
            nn.BatchNorm2d(units),
        )
        if strides > 1:
            self.short = nn.Conv2d(fan_in, units, 1, strides, bias=False)
            self.short_norm = nn.BatchNorm2d(units)

    def forward(self, x):
        padded = functional.pad(x, (0, 1, 0, 1)) if self.strides > 1 else x
        y = functional.relu(self.first_norm(self.first(padded)))
        y = self.second_norm(self.second(y))
        return functional.relu(y + (self.short_norm(self.short(x)) if self.strides > 1 else x))


class ResNet8(nn.Module):
    """The residual network of three blocks."""

    def __init__(self, width):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)
        )
        self.head = nn.Linear(4 * width, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def as_torch_has_it(name, array):
    """One of the IR's arrays in a module's shape."""
    return torch.tensor(np.moveaxis(array, (-1, -2), (0, 1)) if array.ndim > 1 else array)


def load(module, network):
    """Give a module the weights of a network, which has them in the same order."""
    held = network.parameters()
    module.double()
    for parameter, (name, array) in zip(module.parameters(), held.items(), strict=True):
        with torch.no_grad():
            parameter.copy_(as_torch_has_it(name, array))
    measured = zip(statistics_of(module), network.statistics().values(), strict=True)
    for tensor, array in measured:
        tensor.copy_(torch.tensor(array))
    return module


def statistics_of(module):
    """Means and variances, in the order of the modules."""
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    return [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]


def plain_loop(module, samples, plan, optimizer, clip_norm):
    """What a user writes; the loss of each step."""
    x, y, losses = torch.tensor(samples.x).movedim(-1, 1), torch.tensor(samples.y), []
    for rows in batches(plan):
        optimizer.zero_grad()
        loss = functional.cross_entropy(module(x[rows]), y[rows])
        loss.backward()
        gradients = [parameter.grad for parameter in module.parameters()]
        norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
        for gradient in gradients:
            gradient.mul_(min(1, clip_norm / norm))
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["lenet", "resnet8"])
def test_twenty_steps_equal_those_of_a_plain_loop(name, kind):
    """In float64: losses, weights and statistics, with momentum, decay and clipping, short batches too."""
    network = {"lenet": lenet, "resnet8": resnet8}[name](width=3, dtype=np.float64)
    module = load({"lenet": LeNet, "resnet8": ResNet8}[name](3), network)
    samples = Samples(zoo_inputs(network, 22), np.arange(22) % 10)
    ours, theirs = {
        "sgd": (
            SGD(0.05, 0.9, nesterov=True, weight_decay=0.01),
            torch.optim.SGD(module.parameters(), 0.05, 0.9, 0, 0.01, nesterov=True),
        ),
        "adam": (Adam(0.003), torch.optim.Adam(module.parameters(), 0.003)),
    }[kind]
    plan = Recipe(ours, batch_size=5, clip_norm=2.0).plan(22, 0, 20)
    after, losses = BACKEND.train(TrainState(network), BACKEND.place(samples), plan)
    with repeatable(torch.device("cpu"), 0):
        wanted = plain_loop(module, samples, plan, theirs, 2.0)
    assert_close(losses, wanted, 1e-9, "losses")
    pairs = zip(after.network.parameters().items(), module.parameters(), strict=True)
    for (key, array), parameter in pairs:
        assert_close(as_torch_has_it(key, array), parameter.detach(), 1e-9, key)
    found = after.network.statistics().values()
    for values, measured in zip(found, statistics_of(module), strict=True):
        assert_close(values, measured, 1e-9, "statistics")


def test_dense_chains_alone_are_unrolled_by_hand():
    """What forks, convolves or has a function of its own goes through autograd."""
    assert is_dense_chain(build((2, 3), Flatten(), 4, "gelu", Dropout(0.5), 2))
    assert not is_dense_chain(build(4, 4, "mish", 2))
    assert not is_dense_chain(build(4, 4, Activation("leaky_relu", alpha=0.3), 2))
    assert not is_dense_chain(vgg())


def test_dropout_between_convolutions_has_the_masks_of_its_samples():
    """However tensors lie: a mask of the image equals one of the same image, flattened."""
    kernel = np.eye(3).reshape(1, 1, 3, 3)
    head = build(12, 2).layers
    networks = [
        Network((2, 2, 3), [Conv(kernel), Dropout(0.4), Flatten(), *head]),
        Network((2, 2, 3), [Flatten(), Activation(), Dropout(0.4), *head]),
    ]
    plan = Recipe(SGD(0.1), batch_size=3).plan(6, 0, 1)
    samples = labelled(networks[0], 6)
    ends = [BACKEND.train(TrainState(each), samples, plan) for each in networks]
    first, second = (list(after.network.parameters().values()) for after, _ in ends)
    # the layer stands at another address in the second, so masks differ; in address 1 they agree
    moved = Network((2, 2, 3), [Flatten(), Dropout(0.4), *head])
    third, _ = BACKEND.train(TrainState(moved), samples, plan)
    for a, b in zip(first[1:], list(third.network.parameters().values()), strict=True):
        assert_close(a, b, 1e-12, "weights")
    assert not np.array_equal(first[1], second[0])


def test_looking_at_the_losses_more_often_changes_no_bit(monkeypatch):
    """Statistics and all else go on from stretch to stretch."""
    ones = np.ones(4)
    norm = BatchNorm(0 * ones, ones, ones, 0 * ones)
    network = build(4, 4, norm, "relu", Dropout(0.3), 3, dtype=np.float32)
    samples, plan = labelled(network, 50), Recipe(SGD(0.1, 0.9), batch_size=4).plan(50, 3, 20)
    whole, losses = BACKEND.train(TrainState(network), samples, plan)
    monkeypatch.setattr(train, "LOGITS_KEPT", 3 * 4 * 2)
    cut, cut_losses = BACKEND.train(TrainState(network), samples, plan)
    assert state_bits(cut) == state_bits(whole)
    assert cut_losses.tobytes() == losses.tobytes()


@pytest.mark.parametrize("token", [5, -1, 0.5, np.nan])
def test_what_is_no_token_is_refused(token):
    """Before a kernel reads past the end of a table, in training and in prediction."""
    network = build((4,), Embedding(Values(0).normal(5, 3)), Flatten(), 2)
    x = np.array([[0, 1, 2, 3], [1, 2, token, 0]])
    with pytest.raises(BackendError, match=r"Embedding.table has 5 rows.*got"):
        BACKEND.predict(network, x)
    with pytest.raises(BackendError, match=r"Embedding.table has 5 rows.*got"):
        BACKEND.train(TrainState(network), Samples(x, np.zeros(2, int)), Recipe().plan(2, 0, 1))


def test_training_leaves_the_setting_for_uninitialised_memory():
    """As every other setting of the caller."""
    before = torch.utils.deterministic.fill_uninitialized_memory
    network = vgg(width=2)
    samples = Samples(zoo_inputs(network, 2), np.zeros(2, int))
    BACKEND.train(TrainState(network), samples, Recipe().plan(2, 0, 1))
    assert torch.utils.deterministic.fill_uninitialized_memory is before
