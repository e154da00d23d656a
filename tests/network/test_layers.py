import attrs
import numpy as np
import pytest

from nas_surgery.network import (
    LAYERS,
    Activation,
    Dense,
    Dropout,
    Flatten,
    NetworkError,
    Normalize,
    Passes,
)

KERNEL = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(np.ones(3)), r"Dense.kernel needs shape \(in, out\), got \(3,\)"),
        (lambda: Dense(np.ones((2, 3, 4))), r"Dense.kernel needs shape \(in, out\)"),
        (lambda: Dense(np.ones((0, 3))), r"Dense.kernel needs shape \(in, out\), got \(0, 3\)"),
        (lambda: Dense(np.ones((3, 0))), r"got \(3, 0\)"),
        (lambda: Dense(KERNEL, np.ones(2)), r"Dense.bias needs shape \(3,\) .* got \(2,\)"),
        (lambda: Dense(KERNEL, np.ones((1, 3))), r"Dense.bias needs shape \(3,\)"),
        (lambda: Dense([["a"]]), "an array of numbers is needed"),
        (lambda: Dropout(1.0), r"Dropout.rate must be in \[0, 1\), got 1.0"),
        (lambda: Dropout(-0.1), r"Dropout.rate must be in \[0, 1\)"),
        (lambda: Dropout(float("nan")), r"Dropout.rate must be in \[0, 1\)"),
        (lambda: Normalize(0.0, [1.0, 0.0]), "Normalize.scale must not contain zeros"),
    ],
)
def test_invalid_fields_are_refused(make, message):
    """Each error names the layer, the field, the rule and the shapes."""
    with pytest.raises(NetworkError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Dense(KERNEL), (3,), r"Dense.kernel \(2, 3\) needs 2 input channels, got .*\(3,\)"),
        (Dense(KERNEL), (2, 4), "needs 2 input channels"),
        (Normalize(np.zeros(2), 1.0), (3,), r"Normalize.mean of shape \(2,\) does not broadcast"),
        (Normalize(0.0, np.ones((4, 1, 3))), (4, 3), "Normalize.scale of shape"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    """A layer says which input shape it cannot take."""
    with pytest.raises(NetworkError, match=message):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("layer", "before", "behind"),
    [
        (Dense(KERNEL), (2,), (3,)),
        (Dense(KERNEL), (5, 4, 2), (5, 4, 3)),
        (Activation("tanh"), (5, 4), (5, 4)),
        (Flatten(), (5, 4, 2), (40,)),
        (Flatten(), (7,), (7,)),
        (Dropout(0.5), (5, 4), (5, 4)),
        (Normalize(1.0, 2.0), (5, 4), (5, 4)),
        (Normalize(np.ones(4), np.ones((1, 4))), (5, 4), (5, 4)),
    ],
)
def test_shapes_are_those_of_the_outputs(layer, before, behind):
    """`output_shape` says what `forward` gives, for no sample and for some."""
    assert layer.output_shape(before) == behind
    for count in (0, 3):
        assert layer.forward(np.ones((count, *before))).shape == (count, *behind)


def test_dense_acts_on_the_last_axis():
    """y[..., o] = Σ_i x[..., i] kernel[i, o] + bias[o]."""
    generator = np.random.default_rng(0)
    x, kernel, bias = (generator.normal(size=s) for s in ((5, 4, 2), (2, 3), (3,)))
    wanted = np.array([[[sum(p * kernel[:, o]) + bias[o] for o in range(3)] for p in r] for r in x])
    assert np.allclose(Dense(kernel, bias).forward(x), wanted, atol=1e-14)
    assert np.allclose(Dense(kernel).forward(x), wanted - bias, atol=1e-14)


def test_flatten_keeps_channels_innermost():
    """Positions outer, channels inner: the first C values are the channels of position 0."""
    x = np.arange(24).reshape(1, 2, 3, 4)
    assert Flatten().forward(x)[0].tolist() == list(range(24))


def test_normalize_subtracts_and_divides_per_channel():
    """(x - mean) / scale, not times scale."""
    layer = Normalize([1.0, 2.0], [2.0, 4.0])
    assert layer.forward(np.array([[3.0, 10.0]])).tolist() == [[1.0, 2.0]]


def test_dropout_is_the_identity_in_inference():
    """It only acts in training."""
    x = np.ones((2, 3))
    assert np.array_equal(Dropout(0.9).forward(x), x)


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [(Dense(KERNEL), (2,), 6), (Dense(KERNEL), (5, 4, 2), 120), (Activation("tanh"), (9,), 0)],
)
def test_multiply_accumulates_are_counted_by_position(layer, shape, macs):
    """A Dense on the last axis is applied at every position."""
    assert layer.macs(shape) == macs


def test_only_weights_are_trainable():
    """Normalize has arrays that no optimizer may touch."""
    dense, normalize = Dense(KERNEL, np.ones(3)), Normalize(1.0, 2.0)
    assert set(dense.arrays()) == set(dense.parameters()) == {"kernel", "bias"}
    assert set(Dense(KERNEL).parameters()) == {"kernel"}
    assert set(normalize.arrays()) == {"mean", "scale"}
    assert normalize.parameters() == {}


def test_layers_are_values():
    """Neither fields nor arrays can be changed, nor through the arrays they were made from."""
    kernel = KERNEL.copy()
    layer = Dense(kernel)
    kernel[:] = 9
    assert np.array_equal(layer.kernel, KERNEL)
    with pytest.raises(ValueError, match="read-only"):
        layer.kernel[0, 0] = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        layer.kernel = kernel


@pytest.mark.parametrize(
    "layer",
    [Dense(KERNEL), Activation("relu"), Flatten(), Dropout(0.25), Normalize(1.0, 2.0)],
    ids=lambda layer: layer.kind,
)
def test_kind_config_and_arrays_rebuild_a_layer(layer):
    """What storage writes is all there is."""
    again = LAYERS[layer.kind](**layer.config(), **layer.arrays())
    assert type(again) is type(layer)
    assert again.config() == layer.config()
    assert all(np.array_equal(again.arrays()[k], v) for k, v in layer.arrays().items())


def test_linear_passers_let_every_map_through():
    """Flatten (by tiling) and Dropout; what mixes channels lets nothing through."""
    assert Flatten().passes is Dropout(0.5).passes is Passes.ANY
    assert Dense(KERNEL).passes is Normalize(0.0, 1.0).passes is Passes.NOTHING
