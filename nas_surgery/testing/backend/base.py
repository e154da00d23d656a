"""What a backend under test declares about itself, and how the suite calls it."""

from typing import Any, ClassVar

import numpy as np
import pytest

from nas_surgery.network import Array, Network, Shape
from nas_surgery.training.backend import Backend, raw_samples
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState


class BackendSuite:
    """Override the fixture `backend`, and the attributes below where they do not hold.

    device: where to train. float64: whether float64 networks can be trained there. native_model:
    whether `to_native` and `from_native` are implemented; then `run_native` must be overridden, and
    `native_input_shape` where the framework orders the axes of a sample differently.
    """

    device: ClassVar[str] = "cpu"
    float64: ClassVar[bool] = True
    native_model: ClassVar[bool] = True
    tolerances: ClassVar[dict[str, float]] = {"float32": 1e-5, "float64": 1e-10}

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend under test."""
        raise NotImplementedError("override the fixture `backend`")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Tests for each dtype that the backend can train; pytest calls this."""
        if "dtype" in metafunc.fixturenames:
            metafunc.parametrize("dtype", ["float32", "float64"] if self.float64 else ["float32"])

    @property
    def finest(self) -> str:
        """The widest dtype that the backend can train."""
        return "float64" if self.float64 else "float32"

    def run_native(self, model: Any, x: Array) -> Array:
        """Logits of the native model for `x` (N, *input_shape), in the IR's order of axes."""
        raise NotImplementedError("override `run_native`, or set native_model = False")

    def native_input_shape(self, network: Network) -> Shape:
        """The `input_shape` that `from_native` wants for a model made from this network."""
        return network.input_shape

    def predict(self, backend: Backend, network: Network, x: Array) -> Array:
        """Predictions for raw inputs on the device under test."""
        return backend.predict(network, backend.place(raw_samples(x), self.device))

    def train(
        self, backend: Backend, state: Network | TrainState, samples: Samples, plan: TrainingPlan
    ) -> tuple[TrainState, Array]:
        """Train on the device under test."""
        start = TrainState(state) if isinstance(state, Network) else state
        return backend.train(start, backend.place(samples, self.device), plan)


def whole_batch(count: int, **settings: Any) -> TrainingPlan:
    """One step over all samples in their order, by plain SGD with a learning rate of 1."""
    return TrainingPlan((np.arange(count),), np.ones(1), count, **settings)


def bits(arrays: dict[str, Array]) -> dict[str, bytes]:
    """The arrays' memory, to compare bit for bit."""
    return {name: array.tobytes() for name, array in arrays.items()}


def state_bits(state: TrainState) -> dict[str, bytes]:
    """Everything in a state that training may change."""
    slots = state.slots.values if state.slots else {}
    held = {f"{slot} {name}": a for slot, values in slots.items() for name, a in values.items()}
    counts = {
        "updates": np.array(state.slots.updates if state.slots else 0),
        "step": np.array(state.step),
    }
    network = state.network
    return bits({**network.parameters(), **network.statistics(), **held, **counts})
