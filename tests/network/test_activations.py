import numpy as np
import pytest
from scipy.special import log1p
from scipy.stats import norm

from nas_surgery.network import ACTIVATIONS, Activation, NetworkError, Passes
from nas_surgery.network.functions import FUNCTIONS
from nas_surgery.network.layers.activation import BENT

X = np.concatenate([np.linspace(-9, 9, 400), [-6.5, -0.5, 0.5, 6.5]])  # 0 and 6 are not among them

FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: x * (x > 0),
    "relu6": lambda x: np.minimum(x * (x > 0), 6),
    "leaky_relu": lambda x: x * np.where(x > 0, 1, 0.01),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    # Klambauer et al. 2017, with the constants to full precision
    "selu": lambda x: (
        1.0507009873554804934193349852946
        * np.where(x > 0, x, 1.6732632423543772848170429916717 * (np.exp(x) - 1))
    ),
    "gelu": lambda x: x * norm.cdf(x),
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: log1p(np.exp(x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
}

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


@every_activation
def test_values_agree_with_the_textbook(name):
    """Each function is the one that its name says, to rounding."""
    assert np.allclose(ACTIVATIONS[name].value(X), FORMULAS[name](X), rtol=1e-13, atol=1e-14)


@every_activation
def test_derivatives_agree_with_finite_differences(name):
    """`derivative(x, value(x))` is the slope of `value`."""
    function, h = ACTIVATIONS[name], 1e-6
    slope = (function.value(X + h) - function.value(X - h)) / (2 * h)
    assert np.abs(function.derivative(X, function.value(X)) - slope).max() < 1e-8


@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(name, dtype):
    """float32 stays float32: no constant widens it."""
    function, x = ACTIVATIONS[name], X.astype(dtype)
    assert function.value(x).dtype == dtype
    assert function.derivative(x, function.value(x)).dtype == dtype


@every_activation
def test_large_inputs_neither_overflow_nor_warn(name):
    """Far out every function and slope is still finite (warnings are errors here)."""
    function = ACTIVATIONS[name]
    for dtype in (np.float32, np.float64):
        x = np.array([-1e4, -100, 100, 1e4], dtype)
        assert np.isfinite(function.value(x)).all()
        assert np.isfinite(function.derivative(x, function.value(x))).all()


@every_activation
def test_the_input_is_left_alone(name):
    """Neither value nor derivative writes to its arguments."""
    function, x = ACTIVATIONS[name], X.copy()
    y = function.value(x)
    before = y.copy()
    function.derivative(x, y)
    assert np.array_equal(x, X)
    assert np.array_equal(y, before)


@every_activation
@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_positive_homogeneity_is_declared_where_it_holds(name, factor):
    """f(a x) = a f(x) for a > 0, if and only if the flag is set."""
    function = ACTIVATIONS[name]
    error = np.abs(function.value(factor * X) - factor * function.value(X)).max()
    assert error < 1e-13 if function.positively_homogeneous else error > 1e-3


@every_activation
def test_idempotence_is_declared_where_it_holds(name):
    """f(f(x)) = f(x), if and only if the flag is set; leaky ReLU is piecewise linear and has it not."""
    function = ACTIVATIONS[name]
    once = function.value(X)
    error = np.abs(function.value(once) - once).max()
    assert error == 0 if function.idempotent else error > 1e-3


SELECTION = np.eye(3)[:, [2, 0, 0, 1]]  # copies and drops channels
MONOMIAL = SELECTION * [0.5, 2, 3, 1]
MIXING = np.random.default_rng(0).normal(size=(3, 4))


@every_activation
def test_channel_maps_pass_as_declared(name):
    """layer(h M) = layer(h) M for the declared kind of M, and not for the next more general one."""
    layer, h = Activation(name), np.random.default_rng(1).normal(0, 4, (50, 3))
    errors = {
        kind: np.abs(layer.forward(h @ m) - layer.forward(h) @ m).max()
        for kind, m in zip(Passes, (None, SELECTION, MONOMIAL, MIXING), strict=True)
        if m is not None
    }
    for kind, error in errors.items():
        assert error < 1e-12 if kind <= layer.passes else error > 1e-3, kind


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in ("clip", "exponential")]
)
def test_no_function_is_steeper_than_its_bound_on_rounding_says(name):
    """Where errors are multiplied by a slope; and what is bent but not rounded carries none into its flat parts."""
    layer, x = Activation(name), np.linspace(-20, 20, 40001)
    slope = np.abs(layer.definition.derivative(x, layer.forward(x))).max()
    carried = layer.error_behind(x, np.full(x.shape, 0.01), 0.0).max()
    assert slope * 0.01 <= carried * (1 + 1e-9)
    if name in BENT:
        assert layer.error_behind(np.array([-2.0, 2.0]), np.array([1.0, 1.0]), 1e-7).tolist() == [
            0,
            1,
        ]


def test_unknown_names_are_refused():
    """The error lists the known ones."""
    with pytest.raises(
        NetworkError, match=r"Activation.function 'swish' is not one of linear, relu"
    ):
        Activation("swish")
