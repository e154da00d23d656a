"""What joins say of themselves is true: each declaration against `forward`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import LAYERS, Add, Concat, Join, NetworkError, Passes, keyed_generator
from nas_surgery.network.roundoff import unit_roundoff

WIDTHS = {"add": (3, 3, 3), "concat": (3, 1, 2)}
JOINS = [layer for layer in LAYERS.values() if issubclass(layer, Join)]
every_join = pytest.mark.parametrize("join", JOINS, ids=lambda layer: layer.kind)


def drawn(seed, *shape):
    return keyed_generator(seed, "values").normal(size=shape)


def inputs(join, seed):
    return [drawn(seed + i, 5, 2, width) for i, width in enumerate(WIDTHS[join.kind])]


def test_joins_of_known_values():
    """Sums, and channels side by side in the order of the sources."""
    a, b = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])
    assert np.array_equal(Add().forward(a, b, b), [[21.0, 42.0]])
    assert np.array_equal(Concat().forward(b, a), [[10.0, 20.0, 1.0, 2.0]])


@every_join
def test_shapes_are_those_of_forward_and_nothing_is_multiplied(join):
    """For three sources."""
    xs = inputs(join, 0)
    shapes = [x.shape[1:] for x in xs]
    assert join().output_shape(*shapes) == join().forward(*xs).shape[1:]
    assert join().macs(*shapes) == 0
    assert join().passes is Passes.ANY


@pytest.mark.parametrize(
    ("join", "shapes", "message"),
    [
        (Add(), [(3,), (4,)], r"Add needs sources of one shape, got .* \(3,\) and \(4,\)"),
        (Add(), [(1,), (4,)], "Add needs sources of one shape"),
        (Concat(), [(2, 3), (3, 3)], "Concat needs sources of one shape but for their channels"),
        (Concat(), [(2, 3), (3,)], "Concat needs"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(join, shapes, message):
    """With the layer, the rule and the shapes; nothing is broadcast."""
    with pytest.raises(NetworkError, match=message):
        join.output_shape(*shapes)


@given(st.integers(0, 99))
def test_any_change_of_channels_passes(seed):
    """One for all sources of a sum; one for each part of a concatenation."""
    m = drawn(seed, 3, 4)
    a, b, c = inputs(Add, seed)
    assert np.allclose(Add().forward(a @ m, b @ m, c @ m), Add().forward(a, b, c) @ m)
    a, b, c = inputs(Concat, seed)
    found = Concat().forward(a @ m, b, c)
    assert np.allclose(found[..., :4], a @ m)
    assert np.array_equal(found[..., 4:], Concat().forward(b, c))


@every_join
@given(st.integers(0, 99))
def test_float32_stays_within_the_bound(join, seed):
    """Inputs that are off and arithmetic in float32, against float64."""
    xs = [100 * x for x in inputs(join, seed)]
    off = [(x + 0.01 * drawn(seed + 50, *x.shape)).astype(np.float32) for x in xs]
    errors = [np.abs(a - b) for a, b in zip(off, xs, strict=True)]
    bound = join().errors_behind(xs, errors, unit_roundoff(np.float32))
    assert np.all(np.abs(join().forward(*off) - join().forward(*xs)) <= bound)
