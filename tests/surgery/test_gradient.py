import attrs
import numpy as np
import pytest

from nas_surgery.errors import OperationError
from nas_surgery.network import Dropout, Flatten, Layer
from nas_surgery.surgery import output_gradient
from nas_surgery.surgery.promising import pursuit
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import numerical_gradient


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize("function", ["relu", "tanh", "gelu"])
def test_gradients_agree_with_finite_differences(loss, function):
    """The gradient at a layer's outputs, summed over samples and positions, is N times that of the
    mean loss with respect to the layer's bias."""
    network = build((2, 3), 4, function, Dropout(0.5), Flatten(), 5, function, 3)
    samples = labelled(network, 12, loss=loss)
    wanted = numerical_gradient(network, samples, loss)
    for address in (0, 4, 6):
        found = output_gradient(network, address, samples.x, samples.y, loss)
        assert found.shape == (12, *network.shapes[address + 1])
        bias = found.reshape(-1, found.shape[-1]).sum(axis=0) / 12
        assert np.allclose(bias, wanted[f"layers.{address}.bias"], atol=1e-8)


@attrs.frozen
class Cube(Layer):
    kind = "cube"

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return x**3


def test_an_unknown_layer_is_an_error_that_names_it():
    """Not a wrong gradient."""
    network = build(3, 4, Cube(), 2)
    samples = labelled(network, 5)
    with pytest.raises(OperationError, match="derivative of a Cube"):
        output_gradient(network, 0, samples.x, samples.y, "cross_entropy")


def test_pursuit_takes_the_best_column_then_what_the_rest_leaves():
    """Against matching pursuit written out: project, subtract, repeat."""
    generator = np.random.default_rng(0)
    units, gradient = generator.normal(size=(40, 12)), generator.normal(size=(40, 3))
    units[:, 5] = 0  # a unit that says nothing is never worth it
    rest, wanted = gradient.copy(), []
    for _ in range(4):
        norms = np.where(np.linalg.norm(units, axis=0) > 0, np.linalg.norm(units, axis=0), np.inf)
        gains = np.linalg.norm(units.T @ rest, axis=1) / norms
        gains[wanted] = -1
        wanted.append(int(np.argmax(gains)))
        unit = units[:, wanted[-1]] / np.linalg.norm(units[:, wanted[-1]])
        rest = rest - np.outer(unit, unit @ rest)
    assert pursuit(units, gradient, 4).tolist() == wanted
    assert 5 not in wanted


def test_pursuit_in_blocks_projects_on_all_of_a_block_at_once():
    """Two rounds of two: the best two of all, then the best two of what least squares on those leaves."""
    generator = np.random.default_rng(1)
    units, gradient = generator.normal(size=(40, 12)), generator.normal(size=(40, 3))
    units[:, 3] = 0
    normed = units / np.where(np.any(units, axis=0), np.linalg.norm(units, axis=0), 1)
    rest, wanted = gradient, []
    for _ in range(2):
        gains = np.linalg.norm(normed.T @ rest, axis=1)
        gains[wanted] = -1
        wanted += np.argsort(-gains)[:2].tolist()
        rest = rest - normed[:, wanted[-2:]] @ np.linalg.lstsq(normed[:, wanted[-2:]], rest)[0]
    assert pursuit(units, gradient, 4, rounds=2).tolist() == wanted


def test_pursuit_of_more_units_than_are_of_use_takes_them_all():
    """Equal and silent units included, each once."""
    units = np.zeros((6, 8))
    units[:, :3] = 1.0
    assert sorted(pursuit(units, np.ones((6, 2)), 8, rounds=3)) == list(range(8))
