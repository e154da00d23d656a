"""What results are compared with: tolerances, finite differences, the NumPy backend in float64."""

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.network import Array, Network
from nas_surgery.network.network import array_name
from nas_surgery.network.wires import walk
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


def in_training(network: Network, x: Array) -> tuple[Network, dict[str, Array]]:
    """The float64 network as a step of training on inputs (N, *input_shape) normalises by them, and the
    statistics behind that step: means and *unbiased* variances, each moved by the layer's momentum.

    Of a single value per channel there is no variance, and that of the layer stays.
    """
    wide = network.astype(np.float64)
    layers: list[Any] = list(wide.layers)
    statistics: dict[str, Array] = {}

    def step(address: int, *xs: Array) -> Array:
        layer = layers[address]
        if layer.statistics:
            values = xs[0].reshape(-1, xs[0].shape[-1])
            mean, variance = values.mean(axis=0), values.var(axis=0)
            share, count = layer.momentum, len(values)
            unbiased = variance * count / (count - 1) if count > 1 else layer.variance
            for field, measured in (("mean", mean), ("variance", unbiased)):
                moved = (1 - share) * getattr(layer, field) + share * measured
                statistics[array_name(address, field)] = moved
            layers[address] = attrs.evolve(layer, mean=mean, variance=variance)
        result: Array = layers[address].forward(*xs)
        return result

    walk(wide.sources, x.astype(np.float64), step)
    return attrs.evolve(wide, layers=layers), statistics


def training_loss(network: Network, samples: Samples, loss: str) -> float:
    """The mean loss that a step of training sees, without dropout, in float64."""
    return mean_loss(in_training(network, samples.x)[0], samples, loss)


def slope_along(
    network: Network, samples: Samples, direction: Mapping[str, Array], loss: str
) -> float:
    """The derivative of `training_loss` where parameters move in a direction, by central differences."""
    wide = network.astype(np.float64)
    held = wide.parameters()
    length = float(np.sqrt(sum(np.sum(np.square(d)) for d in direction.values())))
    step = 1e-5 / length
    moved = [
        wide.with_parameters({name: held[name] + s * d for name, d in direction.items()})
        for s in (step, -step)
    ]
    high, low = (training_loss(each, samples, loss) for each in moved)
    return (high - low) / (2 * step)
