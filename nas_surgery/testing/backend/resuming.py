"""Training may be cut anywhere and continued, and goes on after every surgery."""

import numpy as np
import pytest

from nas_surgery.analysis import analyse
from nas_surgery.backends import Backend
from nas_surgery.network import Dense, Dropout, Network
from nas_surgery.operations import OPERATIONS, Context
from nas_surgery.testing.backend.base import BackendSuite, state_bits
from nas_surgery.testing.backend.optimizers import OPTIMIZERS, SCHEDULES
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, assert_same_parameters, train_reference
from nas_surgery.training import SGD, Recipe, TrainState

SAMPLES, STEPS = 22, 8  # in batches of 4: six steps an epoch, the last of two samples


def redundant_network() -> Network:
    """Three hidden layers, the second of rank two, so that every operation has something to propose."""
    network = build(6, 8, "relu", 8, "relu", 6, "tanh", 4)
    middle = network.layers[2]
    assert isinstance(middle, Dense)
    left, values, right = np.linalg.svd(middle.kernel)
    low_rank = (left[:, :2] * values[:2]) @ right[:2]
    return network.replace({2: (Dense(low_rank, middle.bias),)})


class Resuming(BackendSuite):
    """A state holds all that matters."""

    @pytest.mark.parametrize("cut", [1, 4, 6])
    @pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw", "rmsprop momentum"])
    def test_a_cut_leaves_no_trace(self, backend: Backend, name: str, cut: int) -> None:
        """Eight steps equal a few and the rest bit for bit: in mid-epoch, and between two epochs."""
        recipe = Recipe(OPTIMIZERS[name], batch_size=4, schedule=SCHEDULES["cosine"])
        self._check_cut(backend, build(6, 6, "relu", 5, "tanh", 3), recipe, cut)

    @pytest.mark.parametrize("cut", [4, 6])
    def test_a_cut_leaves_no_trace_under_dropout(self, backend: Backend, cut: int) -> None:
        """Masks belong to seed and step, not to a generator that runs along."""
        network = build(6, 6, "relu", Dropout(0.4), 5, "tanh", Dropout(0.2), 3)
        self._check_cut(backend, network, Recipe(SGD(0.1, momentum=0.9), batch_size=4), cut)

    def test_a_cut_leaves_no_trace_with_clipping(self, backend: Backend) -> None:
        """The norm is that of each batch's gradient alone."""
        recipe = Recipe(SGD(0.1, momentum=0.9), batch_size=4, clip_norm=0.2)
        self._check_cut(backend, build(6, 6, "relu", 3), recipe, 4)

    def _check_cut(self, backend: Backend, network: Network, recipe: Recipe, cut: int) -> None:
        start = TrainState(network.astype(np.float32))
        placed = backend.place(labelled(network, SAMPLES), self.device)
        whole, losses = backend.train(start, placed, recipe.plan(SAMPLES, 0, STEPS))
        half, first = backend.train(start, placed, recipe.plan(SAMPLES, 0, cut))
        again, second = backend.train(half, placed, recipe.plan(SAMPLES, cut, STEPS - cut))
        assert state_bits(again) == state_bits(whole)
        assert np.concatenate([first, second]).tobytes() == losses.tobytes()

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_training_goes_on_after_every_operation(self, backend: Backend, name: str) -> None:
        """Each network that an operation proposes predicts and trains like the reference."""
        network, recipe = redundant_network(), Recipe(SGD(0.1, momentum=0.9), batch_size=4)
        samples = labelled(network, SAMPLES)
        proposals = OPERATIONS[name].propose(network, analyse(network))
        assert proposals, f"{name} proposes nothing for the test network"
        for proposal in {p.operation: p for p in proposals}.values():
            context = Context(seed=1, probe=samples.x)
            edited = proposal.operation.apply(network, context).network
            tolerance, plan = self.tolerances[self.finest], recipe.plan(SAMPLES, 3, 4)
            state = TrainState(edited.astype(self.finest), None, 3)
            logits = self.predict(backend, state.network, samples.x)
            assert_close(
                logits, edited.forward(samples.x), tolerance, proposal.operation.describe()
            )
            after, _ = self.train(backend, state, samples, plan)
            wanted, _ = train_reference(TrainState(edited, None, 3), samples, plan)
            assert after.step == 7
            assert_same_parameters(
                after.network.parameters(), wanted.network.parameters(), tolerance
            )
