import numpy as np
import pytest

from nas_surgery.network import INITIALIZERS, keyed_generator

FAN_IN, FAN_OUT = 400, 300
COUNT = FAN_IN * FAN_OUT


@pytest.mark.parametrize(
    ("name", "variance"), [("glorot_uniform", 2 / (FAN_IN + FAN_OUT)), ("he_normal", 2 / FAN_IN)]
)
def test_moments_are_those_published(name, variance):
    """Mean 0 and the published variance, within five standard errors of 120,000 draws."""
    kernel = INITIALIZERS[name](keyed_generator(0, "test"), FAN_IN, FAN_OUT)
    assert kernel.shape == (FAN_IN, FAN_OUT)
    assert abs(kernel.mean()) < 5 * np.sqrt(variance / COUNT)
    assert abs(kernel.var() / variance - 1) < 5 * np.sqrt(2 / COUNT)


def test_glorot_uniform_fills_its_interval():
    """Uniform: bounded by ±sqrt(6/(in + out)), and flat (each tenth holds a tenth)."""
    limit = np.sqrt(6 / (FAN_IN + FAN_OUT))
    kernel = INITIALIZERS["glorot_uniform"](keyed_generator(0, "test"), FAN_IN, FAN_OUT)
    counts, _ = np.histogram(kernel, 10, (-limit, limit))
    assert counts.sum() == COUNT
    assert np.abs(counts / COUNT - 0.1).max() < 5 * np.sqrt(0.09 / COUNT)


def test_he_normal_is_normal():
    """The fourth moment is three times the squared second."""
    kernel = INITIALIZERS["he_normal"](keyed_generator(0, "test"), FAN_IN, FAN_OUT)
    kurtosis = (kernel**4).mean() / kernel.var() ** 2
    assert abs(kurtosis - 3) < 5 * np.sqrt(24 / COUNT)
