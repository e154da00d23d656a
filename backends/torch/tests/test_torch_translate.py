"""Native models are ordinary torch modules, and only what the IR holds comes back."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from nas_surgery import Dropout, Flatten, Network, Normalize
from nas_surgery.errors import BackendError, NetworkError
from nas_surgery.network import ACTIVATIONS
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, assert_same_parameters
from nas_surgery.training.optimizers import SGD, AdamW
from nas_surgery.training.plans import Recipe, batches
from nas_surgery.training.state import TrainState
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()
NORMALIZE = Normalize(np.array([0.5, -1.0, 0.25]), np.array([2.0, 0.5, 4.0]))
NETWORK = build((2, 3), NORMALIZE, Flatten(), 6, "relu", Dropout(0.5), 6, "gelu", 4)


def rows(network: Network, count: int = 8) -> torch.Tensor:
    return torch.tensor(labelled(network, count).x.astype(network.dtype))


def test_the_model_is_a_chain_of_modules_ready_to_predict():
    """In evaluation mode as it is returned: Dropout does nothing, the logits are the network's."""
    model = BACKEND.to_native(NETWORK)
    assert type(model) is nn.Sequential
    assert not model.training
    logits = model(rows(NETWORK)).detach()
    assert_close(logits, NETWORK.forward(rows(NETWORK)), 1e-12, "logits")


def test_the_state_dict_holds_everything():
    """Loaded into the model of other weights, it makes it the same; preprocessing included."""
    model = BACKEND.to_native(NETWORK)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    zeros = NETWORK.with_parameters({k: np.zeros_like(v) for k, v in NETWORK.parameters().items()})
    other = BACKEND.to_native(zeros.replace({0: (Normalize(np.zeros(3), np.ones(3)),)}))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert BACKEND.from_native(other, NETWORK.input_shape).equals(NETWORK)


def test_the_model_can_be_trained_further_without_the_project():
    """Its parameters require gradients, an optimizer lowers the loss, and the result comes back."""
    torch.manual_seed(0)  # of Dropout
    model, x = BACKEND.to_native(NETWORK).train(), rows(NETWORK, 20)
    y = torch.tensor(labelled(NETWORK, 20).y)
    optimizer, loss = torch.optim.Adam(model.parameters(), 0.02), nn.CrossEntropyLoss()
    before = loss(model(x), y).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    again = BACKEND.from_native(model, NETWORK.input_shape)
    assert loss(model.eval()(x), y).item() < 0.8 * before
    assert_close(again.forward(x), model(x).detach(), 1e-12, "logits")


@pytest.mark.parametrize("function", ACTIVATIONS)
@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), AdamW(0.01, weight_decay=0.1)], ids=["sgd", "adamw"]
)
def test_the_backend_trains_as_autograd_and_torch_optim_do(function, optimizer):
    """The hand-written step equals the framework's own training of the native model."""
    network = build((2, 3), 4, function, 2, Flatten(), 5, function, 3)
    samples, plan = labelled(network, 14), Recipe(optimizer, batch_size=4).plan(14, 0, 6)
    after, _ = BACKEND.train(TrainState(network), BACKEND.place(samples), plan)
    model = BACKEND.to_native(network)
    native = (
        torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
        if isinstance(optimizer, AdamW)
        else torch.optim.SGD(model.parameters(), 0.1)
    )
    x, y, loss = rows(network, 14), torch.tensor(samples.y), nn.CrossEntropyLoss()
    for index in batches(plan):
        native.zero_grad()
        loss(model(x[index]), y[index]).backward()
        native.step()
    trained = BACKEND.from_native(model, network.input_shape)
    assert_same_parameters(after.network.parameters(), trained.parameters(), 1e-10)


def test_nested_chains_and_torchs_own_defaults_come_back():
    """A model of the user's: nested, with inplace activations and softplus as torch has it."""
    model = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True)),
        nn.Softplus(),
        nn.Linear(4, 2),
    )
    network = BACKEND.from_native(model, (2, 3))
    kinds = [layer.kind for layer in network.layers]
    assert kinds == ["flatten", "dense", "activation", "activation", "dense"]
    x = rows(network)
    assert_close(network.forward(x), model(x).detach(), 1e-6, "logits")


def test_a_single_module_is_a_network_too():
    """No Sequential is needed around one linear layer."""
    linear = nn.Linear(3, 2, bias=False)
    network = BACKEND.from_native(linear, 3)
    assert network.parameters()["layers.0.kernel"].tolist() == linear.weight.T.tolist()


class Unheard(nn.Module):
    pass


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (nn.Conv2d(1, 1, 1, padding_mode="circular"), "padding_mode=zeros, got circular"),
        (nn.BatchNorm1d(3, track_running_stats=False), "running statistics"),
        (nn.LSTM(3, 3), "no layer for a torch LSTM"),
        (nn.Softmax(0), "Softmax is supported with dim=1, got 0"),
        (nn.Unflatten(1, (3, 1)), "Unflatten"),
        (Unheard(), "Unheard"),
        (nn.Softplus(2.0), "Softplus is supported with beta=1, got 2.0"),
        (nn.Flatten(0), "Flatten is supported with start_dim=1, got 0"),
        (nn.Linear(3, 3, dtype=torch.bfloat16), "float32 or float64, got torch.bfloat16"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_the_ir_does_not_hold_is_refused_by_name(module, named):
    """The error says which module, and where in the model it stands."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(module), nn.Linear(3, 2))
    with pytest.raises(BackendError) as caught:
        BACKEND.from_native(model, 3)
    assert str(caught.value).startswith("model[1][0]: ")
    assert named in str(caught.value)


def test_a_wrong_input_shape_is_refused():
    """The network's own rules hold for what comes from outside."""
    with pytest.raises(NetworkError, match="layer 0"):
        BACKEND.from_native(nn.Linear(3, 2), 4)
