import numpy as np
import pytest

from nas_surgery.network import Dense, Dropout
from nas_surgery.surgery import dead_units, silent_units
from nas_surgery.testing.builders import build


@pytest.mark.parametrize(("spread", "silent"), [(0.0, True), (1e-8, True), (1e-4, False)])
@pytest.mark.parametrize("level", [1.0, 300.0, -5.0])
def test_a_unit_is_silent_if_its_outputs_differ_by_rounding_only(spread, silent, level):
    """Relative to their size: a faint signal is no silence."""
    lively = np.linspace(0, 1, 50)
    faint = level * (1 + spread * lively)
    assert silent_units(np.column_stack([lively, faint])).tolist() == ([1] if silent else [])


def test_units_that_say_nothing_at_all_are_silent():
    """All zeros: there is no size to compare with."""
    assert silent_units(np.zeros((5, 3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("weights", "bias", "dead"),
    [
        ([-1, -2, 0], -0.1, True),
        ([-1, -2, 0], 0.0, True),
        ([-1, -2, 0], 0.1, False),
        ([-1, 0.5, 0], -9.0, False),
        ([0, 0, 0], 5.0, True),
    ],
)
@pytest.mark.parametrize("before", [("relu",), ("sigmoid", Dropout(0.5))])
def test_dead_units_are_those_that_no_input_can_move(weights, bias, dead, before):
    """Inputs are at least zero: neither a positive weight nor a positive bias, or no weight at all."""
    network = build(4, 3, *before, 2, "relu", 2)
    address = 1 + len(before)
    layer = network.layers[address]
    kernel, biases = layer.kernel.copy(), layer.bias.copy()
    kernel[:, 1], biases[1] = weights, bias
    edited = network.replace({address: (Dense(kernel, biases),)})
    group = edited.groups()[1]
    assert dead_units(edited, group).tolist() == ([1] if dead else [])


@pytest.mark.parametrize(("before", "behind"), [("tanh", "relu"), ("relu", "elu")])
def test_negative_inputs_or_another_activation_leave_units_alive(before, behind):
    """tanh puts out negative values; elu does not hide what is below zero."""
    network = build(4, 3, before, 2, behind, 2)
    kernel = -np.abs(network.layers[2].kernel)
    edited = network.replace({2: (Dense(kernel, np.full(2, -1.0)),)})
    assert dead_units(edited, edited.groups()[1]).size == 0
