"""Five steps of every optimizer, with every schedule and with clipping, against the reference."""

import pytest

from nas_surgery.network import Network
from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.builders import Unbiased, build, labelled
from nas_surgery.testing.oracles import assert_close, assert_same_parameters, train_reference
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, slot_names
from nas_surgery.training.plans import Recipe, Schedule
from nas_surgery.training.state import Samples, TrainState

# A large epsilon shows where it stands in the formula; with 1e-8 a wrong place hides.
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.1),
    "sgd weight decay": SGD(0.1, weight_decay=0.1),
    "momentum": SGD(0.05, momentum=0.9),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "nesterov weight decay": SGD(0.05, momentum=0.8, nesterov=True, weight_decay=0.1),
    "adam": Adam(0.01),
    "adam large epsilon": Adam(0.01, beta1=0.8, beta2=0.9, epsilon=0.05),
    "adam weight decay": Adam(0.01, weight_decay=0.1),
    "adamw": AdamW(0.01, weight_decay=0.2),
    "rmsprop": RMSprop(0.01),
    "rmsprop large epsilon": RMSprop(0.01, rho=0.8, epsilon=0.05),
    "rmsprop momentum": RMSprop(0.005, momentum=0.9, weight_decay=0.1),
}

SCHEDULES = {
    "constant": Schedule(),
    "cosine": Schedule("cosine", total_steps=6),
    "step": Schedule("step", every=2, factor=0.1),
}

STEPS = 5


def small_network() -> Network:
    """Square kernels, and a layer without bias."""
    return build(5, 5, "tanh", Unbiased(5), "relu", 3)


class Optimizers(BackendSuite):
    """Hyperparameters mean what `nas_surgery.training.plans` says they mean."""

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_five_steps_agree_with_the_reference(
        self, backend: Backend, name: str, dtype: str
    ) -> None:
        """Weights and slots after five steps, one of them over a short batch."""
        self._check(backend, Recipe(OPTIMIZERS[name], batch_size=4), dtype)

    @pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop momentum"])
    @pytest.mark.parametrize("kind", SCHEDULES)
    def test_every_schedule_agrees_with_the_reference(
        self, backend: Backend, name: str, kind: str
    ) -> None:
        """The rate scales the step and never enters the velocity."""
        recipe = Recipe(OPTIMIZERS[name], batch_size=4, schedule=SCHEDULES[kind])
        self._check(backend, recipe, self.finest)

    @pytest.mark.parametrize("clip_norm", [0.3, 1e6])
    @pytest.mark.parametrize("name", ["sgd", "nesterov weight decay", "adamw", "rmsprop"])
    def test_clipping_agrees_with_the_reference(
        self, backend: Backend, name: str, clip_norm: float
    ) -> None:
        """One norm over all parameters, before weight decay; a large limit leaves the gradient alone."""
        recipe = Recipe(OPTIMIZERS[name], batch_size=4, clip_norm=clip_norm)
        self._check(backend, recipe, self.finest)

    def test_regression_agrees_with_the_reference(self, backend: Backend, dtype: str) -> None:
        """The mean squared error is over samples and outputs."""
        recipe = Recipe(OPTIMIZERS["adam"], "mean_squared_error", batch_size=4)
        self._check(backend, recipe, dtype)

    def _check(self, backend: Backend, recipe: Recipe, dtype: str) -> None:
        network, samples = small_network(), labelled(small_network(), 10, loss=recipe.loss)
        plan = recipe.plan(10, 0, STEPS)
        after, losses = self.train(backend, network.astype(dtype), samples, plan)
        wanted, wanted_losses = train_reference(TrainState(network), samples, plan)
        tolerance = self.tolerances[dtype]
        assert_close(losses, wanted_losses, tolerance, "losses")
        assert_same_parameters(after.network.parameters(), wanted.network.parameters(), tolerance)
        self._check_slots(after, wanted, recipe.optimizer, tolerance)

    def _check_slots(
        self, after: TrainState, wanted: TrainState, optimizer: Optimizer, tolerance: float
    ) -> None:
        assert after.slots is not None
        assert wanted.slots is not None
        assert after.slots.updates == STEPS
        assert set(after.slots.values) == set(slot_names(optimizer))
        for slot, values in wanted.slots.values.items():
            for name, reference in values.items():
                held = after.slots.values[slot][name]
                # the moments of float32 gradients carry more rounding than the weights they move
                assert_close(held, reference, 10 * tolerance, f"{slot} of {name}")

    @pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop momentum"])
    def test_slots_of_another_backend_can_be_continued(self, backend: Backend, name: str) -> None:
        """Optimizer state is in the IR's shapes: the reference's is a start like any other."""
        network, samples = small_network(), labelled(small_network(), 10)
        recipe = Recipe(OPTIMIZERS[name], batch_size=4)
        half, _ = train_reference(TrainState(network), samples, recipe.plan(10, 0, STEPS))
        plan = recipe.plan(10, STEPS, STEPS)
        start = TrainState(half.network.astype(self.finest), half.slots, half.step)
        after, _ = self.train(backend, start, Samples(samples.x, samples.y), plan)
        wanted, _ = train_reference(half, samples, plan)
        tolerance = self.tolerances[self.finest]
        assert after.slots is not None
        assert after.slots.updates == 2 * STEPS
        assert_same_parameters(after.network.parameters(), wanted.network.parameters(), tolerance)
