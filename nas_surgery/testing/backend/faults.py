"""What goes wrong ends early or in one clear error."""

from typing import ClassVar

import attrs
import numpy as np
import pytest

from nas_surgery.errors import BackendError, NetworkError
from nas_surgery.network import Add, Array, Layer, Network, Shape
from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples


@attrs.frozen
class Unheard(Layer):
    """A layer that no backend knows."""

    kind: ClassVar[str] = "unheard"

    def output_shape(self, input_shape: Shape) -> Shape:
        """As before."""
        return input_shape

    def forward(self, x: Array) -> Array:
        """Nothing happens."""
        return x


class Faults(BackendSuite):
    """NaN, unknown layers, missing devices."""

    def test_training_ends_early_on_nan(self, backend: Backend) -> None:
        """A NaN input ends training with its epoch at the latest, and the losses show it."""
        network = build(4, 4, "relu", 3, dtype=np.float32)
        drawn = labelled(network, 12)
        x = drawn.x.copy()
        x[5, 2] = np.nan
        plan = Recipe(SGD(0.1), batch_size=4).plan(12, 0, 9)
        after, losses = self.train(backend, network, Samples(x, drawn.y), plan)
        assert 0 < len(losses) < plan.steps
        assert not np.isfinite(losses).all()
        assert after.step == len(losses)

    def test_training_ends_early_when_it_diverges(self, backend: Backend) -> None:
        """So does a learning rate that overflows."""
        network = build(4, 4, "linear", 3, dtype=np.float32)
        samples = labelled(network, 12, loss="mean_squared_error")
        recipe = Recipe(SGD(1e20), "mean_squared_error", batch_size=12)
        after, losses = self.train(backend, network, samples, recipe.plan(12, 0, 20))
        assert 1 < len(losses) < 20
        assert np.isfinite(losses[0])
        assert not np.isfinite(losses).all()
        assert after.step == len(losses)

    def test_an_unknown_layer_is_refused(self, backend: Backend) -> None:
        """The error names address, layer, backend and what it can train, before anything is trained."""
        network = build(4, 4, Unheard(), 3, dtype=np.float32)
        message = f"layer 1: the {backend.name} backend cannot train a Unheard"
        with pytest.raises(BackendError, match=message) as caught:
            backend.check(network)
        assert all(kind in str(caught.value) for kind in backend.layer_kinds)
        with pytest.raises(BackendError, match=message):
            self.train(backend, network, labelled(network, 4), Recipe().plan(4, 0, 1))

    def test_branches_are_trained_or_refused(self, backend: Backend) -> None:
        """A backend that takes chains alone says so, by the first join, before anything is trained."""
        layers = build(4, 4, "relu", 3).layers
        network = Network(4, [layers[0], layers[1], Add(), layers[2]], {2: (0, 1)})
        if backend.forks:
            backend.check(network)
            return
        message = f"layer 2: the {backend.name} backend takes chains of layers.*(Add)"
        with pytest.raises(BackendError, match=message):
            self.train(backend, network, labelled(network, 4), Recipe().plan(4, 0, 1))
        with pytest.raises(BackendError):
            backend.to_native(network)

    def test_outputs_that_are_no_vector_are_not_trained(self, backend: Backend) -> None:
        """Losses need a vector for each sample; the error gives the shape."""
        network = build((4, 2), 3, dtype=np.float32)
        samples = Samples(np.ones((4, 4, 2), np.float32), np.zeros(4, np.int64))
        with pytest.raises(NetworkError, match=r"one vector of outputs .* got shape \(4, 3\)"):
            self.train(backend, network, samples, Recipe().plan(4, 0, 1))

    def test_an_unknown_device_is_refused(self, backend: Backend) -> None:
        """The error names the device wanted and lists those present."""
        with pytest.raises(BackendError, match="abacus") as caught:
            backend.device("abacus")
        for present in backend.devices():
            assert present in str(caught.value)
        with pytest.raises(BackendError, match="abacus"):
            backend.place(labelled(build(4, 3), 4), "abacus")

    def test_every_present_device_can_be_named(self, backend: Backend) -> None:
        """ "auto" is the first of them."""
        present = backend.devices()
        assert backend.device("auto") == present[0]
        assert [backend.device(name) for name in present] == list(present)
        assert self.device in present

    def test_the_backend_says_what_its_numbers_depend_on(self, backend: Backend) -> None:
        """At least one package with its version."""
        versions = backend.versions()
        assert versions
        assert all(name and version for name, version in versions.items())
