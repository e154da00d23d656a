"""A backend takes what surgery makes of architectures."""

import pytest

from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.backend.layer_kinds import trains
from nas_surgery.testing.edits import CLASSES, operated
from nas_surgery.testing.oracles import assert_close
from nas_surgery.testing.zoo import ZOO, zoo_inputs
from nas_surgery.training.backend import Backend

SHAPES = {"gru": (5, 4)}


class Surgeries(BackendSuite):
    """Networks that were edited many times are networks like others."""

    @pytest.mark.parametrize("name", ["resnet8", "mobilenet", "shufflenet", "gru"])
    def test_twenty_surgeries_later_outputs_agree(self, backend: Backend, name: str) -> None:
        """With the forward pass, on every architecture that the backend trains."""
        network = ZOO[name](SHAPES.get(name, (8, 8, 2)), CLASSES, 4, dtype=self.finest)
        edited = operated(network, 20, seed=3)
        if trains(backend, edited):
            x = zoo_inputs(edited, 5, 2).astype(edited.dtype)
            found = self.predict(backend, edited, x)
            assert_close(found, edited.forward(x), 10 * self.tolerances[self.finest], name)
