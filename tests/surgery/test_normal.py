"""Ridge least squares from sums, against the rows themselves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from nas_surgery.network import keyed_generator
from nas_surgery.surgery.normal import STRENGTHS, Sums, solved


def rows(seed, count=60, columns=4, targets=3, noise=0.0):
    generator = keyed_generator(seed, "rows")
    r = generator.normal(size=(count, columns)) + 2
    z = r @ generator.normal(size=(columns, targets)) + generator.normal(size=targets)
    return r, z + noise * generator.normal(size=z.shape)


def sums_of(r, z):
    sums = Sums.empty(r.shape[1], z.shape[1])
    for part in np.array_split(np.arange(len(r)), 3):
        sums.add(r[part], z[part])
    return sums


@given(st.integers(0, 99))
def test_errors_are_those_of_the_rows(seed):
    """For any weights and offsets, and with the offset that is best for the weights."""
    r, z = rows(seed, noise=0.5)
    sums, generator = sums_of(r, z), keyed_generator(seed, "weights")
    weights, offset = generator.normal(size=(4, 3)), generator.normal(size=3)
    assert np.isclose(sums.error(weights, offset), np.sum((z - r @ weights - offset) ** 2))
    assert np.allclose(sums.offset(weights), (z - r @ weights).mean(axis=0))
    assert np.isclose(sums.spread, np.sum((z - z.mean(axis=0)) ** 2))


@given(st.integers(0, 99))
def test_an_exact_relation_is_found(seed):
    """From a prior that knows nothing of it."""
    r, z = rows(seed)
    found = solved(sums_of(r[::2], z[::2]), sums_of(r[1::2], z[1::2]), [np.zeros((4, 3))])
    assert np.allclose(r @ found.weights + found.offset, z, atol=1e-4 * np.abs(z).max())
    assert found.after < 1e-4 < found.before


@given(st.integers(0, 99))
def test_the_answer_is_ridge_towards_the_prior(seed):
    """Of one of the strengths, or the prior itself: least squares with rows of a penalty, by scipy."""
    r, z = rows(seed, count=12, noise=3.0)
    prior = keyed_generator(seed, "prior").normal(size=(4, 3))
    fit, held = sums_of(r[:8], z[:8]), sums_of(r[8:], z[8:])
    found = solved(fit, held, [prior])
    r0, z0 = r - r.mean(axis=0), z - z.mean(axis=0)
    scale = np.sum(r0**2) / 4
    answers = [prior]
    for strength in STRENGTHS:
        penalty = np.sqrt(strength * scale) * np.eye(4)
        rows_ = np.vstack([r0, penalty])
        answers.append(linalg.lstsq(rows_, np.vstack([z0, penalty @ prior]))[0])
    assert min(np.abs(found.weights - answer).max() for answer in answers) < 1e-8
    assert found.after <= found.before + 1e-12


def test_what_is_held_back_chooses_the_prior():
    """Where there are fewer rows than columns, the prior that new rows speak for wins."""
    generator = keyed_generator(0, "truth")
    truth = generator.normal(size=(30, 2))
    r = generator.normal(size=(40, 30))
    fit, held = sums_of(r[:8], r[:8] @ truth), sums_of(r[8:], r[8:] @ truth)
    found = solved(fit, held, [np.zeros((30, 2)), truth])
    assert np.allclose(found.weights, truth, atol=1e-8)
