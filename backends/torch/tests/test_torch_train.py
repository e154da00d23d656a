"""Training: what the conformance suite cannot see from outside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery import Dropout, Flatten, Network
from nas_surgery.errors import BackendError
from nas_surgery.testing.backend.base import state_bits
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.networks import networks
from nas_surgery.testing.oracles import assert_close, assert_same_parameters, train_reference
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState, apply_prefix
from nas_surgery_torch import devices, train
from nas_surgery_torch.devices import repeatable
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()
CPU = torch.device("cpu")


@given(networks(), st.sampled_from(LOSSES), st.sampled_from([SGD(0.1), SGD(0.1, 0.9), Adam(0.01)]))
@settings(max_examples=60, deadline=None)
def test_every_network_trains_like_the_reference(network, loss, optimizer):
    """Whatever the layers and their order, Dropout with its very masks included."""
    samples = labelled(network, 7, loss=loss)
    plan = Recipe(optimizer, loss, batch_size=3).plan(7, 0, 4)
    after, losses = BACKEND.train(TrainState(network), BACKEND.place(samples), plan)
    wanted, wanted_losses = train_reference(TrainState(network), samples, plan)
    assert_close(losses, wanted_losses, 1e-9, "losses")
    assert_same_parameters(after.network.parameters(), wanted.network.parameters(), 1e-7)


def test_a_flatten_at_the_end_trains():
    """The gradient by the logits then belongs to positions and channels."""
    network = build((2, 3), 4, "relu", 2, Flatten())
    samples, plan = labelled(network, 6), Recipe(SGD(0.1), batch_size=3).plan(6, 0, 3)
    after, _ = BACKEND.train(TrainState(network), samples, plan)
    wanted, _ = train_reference(TrainState(network), samples, plan)
    assert_same_parameters(after.network.parameters(), wanted.network.parameters(), 1e-10)


def test_looking_at_the_losses_more_often_changes_no_bit(monkeypatch):
    """A long epoch is cut into stretches to bound memory; the steps stay the same."""
    network = build(6, 6, "relu", Dropout(0.3), 3, dtype=np.float32)
    samples, plan = labelled(network, 50), Recipe(SGD(0.1, 0.9), batch_size=4).plan(50, 3, 20)
    whole, losses = BACKEND.train(TrainState(network), samples, plan)
    monkeypatch.setattr(train, "LOGITS_KEPT", 3 * 4 * 2)
    cut, cut_losses = BACKEND.train(TrainState(network), samples, plan)
    assert state_bits(cut) == state_bits(whole)
    assert cut_losses.tobytes() == losses.tobytes()


def global_settings() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.get_float32_matmul_precision(),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_training_leaves_the_callers_settings():
    """Threads, determinism, precision and modes of autograd are as before, after errors too."""
    network = build(4, 4, "relu", 3, dtype=np.float32)
    samples, plan = labelled(network, 20), Recipe().plan(20, 0, 4)
    torch.set_float32_matmul_precision("high")
    try:
        before = global_settings()
        BACKEND.train(TrainState(network), samples, plan)
        assert global_settings() == before
        BACKEND.predict(network, samples.x)
        assert global_settings() == before
        seen = []
        BACKEND.train(TrainState(network), samples, plan, lambda *_: seen.append(global_settings()))
        assert seen == [before, before]
        with pytest.raises(BackendError):
            BACKEND.train(TrainState(network), Samples(samples.x, samples.y + 7), plan)
        assert global_settings() == before
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("two_threads")
def test_threads_follow_the_work_of_a_batch():
    """One for small batches, the caller's for large ones, and always deterministic algorithms."""
    with repeatable(CPU, devices.THREADED_MACS - 1):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    with repeatable(CPU, devices.THREADED_MACS):
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()


def test_data_are_moved_once_for_all_networks_of_a_run():
    """Networks that share their frozen layers find the same tensor; another dtype gets its own."""
    first = build((2, 3), Flatten(), 4, "relu", 3, dtype=np.float32)
    second = build((2, 3), Flatten(), 7, "tanh", 3, dtype=np.float32)
    placed = BACKEND.place(labelled(first, 5))
    assert placed.inputs(first) is placed.inputs(second)
    assert placed.inputs(first.astype(np.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], r"class indices must lie in 0…2, got 0…3"),
        ([0, -1, 2], r"class indices must lie in 0…2, got -1…2"),
        ([0.0, 1.0, 2.0], r"needs class indices.*float64"),
        ([[0], [1], [2]], r"needs class indices.*\(3, 1\)"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    """Before a kernel reads past the end of the logits."""
    network = build(4, 3)
    samples = Samples(labelled(network, 3).x, np.array(labels))
    with pytest.raises(BackendError, match=message):
        BACKEND.train(TrainState(network), samples, Recipe().plan(3, 0, 1))


def test_samples_of_another_shape_are_refused():
    """The error names both shapes."""
    network = Network.dense(4, (3,), 2)
    with pytest.raises(BackendError, match=r"shape \(4,\) are expected, got \(5,\)"):
        BACKEND.predict(network, np.zeros((2, 5), np.float32))


def test_samples_from_behind_the_first_layer_to_train_are_refused():
    """Data behind two frozen layers cannot train a network that has one."""
    long = build((2, 3), Flatten(), "relu", 4, dtype=np.float32)
    placed = BACKEND.place(apply_prefix(long, labelled(long, 3)))
    with pytest.raises(BackendError, match="enter layer 2, but training starts at layer 1"):
        BACKEND.predict(build((2, 3), Flatten(), 4, dtype=np.float32), placed)
