"""Every kind of layer that a backend declares, one family after the other: outputs and gradients."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from nas_surgery.network import Array, Network, keyed_generator
from nas_surgery.testing.backend.base import BackendSuite, whole_batch
from nas_surgery.testing.layers import (
    Example,
    around,
    channelwise,
    convolutions,
    enlarging,
    joined,
    movements,
    norms,
    norms_of_samples,
    parametrised,
    pools,
    sequences,
    simple_layers,
    usual,
)
from nas_surgery.testing.oracles import assert_close, slope_along
from nas_surgery.training.backend import Backend
from nas_surgery.training.state import Samples

COUNT = 5
SLOPES = {"float32": 1e-4, "float64": 1e-6}  # how exact gradients and finite differences are

FAMILIES: dict[str, Callable[[], list[Example]]] = {
    family.__name__: family
    for family in (
        simple_layers,
        convolutions,
        enlarging,
        pools,
        movements,
        norms,
        norms_of_samples,
        channelwise,
        parametrised,
        sequences,
    )
}


def networks(family: str) -> Iterator[tuple[str, Network, Array]]:
    """Each example of a family in a network: its name, the network, and inputs such as it expects."""
    for layer, shape in FAMILIES[family]():
        x = usual(layer, shape, COUNT)
        yield f"{layer.describe()} on {shape}", around(layer, shape), x


def trains(backend: Backend, network: Network) -> bool:
    """Whether the backend says that it trains such a network."""
    known = all(layer.needs in backend.layer_kinds for layer in network.layers)
    return known and (backend.forks or not network.wires)


class LayerKinds(BackendSuite):
    """A backend is held to each kind that it declares, alone and joined to others."""

    @pytest.mark.parametrize("family", FAMILIES)
    def test_layers_agree_with_the_forward_pass(
        self, backend: Backend, family: str, dtype: str
    ) -> None:
        """Each with all that it may say, on one axis or several."""
        for name, network, x in networks(family):
            if trains(backend, network):
                self._check_outputs(backend, name, network, x, dtype)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_gradients_of_layers_agree_with_finite_differences(
        self, backend: Backend, family: str
    ) -> None:
        """Along a random direction of each parameter; a BatchNorm normalises by the batch itself."""
        for name, network, x in networks(family):
            if trains(backend, network) and not any(layer.random for layer in network.layers):
                self._check_slopes(backend, name, network, x)

    @pytest.mark.parametrize("name", joined())
    def test_joins_agree_with_the_forward_pass_and_finite_differences(
        self, backend: Backend, name: str
    ) -> None:
        """Sums, gates, concatenations and attention, of sources that lie alike or not."""
        network = joined()[name]
        if trains(backend, network):
            x = usual(network.layers[0], network.input_shape, COUNT)
            self._check_outputs(backend, name, network, x, self.finest)
            self._check_slopes(backend, name, network, x)

    def _check_outputs(
        self, backend: Backend, name: str, network: Network, x: Array, dtype: str
    ) -> None:
        found = self.predict(backend, network.astype(dtype), x.astype(dtype))
        assert_close(found, network.forward(x), self.tolerances[dtype], name)

    def _check_slopes(self, backend: Backend, name: str, network: Network, x: Array) -> None:
        samples = Samples(x, np.arange(COUNT) % 2)
        start = network.astype(self.finest)
        after, _ = self.train(backend, start, samples, whole_batch(COUNT))
        before, later = start.parameters(), after.network.parameters()
        generator = keyed_generator(0, "direction")
        for key in before:
            direction = generator.normal(size=before[key].shape)
            gradient = before[key].astype(np.float64) - later[key]
            slope = slope_along(network, samples, {key: direction}, "cross_entropy")
            off = abs(float(np.sum(gradient * direction)) - slope)
            size = float(np.linalg.norm(gradient) * np.linalg.norm(direction))
            allowed = max(self.tolerances[self.finest], SLOPES[self.finest])
            assert off <= allowed * max(size, 1e-2), f"{name}, {key}: slope off by {off:.1e}"
