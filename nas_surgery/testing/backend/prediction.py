"""Prediction agrees with `Network.forward`, which defines what a network means."""

import numpy as np
import pytest

from nas_surgery.network import ACTIVATIONS, Flatten
from nas_surgery.testing.backend.base import BackendSuite
from nas_surgery.testing.backend.native import NETWORKS
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close
from nas_surgery.training.backend import Backend
from nas_surgery.training.state import Samples, apply_prefix


class Prediction(BackendSuite):
    """Logits of raw and placed inputs, for any number of samples."""

    @pytest.mark.parametrize("function", ACTIVATIONS)
    def test_every_activation_agrees_with_the_forward_pass(
        self, backend: Backend, function: str, dtype: str
    ) -> None:
        """Inputs reach far into both tails of each activation."""
        network = build(6, 6, function, 4)
        x = 4 * labelled(network, 40).x
        logits = self.predict(backend, network.astype(dtype), x)
        assert_close(logits, network.forward(x), self.tolerances[dtype], function)

    @pytest.mark.parametrize("kind", NETWORKS)
    def test_every_structure_agrees_with_the_forward_pass(
        self, backend: Backend, kind: str, dtype: str
    ) -> None:
        """Square kernels, missing biases, Flatten, Normalize, Dropout (which only trains)."""
        network = NETWORKS[kind]
        x = labelled(network, 9).x
        logits = self.predict(backend, network.astype(dtype), x)
        assert_close(logits, network.forward(x), self.tolerances[dtype], kind)

    @pytest.mark.parametrize("count", [0, 1, 2, 2500])
    def test_any_number_of_samples_can_be_predicted(self, backend: Backend, count: int) -> None:
        """No sample gives an empty (0, outputs) array; many give each its row."""
        network = build((2, 3), 4, "relu", 2, Flatten(), 3)
        x = labelled(network, count).x
        logits = self.predict(backend, network.astype(np.float32), x)
        assert_close(logits, network.forward(x), self.tolerances["float32"], f"{count} samples")

    def test_outputs_may_have_positions(self, backend: Backend, dtype: str) -> None:
        """Only training needs a vector for each sample."""
        network = build((2, 3), 4, "relu", 2)
        x = labelled(build((2, 3), Flatten(), 2), 5).x
        outputs = self.predict(backend, network.astype(dtype), x)
        assert outputs.shape == (5, 2, 2)
        assert_close(outputs, network.forward(x), self.tolerances[dtype], "positions")

    def test_raw_inputs_need_no_placing(self, backend: Backend, dtype: str) -> None:
        """`predict` takes a plain array, and returns the network's dtype."""
        network = NETWORKS["normalized"]
        x = labelled(network, 5).x
        logits = backend.predict(network.astype(dtype), x)
        assert logits.dtype == dtype
        assert_close(logits, network.forward(x), self.tolerances[dtype], "raw inputs")

    @pytest.mark.parametrize("kind", ["square kernels", "normalized", "flattened image"])
    def test_bytes_and_wide_floats_are_inputs_too(self, backend: Backend, kind: str) -> None:
        """Images come as uint8, tables as float64, whatever the network's dtype."""
        network = NETWORKS[kind]
        x = (40 * np.abs(labelled(network, 8).x)).astype(np.uint8)
        for inputs in (x, x.astype(np.float64)):
            logits = self.predict(backend, network.astype(np.float32), inputs)
            assert_close(logits, network.forward(x), self.tolerances["float32"], str(inputs.dtype))

    def test_inputs_after_the_prefix_give_the_same_logits(
        self, backend: Backend, dtype: str
    ) -> None:
        """Placed samples may start behind the frozen layers."""
        network = NETWORKS["normalized"].astype(dtype)
        raw = labelled(network, 6)
        logits = backend.predict(network, backend.place(apply_prefix(network, raw), self.device))
        reference = NETWORKS["normalized"].forward(raw.x)
        assert_close(logits, reference, self.tolerances[dtype], "after the prefix")

    def test_prediction_repeats_bit_for_bit(self, backend: Backend) -> None:
        """The same placed inputs give the same bits, and are left as they were."""
        network = NETWORKS["dropout"].astype(np.float32)
        raw = labelled(network, 50)
        before = raw.x.tobytes()
        placed = backend.place(Samples(raw.x, raw.y), self.device)
        first, second = (backend.predict(network, placed) for _ in range(2))
        assert first.tobytes() == second.tobytes()
        assert raw.x.tobytes() == before
