"""Whole architectures: a backend is held to those of which it declares every layer."""

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, BatchNorm, Network, keyed_generator
from nas_surgery.testing.backend.base import BackendSuite, bits, state_bits, whole_batch
from nas_surgery.testing.backend.layer_kinds import SLOPES, trains
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close, in_training, slope_along, training_loss
from nas_surgery.testing.zoo import ZOO, zoo_inputs
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

COUNT = 8


def architecture(name: str) -> tuple[Network, Samples]:
    """A narrow float64 network of the zoo whose values float32 holds, and labelled samples for it."""
    network = ZOO[name](classes=3, width=4).astype(np.float64)
    return network, Samples(zoo_inputs(network, COUNT), np.arange(COUNT) % 3)


def normalised(size: int) -> Network:
    """A chain with a BatchNorm of vectors."""
    ones = np.ones(size)
    return build(size, size, BatchNorm(0 * ones, ones, ones, 0 * ones), "relu", 3)


class Graphs(BackendSuite):
    """What holds of dense chains holds of networks that fork, convolve, recur and attend."""

    @pytest.mark.parametrize("name", ZOO)
    def test_architectures_agree_with_the_forward_pass(
        self, backend: Backend, name: str, dtype: str
    ) -> None:
        """Of several samples and of none; or they are refused before anything is computed."""
        network, samples = architecture(name)
        if not trains(backend, network):
            with pytest.raises(BackendError, match=backend.name):
                backend.check(network)
            return
        wanted = network.forward(samples.x)
        for count in (COUNT, 0):
            found = self.predict(backend, network.astype(dtype), samples.x[:count])
            assert_close(found, wanted[:count], self.tolerances[dtype], name)

    @pytest.mark.parametrize("name", ZOO)
    def test_a_step_of_every_architecture_agrees_with_the_oracle(
        self, backend: Backend, name: str
    ) -> None:
        """Its loss, the slope of it along a random direction of all parameters, and its statistics."""
        network, samples = architecture(name)
        if not trains(backend, network):
            return
        start = network.astype(self.finest)
        after, losses = self.train(backend, start, samples, whole_batch(COUNT))
        _, statistics = in_training(network, samples.x)
        tolerance = self.tolerances[self.finest]
        assert_close(losses, [training_loss(network, samples, "cross_entropy")], tolerance, name)
        for key, values in after.network.statistics().items():
            assert_close(values, statistics[key], tolerance, key)
        self._check_slope(network, after.network, samples)

    def _check_slope(self, network: Network, after: Network, samples: Samples) -> None:
        before, later = network.parameters(), after.parameters()
        generator = keyed_generator(0, "direction")
        direction = {key: generator.normal(size=array.shape) for key, array in before.items()}
        gradient = {key: before[key] - later[key] for key in before}
        slope = slope_along(network, samples, direction, "cross_entropy")
        found = sum(float(np.sum(gradient[key] * direction[key])) for key in before)
        size = _norm(gradient) * _norm(direction)
        assert abs(found - slope) <= max(self.tolerances[self.finest], SLOPES[self.finest]) * size

    @pytest.mark.parametrize("name", ["resnet8", "mobilenet", "lstm", "vit"])
    def test_a_cut_leaves_no_trace_in_architectures(self, backend: Backend, name: str) -> None:
        """Five steps equal two and three bit for bit, statistics and short batches included."""
        network, samples = architecture(name)
        if not trains(backend, network):
            return
        recipe = Recipe(Adam(0.01), batch_size=3, clip_norm=0.5)
        start, placed = TrainState(network.astype(np.float32)), backend.place(samples, self.device)
        whole, losses = backend.train(start, placed, recipe.plan(COUNT, 0, 5))
        half, first = backend.train(start, placed, recipe.plan(COUNT, 0, 2))
        again, second = backend.train(half, placed, recipe.plan(COUNT, 2, 3))
        assert state_bits(again) == state_bits(whole)
        assert np.concatenate([first, second]).tobytes() == losses.tobytes()

    def test_statistics_come_back_and_what_came_in_stays(self, backend: Backend) -> None:
        """New ones, read-only, in the network's dtype; predicting moves none."""
        network = normalised(4).astype(np.float32)
        if not trains(backend, network):
            return
        before, samples = bits(network.statistics()), labelled(network, 9)
        after, _ = self.train(backend, network, samples, Recipe(batch_size=4).plan(9, 0, 3))
        assert bits(network.statistics()) == before
        moved = after.network.statistics()
        assert all(moved[key].tobytes() != before[key] for key in before)
        assert all(a.dtype == np.float32 and not a.flags.writeable for a in moved.values())
        kept = bits(moved)
        self.predict(backend, after.network, samples.x)
        assert bits(after.network.statistics()) == kept

    def test_a_batch_of_one_sample_leaves_the_variance(self, backend: Backend) -> None:
        """One value has none; nothing becomes NaN, as after an epoch that leaves a sample over."""
        network = normalised(4).astype(self.finest)
        if not trains(backend, network):
            return
        samples = labelled(network, 1)
        after, losses = self.train(backend, network, samples, whole_batch(1))
        _, statistics = in_training(network, samples.x)
        assert np.isfinite(losses).all()
        for key, values in after.network.statistics().items():
            assert_close(values, statistics[key], self.tolerances[self.finest], key)
        assert all(np.isfinite(array).all() for array in after.network.parameters().values())

    def test_architectures_end_early_on_nan(self, backend: Backend) -> None:
        """As dense chains do."""
        network, samples = architecture("resnet8")
        if not trains(backend, network):
            return
        x = samples.x.copy()
        x[5] = np.nan
        plan = Recipe(SGD(0.1), batch_size=4).plan(COUNT, 0, 9)
        after, losses = self.train(backend, network, Samples(x, samples.y), plan)
        assert 0 < len(losses) < plan.steps
        assert not np.isfinite(losses).all()
        assert after.step == len(losses)


def _norm(arrays: dict[str, Array]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(a)) for a in arrays.values())))
