import numpy as np
import pytest

from nas_surgery.network import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    Network,
    NetworkError,
    Normalize,
    check_finite,
    is_finite,
)

DENSE = Dense(np.ones((2, 3)))
NEXT = Dense(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((), [DENSE], r"input_shape must hold positive whole numbers, got \(\)"),
        ((0,), [DENSE], "input_shape must hold positive whole numbers"),
        ((-2,), [DENSE], "input_shape must hold positive whole numbers"),
        ((2.5,), [DENSE], "input_shape must hold positive whole numbers"),
        ("ab", [DENSE], "input_shape must hold positive whole numbers"),
        (2, [DENSE, "relu"], "layer 1: a layer is needed, got str"),
        (2, [DENSE, Activation], "layer 1: a layer is needed, got"),
        (2, [DENSE, DENSE], r"layer 1: Dense.kernel \(2, 3\) needs 2 input channels"),
        (2, [DENSE, Dense(np.ones((3, 2), np.float32))], "one dtype per network: layer 0: kernel"),
        (2, [Normalize(0, 1), DENSE], "mean is float32 but layer 1: kernel is float64"),
        (2, [DENSE, Normalize(np.zeros(3), np.ones(3))], "layer 1: Normalize must stand before"),
        (2, [Dropout(), Normalize(0.0, 1.0), DENSE], "before every linear layer and Dropout"),
        (2, [Activation("relu")], "at least one linear layer"),
        (2, [], "at least one linear layer"),
    ],
)
def test_each_rule_is_enforced(shape, layers, message):
    """An invalid network cannot be made; the one-line error names layer, field, rule and shapes."""
    with pytest.raises(NetworkError, match=message) as caught:
        Network(shape, layers)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        (2, [DENSE]),
        (np.int64(2), [DENSE, Activation("relu"), Activation("tanh"), NEXT]),
        ((4, 2), [Normalize(np.zeros(2), np.ones(2)), DENSE, Flatten(), Dense(np.ones((12, 1)))]),
        ([2], iter([DENSE, NEXT, Activation("sigmoid")])),
        ((4, 2), [DENSE]),
    ],
)
def test_valid_networks_are_accepted(shape, layers):
    """Several activations, linear layers in a row, an activation at the end, any iterable."""
    network = Network(shape, layers)
    assert all(isinstance(size, int) for size in network.input_shape)


def test_outputs_may_have_any_shape_unless_they_tell_classes_apart():
    """What needs a vector says so in one line."""
    network = Network((4, 2), [DENSE])
    x = np.ones((5, 4, 2))
    assert network.output_shape == (4, 3)
    assert np.array_equal(network.predict(x), network.forward(x))
    message = r"one vector of outputs is needed for each sample, got shape \(4, 3\); is a Flatten"
    with pytest.raises(NetworkError, match=message):
        Network((4, 2), [DENSE], classes="abc")
    with pytest.raises(NetworkError, match=message):
        print(network.output_count)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_found(value):
    """The error names layer and array; building such a network is allowed, for it may come from training."""
    bad = Network(2, [DENSE, Dense(np.ones((3, 2)), [0.0, value] * np.ones(2))])
    assert not is_finite(bad)
    with pytest.raises(NetworkError, match="layer 1: bias holds NaN or infinite values"):
        check_finite(bad)


def test_finite_weights_pass():
    """No error and True."""
    network = Network(2, [DENSE, NEXT])
    check_finite(network)
    assert is_finite(network)
