"""Whoever watches training is told what training epoch by epoch would have shown, and changes nothing."""

from typing import Any

import attrs
import numpy as np
import pytest

from nas_surgery.network import ACTIVATIONS, Array, Dropout
from nas_surgery.testing.backend.base import BackendSuite, state_bits
from nas_surgery.testing.backend.native import NETWORKS
from nas_surgery.testing.backend.optimizers import OPTIMIZERS
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, train_reference
from nas_surgery.training.backend import Backend, train_watched
from nas_surgery.training.epochs import Look
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe, TrainingPlan
from nas_surgery.training.state import Samples, TrainState

SAMPLES, OTHERS = 22, 1500  # in batches of 4: six steps an epoch, the last of two samples
RECIPE = Recipe(SGD(0.1, momentum=0.9), batch_size=4)


class Notes:
    """Keeps what it is told: losses, and logits of some samples."""

    def __init__(self, samples: Any) -> None:
        self.samples, self.settings = samples, np.geterr()
        self.losses: list[Array] = []
        self.logits: list[Array] = []

    def __call__(self, losses: Array, look: Look) -> None:
        """Look twice: a second time gives the same. NumPy's settings are the caller's."""
        assert np.geterr() == self.settings
        self.losses.append(losses)
        self.logits.append(look(self.samples))
        assert look(self.samples).tobytes() == self.logits[-1].tobytes()


class Watching(BackendSuite):
    """Of a backend that cannot be watched, the plan is cut; the same holds."""

    def watched(
        self, backend: Backend, state: TrainState, samples: Samples, plan: TrainingPlan
    ) -> tuple[TrainState, Array, Notes]:
        """Train while somebody looks at other samples after each epoch."""
        others = labelled(state.network, OTHERS, seed=5, loss=plan.loss)
        notes = Notes(backend.place(others, self.device))
        placed = backend.place(samples, self.device)
        after, losses = train_watched(backend, state, placed, plan, notes)
        return after, losses, notes

    @pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop momentum"])
    def test_being_watched_changes_no_bit(self, backend: Backend, name: str) -> None:
        """Weights, slots and losses are those of training that nobody watches, with dropout too."""
        recipe = Recipe(OPTIMIZERS[name], batch_size=4)
        network = build(6, 6, "relu", Dropout(0.3), 5, "tanh", 3, dtype=np.float32)
        samples, plan = labelled(network, SAMPLES), recipe.plan(SAMPLES, 4, 15)
        whole, losses = self.train(backend, TrainState(network, None, 4), samples, plan)
        state = TrainState(network, None, 4)
        after, told, notes = self.watched(backend, state, samples, plan)
        assert state_bits(after) == state_bits(whole)
        assert told.tobytes() == losses.tobytes()
        assert np.concatenate(notes.losses).tobytes() == losses.tobytes()

    @pytest.mark.parametrize("kind", NETWORKS)
    def test_looks_see_what_training_so_far_has_made(self, backend: Backend, kind: str) -> None:
        """After each part of an epoch the logits are those of the network trained until there, in inference."""
        network = NETWORKS[kind].astype(np.float32)
        samples, plan = labelled(network, SAMPLES), RECIPE.plan(SAMPLES, 2, 13)
        state = TrainState(network, None, 2)
        _, _, notes = self.watched(backend, state, samples, plan)
        assert [len(part) for part in notes.losses] == [4, 6, 3]
        x = labelled(network, OTHERS, seed=5).x
        done = 0
        for losses, logits in zip(notes.losses, notes.logits, strict=True):
            done += len(losses)
            until, _ = self.train(backend, state, samples, RECIPE.plan(SAMPLES, 2, done))
            wanted = until.network.astype(np.float64).forward(x)
            assert logits.shape == wanted.shape
            assert_close(logits, wanted, self.tolerances["float32"], f"after {done} steps")

    @pytest.mark.parametrize("function", ACTIVATIONS)
    def test_looks_know_every_activation(self, backend: Backend, function: str) -> None:
        """Inference may be another path than training."""
        network = build(5, 6, function, 3, dtype=np.float32)
        plan = RECIPE.plan(8, 0, 2)
        samples = labelled(network, 8)
        after, _, notes = self.watched(backend, TrainState(network), samples, plan)
        x = labelled(network, OTHERS, seed=5).x
        wanted = after.network.astype(np.float64).forward(x)
        assert_close(notes.logits[0], wanted, self.tolerances["float32"], function)

    def test_looks_agree_with_the_reference(self, backend: Backend, dtype: str) -> None:
        """Losses and logits of a regression, against NumPy in float64."""
        recipe = attrs.evolve(RECIPE, loss="mean_squared_error")
        network = build(5, 6, "tanh", 2)
        samples = labelled(network, SAMPLES, loss=recipe.loss)
        plan = recipe.plan(SAMPLES, 0, 6)
        state = TrainState(network.astype(dtype))
        _, _, notes = self.watched(backend, state, samples, plan)
        wanted, losses = train_reference(TrainState(network), samples, plan)
        x = labelled(network, OTHERS, seed=5).x
        assert_close(notes.losses[0], losses, self.tolerances[dtype], "losses")
        logits = wanted.network.forward(x)
        assert_close(notes.logits[0], logits, self.tolerances[dtype], "logits")

    def test_an_epoch_that_diverged_is_not_shown(self, backend: Backend) -> None:
        """Training ends there, and whoever watches is told of what was before."""
        network = build(4, 4, "linear", 3, dtype=np.float32)
        samples = labelled(network, 12, loss="mean_squared_error")
        recipe = Recipe(SGD(1e20), "mean_squared_error", batch_size=12)
        state, plan = TrainState(network), recipe.plan(12, 0, 20)
        after, losses, notes = self.watched(backend, state, samples, plan)
        assert len(notes.losses) < len(losses) < 20
        assert all(np.isfinite(part).all() for part in notes.losses)
        assert after.step == len(losses)
