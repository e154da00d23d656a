"""Devices: their names here, and the CUDA graph of a training step."""

import numpy as np
import pytest
import torch

from nas_surgery import Dropout
from nas_surgery.errors import BackendError
from nas_surgery.testing import on_device
from nas_surgery.testing.backend.base import state_bits
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.optimizers import SGD, Adam, Optimizer, RMSprop
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState
from nas_surgery_torch import cuda_graph, train
from nas_surgery_torch.cuda_graph import GraphedStep
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()
OPTIMIZERS = [SGD(0.1), SGD(0.1, 0.9, nesterov=True), Adam(0.01), RMSprop(0.01, momentum=0.5)]


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_accelerators_come_before_the_cpu():
    """`auto` and `gpu` are the first of them, each can be named."""
    assert BACKEND.devices() == ("cuda", "cuda:0", "cuda:1", "cpu")
    assert BACKEND.device("auto") == BACKEND.device("gpu") == "cuda"
    assert BACKEND.device("cuda:1") == "cuda:1"
    with pytest.raises(BackendError, match="no device 'cuda:2' here; present: cuda, cuda:0"):
        BACKEND.device("cuda:2")


def test_without_an_accelerator_gpu_is_a_missing_device(monkeypatch):
    """The error lists what there is."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert BACKEND.device("auto") == "cpu"
    with pytest.raises(BackendError, match="no device 'gpu' here; present: cpu"):
        BACKEND.device("gpu")


class Unrecorded(GraphedStep):
    """Does the work of a replay without a graph, so that it runs on any device."""

    def once(self) -> None:
        self.work()


def trained(optimizer: Optimizer, device: str) -> tuple[dict[str, bytes], bytes]:
    """The bits of a state and its losses behind three epochs with a short last batch."""
    network = build(6, 6, "relu", Dropout(0.2), 5, "tanh", 3, dtype=np.float32)
    samples = labelled(network, 4 * cuda_graph.MIN_STEPS + 2)
    plan = Recipe(optimizer, batch_size=4, clip_norm=0.5).plan(len(samples), 0, 50)
    after, losses = BACKEND.train(TrainState(network), BACKEND.place(samples, device), plan)
    return state_bits(after), losses.tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_what_a_graph_records_is_the_same_step(monkeypatch, optimizer):
    """Batches, rates and masks read at a position that moves on give the same bits."""
    eager = trained(optimizer, "cpu")
    monkeypatch.setattr(train, "GraphedStep", Unrecorded)
    monkeypatch.setattr(cuda_graph, "pays", lambda device, steps: steps >= cuda_graph.MIN_STEPS)
    assert trained(optimizer, "cpu") == eager


@pytest.mark.gpu
@on_device("cuda", TorchBackend)
class TestGraphs:
    """On the GPU itself."""

    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
    def test_replaying_the_graph_equals_eager_steps(self, monkeypatch, optimizer):
        """Bit for bit."""
        graphed = trained(optimizer, self.device)
        monkeypatch.setattr(cuda_graph, "pays", lambda device, steps: False)
        assert trained(optimizer, self.device) == graphed
