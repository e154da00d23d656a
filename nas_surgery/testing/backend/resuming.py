"""Training may be cut anywhere and continued, and goes on after every surgery."""

from typing import Any

import numpy as np
import pytest

from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Add, Dense, Dropout, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import OPERATIONS, Context, Operation
from nas_surgery.surgery import Surgery
from nas_surgery.testing.backend.base import BackendSuite, state_bits
from nas_surgery.testing.backend.layer_kinds import trains
from nas_surgery.testing.backend.optimizers import OPTIMIZERS, SCHEDULES
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, assert_same_parameters, train_reference
from nas_surgery.testing.wiring import Wiring
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

SAMPLES, STEPS = 22, 8  # in batches of 4: six steps an epoch, the last of two samples


# Operations that propose nothing from weights alone, and methods that they do not propose.
MORE_EDITS: dict[str, list[dict[str, Any]]] = {
    "add_layer": [{"layer": 0, "units": 3}],
    "add_neurons": [{"layer": 2, "count": 3, "method": m} for m in ("pairs", "zero", "clone")],
    "fold_input_centring": [{"method": "centre"}],
    "remove_layer": [{"layer": 2, "method": "activation"}],
    "truncated_svd": [{"layer": 0, "rank": 2, "method": "activation"}],
    "remove_neurons": [{"layer": 2, "keep": 5, "method": m} for m in ("activation", "magnitude")],
    "revive": [{"layer": 2}],
    "remove_block": [{"layer": 4}],
    "merge_batch_norm": [{"layer": 3}],
}


def redundant_network() -> Network:
    """Three hidden layers, the second of rank two and with a dead unit, so that there is much to edit."""
    network = build(6, 8, "relu", 8, "relu", 6, "tanh", 4)
    middle = network.layers[2]
    assert isinstance(middle, Dense)
    assert middle.bias is not None
    left, values, right = np.linalg.svd(middle.kernel)
    alive = np.arange(8) > 0
    low_rank = (left[:, :2] * values[:2]) @ right[:2] * alive
    return network.replace({2: (Dense(low_rank, np.where(alive, middle.bias, -1.0)),)})


def branching_network() -> Network:
    """A residual block with a BatchNorm at its end."""
    net = Wiring(6)
    first = net.dense(5)
    net.activate()
    net.dense(5)
    net.add(Add(), first, net.batch_norm())
    net.dense(4)
    return net.network(np.float64)


STARTS = {
    "remove_block": branching_network,
    "merge_batch_norm": branching_network,
}


def edits(name: str, network: Network) -> list[Operation]:
    """What the operation proposes for the network, and what it can do besides."""
    proposed = [p.operation for p in OPERATIONS[name].propose(network, analyse(network))]
    return proposed + [OPERATIONS[name].from_fields(f) for f in MORE_EDITS.get(name, [])]


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
        """The edited network predicts like the old one where promised, and trains like the reference."""
        network = STARTS.get(name, redundant_network)()
        if not trains(backend, network):
            return
        samples = labelled(network, SAMPLES)
        recipe = Recipe(SGD(0.1, momentum=0.9), batch_size=4)
        operations = edits(name, network)
        assert operations, f"nothing is known that {name} could do with the test network"
        for operation in operations:
            surgery = operation.apply(network, Context(seed=1, probe=samples.x))
            if not trains(backend, surgery.network):
                continue
            state = TrainState(surgery.network.astype(self.finest), None, 3)
            self._check_logits(backend, network, surgery, samples, operation.describe())
            plan = recipe.plan(SAMPLES, 3, 4)
            after, _ = self.train(backend, state, samples, plan)
            assert after.step == 7
            if not trains(NumpyBackend(), surgery.network):
                continue  # nothing to compare with
            wanted, _ = train_reference(TrainState(surgery.network, None, 3), samples, plan)
            assert_same_parameters(
                after.network.parameters(),
                wanted.network.parameters(),
                self.tolerances[self.finest],
            )

    def _check_logits(
        self, backend: Backend, network: Network, surgery: Surgery, samples: Samples, what: str
    ) -> None:
        logits = self.predict(backend, surgery.network.astype(self.finest), samples.x)
        kept = network if surgery.promise.exact else surgery.network
        assert_close(logits, kept.forward(samples.x), self.tolerances[self.finest], what)
