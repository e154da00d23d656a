"""Dropout: masks are each backend's own, but keyed by seed and step, and of the right rate and scale."""

import numpy as np
import pytest

from nas_surgery.network import Array, Dense, Dropout, Network
from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, assert_same_parameters
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe, TrainingPlan
from nas_surgery.training.state import Samples, TrainState

UNITS, ROWS = 400, 6


def first_layer(rate: float) -> Network:
    """Dropout in front of the only linear layer, whose weights are zero."""
    return Network(UNITS, (Dropout(rate), Dense(np.zeros((UNITS, ROWS), np.float32))))


def hidden_layer(rate: float) -> Network:
    """The same behind a linear layer that is the identity."""
    identity = Dense(np.eye(UNITS, dtype=np.float32))
    return Network(UNITS, (identity, *first_layer(rate).layers))


class Dropouts(BackendSuite):
    """The gradient of a zero kernel shows its inputs, and so the masks."""

    def masks(self, backend: Backend, network: Network, step: int = 0, seed: int = 0) -> Array:
        """What each of ROWS samples of ones is multiplied by in that step, (ROWS, UNITS)."""
        y = -np.eye(ROWS) * ROWS * ROWS / 2  # output j sees sample j alone, with gradient 1
        samples = Samples(np.ones((ROWS, UNITS), np.float32), y.astype(np.float32))
        plan = TrainingPlan(
            (np.arange(ROWS),), np.ones(1), ROWS, loss="mean_squared_error", seed=seed
        )
        after, _ = self.train(backend, TrainState(network, None, step), samples, plan)
        return -list(after.network.parameters().values())[-1].T

    @pytest.mark.parametrize("network", [first_layer, hidden_layer])
    def test_values_are_dropped_at_the_rate_and_the_rest_rescaled(
        self, backend: Backend, network: type
    ) -> None:
        """Each value is 0 with probability .3 (within five standard deviations), else 1/.7."""
        masks = self.masks(backend, network(0.3))
        kept = masks != 0
        assert_close(masks[kept], np.full(kept.sum(), 1 / 0.7), 1e-6, "kept values")
        assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / kept.size)

    def test_masks_differ_by_sample_step_and_seed(self, backend: Backend) -> None:
        """And the same seed and step give the same masks again."""
        network = hidden_layer(0.5)
        first = self.masks(backend, network)
        assert len(np.unique(first, axis=0)) == ROWS
        assert np.array_equal(first, self.masks(backend, network))
        assert not np.array_equal(first, self.masks(backend, network, step=1))
        assert not np.array_equal(first, self.masks(backend, network, seed=1))

    def test_masks_differ_by_layer(self, backend: Backend) -> None:
        """Two layers of rate one half keep about a quarter, not the same half."""
        hidden = hidden_layer(0.5)
        twice = Network(UNITS, (hidden.layers[0], Dropout(0.5), *hidden.layers[1:]))
        kept = (self.masks(backend, twice) != 0).mean()
        assert abs(kept - 0.25) < 5 * np.sqrt(0.25 * 0.75 / (UNITS * ROWS))

    def test_rate_zero_is_no_dropout(self, backend: Backend) -> None:
        """Training with a rate of 0 equals training without the layer."""
        plain, dropping = build(5, 5, "relu", 3), build(5, 5, "relu", Dropout(0.0), 3)
        dropping = dropping.replace({3: (plain.layers[2],)})
        plan = Recipe(SGD(0.1, momentum=0.9), batch_size=4).plan(10, 0, 5)
        results = [
            self.train(backend, network.astype(self.finest), labelled(plain, 10), plan)[0].network
            for network in (plain, dropping)
        ]
        renamed = dict(zip(results[0].parameters(), results[1].parameters().values(), strict=True))
        assert_same_parameters(renamed, results[0].parameters(), self.tolerances[self.finest])
