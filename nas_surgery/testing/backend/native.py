"""Translation: the IR to the framework's own model and back."""

from typing import Any

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import ACTIVATIONS, Dropout, Flatten, Network, Normalize, keyed_generator
from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.builders import Unbiased, build, labelled
from nas_surgery.testing.oracles import assert_close
from nas_surgery.training.backend import Backend

NORMALIZE = Normalize(np.array([0.5, -1.0, 0.25]), np.array([2.0, 0.5, 4.0]))

NETWORKS: dict[str, Network] = {
    "one layer": build(4, 3),
    "square kernels": build(4, 4, "relu", 4, "tanh", 4),
    "no bias": build(4, Unbiased(5), "relu", Unbiased(4)),
    "dense on the last axis": build((3, 4), 5, "relu", 2, Flatten(), "relu", 3),
    "flattened image": build((4, 3, 2), Flatten(), 5, "relu", 3),
    "normalized": build(3, NORMALIZE, 3, "relu", 3),
    "dropout": build(5, 4, "relu", Dropout(0.25), 3),
    "one unit": build(1, 1, "relu", 1),
    "linear layers in a row": build(4, Unbiased(2), 4, "linear", 3),
    "activation at the end": build(4, 4, "relu", 3, "sigmoid"),
    "activations in a row": build(4, 4, "linear", "relu", Dropout(0.0), "tanh", Unbiased(3)),
    "layers before the first linear one": build((2, 3), Dropout(0.0), "tanh", Flatten(), 3),
    "nothing trained behind the last one": build((2, 3), 4, "relu", 3, Dropout(0.0), Flatten()),
}


class Translation(BackendSuite):
    """Native models say what the network says, or a backend says that it has none."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out what does not concern the backend."""
        super().__init_subclass__(**options)
        for name, test in vars(Translation).items():
            if name.startswith("test_") and name not in vars(cls):
                concerns = cls.native_model != name.startswith("test_without_a_native_model")
                setattr(cls, name, test if concerns else None)

    @pytest.mark.parametrize("kind", NETWORKS)
    def test_a_round_trip_through_the_native_model_is_exact(
        self, backend: Backend, kind: str, dtype: str
    ) -> None:
        """from_native(to_native(network)) has the same layers and bit-identical weights."""
        network = NETWORKS[kind].astype(dtype)
        again = backend.from_native(backend.to_native(network), self.native_input_shape(network))
        assert again.equals(network)

    @pytest.mark.parametrize("function", ACTIVATIONS)
    def test_every_activation_survives_the_round_trip(
        self, backend: Backend, function: str
    ) -> None:
        """Each activation has a native counterpart, and comes back as itself."""
        network = build(4, 3, function, 2)
        again = backend.from_native(backend.to_native(network), self.native_input_shape(network))
        assert again.equals(network)

    @pytest.mark.parametrize("kind", NETWORKS)
    def test_the_native_model_computes_the_same_logits(
        self, backend: Backend, kind: str, dtype: str
    ) -> None:
        """The native model, run by itself, agrees with Network.forward in float64."""
        network = NETWORKS[kind].astype(dtype)
        x = labelled(network, 7).x
        logits = self.run_native(backend.to_native(network), x.astype(dtype))
        reference = NETWORKS[kind].forward(x)
        assert_close(logits, reference, self.tolerances[dtype], kind)

    def test_the_native_model_shares_no_memory_with_the_network(self, backend: Backend) -> None:
        """Translating back gives arrays of its own: read-only, whatever happens to the model."""
        network = build(4, 4, "relu", 3, dtype=np.float32)
        again = backend.from_native(backend.to_native(network), self.native_input_shape(network))
        for name, array in again.parameters().items():
            assert not array.flags.writeable, name
            assert not np.shares_memory(array, network.parameters()[name]), name

    def test_without_a_native_model_the_error_says_so(self, backend: Backend) -> None:
        """A backend without a model class of its own raises BackendError naming itself."""
        with pytest.raises(BackendError, match=backend.name):
            backend.to_native(NETWORKS["one layer"])
        with pytest.raises(BackendError, match=backend.name):
            backend.from_native(keyed_generator(0, "no model"), 4)
