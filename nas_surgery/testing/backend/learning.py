"""Losses and gradients of single steps, batches and labels of every kind."""

import numpy as np
import pytest

from nas_surgery.network import ACTIVATIONS, Network
from nas_surgery.testing.backend.base import BackendSuite, state_bits, whole_batch
from nas_surgery.testing.backend.native import NETWORKS
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import (
    assert_close,
    assert_same_parameters,
    mean_loss,
    numerical_gradient,
    train_reference,
)
from nas_surgery.training.backend import Backend
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe, TrainingPlan, batches
from nas_surgery.training.state import Samples, TrainState, apply_prefix

STRUCTURES = [kind for kind in NETWORKS if kind != "dropout"]  # masks are each backend's own
DIFFERENCES = {"float32": 1e-5, "float64": 1e-7}  # how exact w - w' and finite differences are


class Learning(BackendSuite):
    """One step of SGD with learning rate 1 shows the gradient; rate 0 shows the losses."""

    @pytest.mark.parametrize("function", ACTIVATIONS)
    def test_gradients_of_every_activation_agree_with_finite_differences(
        self, backend: Backend, function: str, dtype: str
    ) -> None:
        """w - w' of one step is the gradient of the mean loss."""
        self._check_gradient(backend, build(4, 4, function, 3), "cross_entropy", dtype)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("kind", STRUCTURES)
    def test_gradients_of_every_structure_agree_with_finite_differences(
        self, backend: Backend, kind: str, loss: str, dtype: str
    ) -> None:
        """Both losses, square kernels, missing biases, a Dense on the last axis, Normalize."""
        self._check_gradient(backend, NETWORKS[kind], loss, dtype)

    def _check_gradient(self, backend: Backend, network: Network, loss: str, dtype: str) -> None:
        samples = labelled(network, 6, loss=loss)
        after, _ = self.train(backend, network.astype(dtype), samples, whole_batch(6, loss=loss))
        before = network.parameters()
        gradient = {name: before[name] - new for name, new in after.network.parameters().items()}
        reference = numerical_gradient(network, samples, loss)
        scale = max(float(np.abs(g).max()) for g in reference.values()) or 1.0
        tolerance = max(self.tolerances[dtype], DIFFERENCES[dtype])
        for name, wanted in reference.items():
            error = float(np.abs(gradient[name] - wanted).max()) / scale
            assert error <= tolerance, f"{name}: scaled error {error:.2e}"

    @pytest.mark.parametrize("loss", LOSSES)
    def test_losses_are_means_over_each_batch(
        self, backend: Backend, loss: str, dtype: str
    ) -> None:
        """At rate 0 each loss is that of the start network on the batch, the short last one too."""
        network = build(5, 4, "tanh", 3)
        samples = labelled(network, 11, loss=loss)
        plan = TrainingPlan((np.arange(11)[::-1].copy(),), np.zeros(3), 4, loss=loss)
        _, losses = self.train(backend, network.astype(dtype), samples, plan)
        wanted = [
            mean_loss(network, Samples(samples.x[i], samples.y[i]), loss) for i in batches(plan)
        ]
        assert losses.dtype == np.float64
        assert_close(losses, wanted, self.tolerances[dtype], "losses")

    def test_a_loss_is_taken_before_the_update_of_its_step(self, backend: Backend) -> None:
        """The second loss is that of the network after the first step."""
        network = build(5, 4, "tanh", 3, dtype=self.finest)
        samples = labelled(network, 6)
        once, first = self.train(backend, network, samples, whole_batch(6))
        plan = TrainingPlan((np.arange(6), np.arange(6)), np.ones(2), 6)
        _, losses = self.train(backend, network, samples, plan)
        wanted = [mean_loss(n, samples, "cross_entropy") for n in (network, once.network)]
        assert losses[0] == first[0]
        assert_close(losses, wanted, self.tolerances[self.finest], "losses")

    @pytest.mark.parametrize("size", [1, 5, 12, 100])
    def test_batches_of_any_size_agree_with_the_reference(
        self, backend: Backend, size: int, dtype: str
    ) -> None:
        """Single samples, a short last batch, one batch of all, a batch size above all."""
        network = build(5, 5, "relu", 5, "relu", 3)
        samples = labelled(network, 12)
        recipe = Recipe(SGD(0.1), batch_size=size)
        plan = recipe.plan(12, 0, 2 * recipe.steps_per_epoch(12))
        after, losses = self.train(backend, network.astype(dtype), samples, plan)
        wanted, wanted_losses = train_reference(TrainState(network), samples, plan)
        assert after.step == plan.steps
        assert_close(losses, wanted_losses, self.tolerances[dtype], "losses")
        assert_same_parameters(
            after.network.parameters(), wanted.network.parameters(), self.tolerances[dtype]
        )

    def test_a_plan_without_steps_changes_nothing(self, backend: Backend) -> None:
        """No batch, no loss, the same network."""
        network = NETWORKS["square kernels"].astype(np.float32)
        after, losses = self.train(backend, network, labelled(network, 4), Recipe().plan(4, 0, 0))
        assert losses.shape == (0,)
        assert after.network.equals(network)
        assert after.step == 0

    @pytest.mark.parametrize("kind", ["square kernels", "normalized"])
    @pytest.mark.parametrize("label", ["uint8", "int32", "int64"])
    def test_bytes_are_inputs_and_labels_of_any_whole_dtype(
        self, backend: Backend, kind: str, label: str
    ) -> None:
        """Images and their labels often come as uint8, with or without preprocessing."""
        network = NETWORKS[kind].astype(np.float32)
        drawn = labelled(network, 10)
        samples = Samples((4 * np.abs(drawn.x)).astype(np.uint8), drawn.y.astype(label))
        plan = Recipe(SGD(0.01), batch_size=4).plan(10, 0, 3)
        after, _ = self.train(backend, network, samples, plan)
        wanted, _ = train_reference(TrainState(network), samples, plan)
        assert_same_parameters(
            after.network.parameters(), wanted.network.parameters(), self.tolerances["float32"]
        )

    def test_samples_raw_or_behind_the_prefix_train_alike(
        self, backend: Backend, dtype: str
    ) -> None:
        """The frozen layers may be applied to the data once, before training."""
        network = NETWORKS["normalized"].astype(dtype)
        raw = labelled(network, 10)
        plan = Recipe(SGD(0.1, momentum=0.9), batch_size=4).plan(10, 0, 5)
        results = [
            self.train(backend, network, samples, plan)[0].network
            for samples in (raw, apply_prefix(network, raw))
        ]
        assert results[0].layers[0] is results[1].layers[0] is network.layers[0]
        assert_same_parameters(
            results[0].parameters(), results[1].parameters(), self.tolerances[dtype]
        )

    def test_nothing_that_comes_in_is_modified(self, backend: Backend, dtype: str) -> None:
        """Neither the network, nor the slots, nor the samples; and what comes out is read-only."""
        network = build(5, 5, "relu", 3, dtype=dtype)
        samples = labelled(network, 10)
        recipe = Recipe(SGD(0.1, momentum=0.9), batch_size=4)
        placed = backend.place(samples, self.device)
        first, _ = backend.train(TrainState(network), placed, recipe.plan(10, 0, 4))
        before = state_bits(TrainState(network)), state_bits(first), samples.x.tobytes()
        backend.train(first, placed, recipe.plan(10, 4, 4))
        assert before == (state_bits(TrainState(network)), state_bits(first), samples.x.tobytes())
        assert first.network.dtype == dtype
        assert not any(a.flags.writeable for a in first.network.parameters().values())

    def test_training_repeats_bit_for_bit(self, backend: Backend) -> None:
        """The same state, data and plan give the same bits, also on data placed once."""
        network = build(8, 8, "relu", 8, "tanh", 3, dtype=np.float32)
        placed = backend.place(labelled(network, 30), self.device)
        plan = Recipe(SGD(0.1, momentum=0.9), batch_size=4).plan(30, 0, 10)
        runs = [backend.train(TrainState(network), placed, plan) for _ in range(2)]
        assert state_bits(runs[0][0]) == state_bits(runs[1][0])
        assert runs[0][1].tobytes() == runs[1][1].tobytes()
