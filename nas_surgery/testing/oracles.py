"""What results are compared with: tolerances, finite differences, the NumPy backend in float64."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.network import Array, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState


def scaled_error(actual: ArrayLike, reference: ArrayLike) -> float:
    """Largest absolute difference ÷ largest absolute reference; infinite where a value is not finite."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    if a.size == 0:
        return 0.0
    difference = float(np.abs(a - b).max())
    scale = float(np.abs(b).max()) or 1.0
    return difference / scale if np.isfinite(difference) else float("inf")


def assert_close(actual: ArrayLike, reference: ArrayLike, tolerance: float, what: str) -> None:
    """Equal shapes, and a scaled error within the tolerance."""
    assert np.shape(actual) == np.shape(reference), what
    error = scaled_error(actual, reference)
    assert error <= tolerance, f"{what}: scaled error {error:.2e}, allowed {tolerance:.0e}"


def assert_same_parameters(
    actual: Mapping[str, Array], reference: Mapping[str, Array], tolerance: float
) -> None:
    """The same names in the same order, and each array within the tolerance of its own scale."""
    assert list(actual) == list(reference)
    for name in reference:
        assert_close(actual[name], reference[name], tolerance, name)


def train_reference(
    state: TrainState, samples: Samples, plan: TrainingPlan
) -> tuple[TrainState, Array]:
    """The same training by the NumPy backend in float64."""
    wide = TrainState(state.network.astype(np.float64), state.slots, state.step)
    return NumpyBackend().train(wide, samples, plan)


def mean_loss(network: Network, samples: Samples, loss: str) -> float:
    """Mean loss over the samples, by `Network.forward` in float64."""
    outputs = network.astype(np.float64).forward(samples.x, start=samples.prefix)
    return evaluate(outputs, samples.y, loss).loss


def numerical_gradient(
    network: Network, samples: Samples, loss: str, step: float = 1e-5
) -> dict[str, Array]:
    """Gradient of `mean_loss` by central differences, by parameter name."""
    wide = network.astype(np.float64)
    gradients = {}
    for name, array in wide.parameters().items():
        gradients[name] = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            losses = [
                mean_loss(wide.with_parameters({name: _nudged(array, place, d)}), samples, loss)
                for d in (step, -step)
            ]
            gradients[name][place] = (losses[0] - losses[1]) / (2 * step)
    return gradients


def _nudged(array: Array, place: tuple[int, ...], difference: float) -> Array:
    nudged = array.copy()
    nudged[place] += difference
    return nudged
