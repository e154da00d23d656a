import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.surgery import ridge
from nas_surgery.surgery.ridge import STRENGTHS

GENERATOR = np.random.default_rng(0)


def error(fit, x, y):
    return np.sqrt(np.mean((x @ fit.weights + fit.offset - y) ** 2))


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_an_exact_relation_is_found_exactly(seed, fan_in, outputs, centred):
    """Weights and offset, by least squares of as many rows as it takes."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(30, fan_in))
    weights = generator.normal(size=(fan_in, outputs))
    offset = generator.normal(size=outputs) * centred
    fit = ridge(x, x @ weights + offset, centred)
    assert np.allclose(fit.weights, weights, atol=1e-8)
    assert np.allclose(fit.offset, offset, atol=1e-8)


def test_much_data_gives_ordinary_least_squares():
    """NumPy's lstsq with a column of ones, where noise is small beside the number of rows."""
    x = GENERATOR.normal(size=(4000, 5))
    y = x @ GENERATOR.normal(size=(5, 2)) + 1.0 + 0.1 * GENERATOR.normal(size=(4000, 2))
    wanted = np.linalg.lstsq(np.column_stack([x, np.ones(4000)]), y)[0]
    fit = ridge(x, y)
    assert np.allclose(fit.weights, wanted[:-1], atol=1e-3)
    assert np.allclose(fit.offset, wanted[-1], atol=1e-3)


def test_the_solution_is_that_of_the_normal_equations_at_one_of_the_strengths():
    """(XᵀX + λ I) A = XᵀY on centred data, for a λ of the grid."""
    x, y = GENERATOR.normal(size=(30, 20)), GENERATOR.normal(size=(30, 3))
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)
    gram = centred_x.T @ centred_x
    top = np.linalg.norm(gram, 2)
    solutions = [
        np.linalg.solve(gram + s * top * np.eye(20), centred_x.T @ centred_y) for s in STRENGTHS
    ]
    fit = ridge(x, y)
    assert min(np.abs(fit.weights - wanted).max() for wanted in solutions) < 1e-10


def test_as_many_inputs_as_rows_do_not_fit_the_noise():
    """On new rows it beats least squares by far, and the expected error is about the one found."""
    weights = GENERATOR.normal(size=(60, 2)) * np.logspace(0, -2, 60)[:, None]

    def rows(count):
        x = GENERATOR.normal(size=(count, 60))
        return x, x @ weights + 0.5 * GENERATOR.normal(size=(count, 2))

    (x, y), (new_x, new_y) = rows(64), rows(5000)
    fit = ridge(x, y)
    plain = np.linalg.lstsq(x, y)[0]
    found = error(fit, new_x, new_y)
    assert found < 0.5 * np.sqrt(np.mean((new_x @ plain - new_y) ** 2))
    assert fit.inflation * error(fit, x, y) == pytest.approx(found, rel=0.3)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_or_constant_rows_give_finite_weights(rows):
    """One sample, or inputs that never change: the mean is the best guess."""
    fit = ridge(np.ones((rows, 4)), np.full((rows, 2), 3.0))
    assert np.allclose(fit.weights, 0)
    assert np.allclose(fit.offset, 3.0)
    assert np.isfinite(fit.inflation)
