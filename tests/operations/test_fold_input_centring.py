import numpy as np
import pytest
from hypothesis import given

from nas_surgery.errors import OperationError
from nas_surgery.network import Flatten, Network, Normalize
from nas_surgery.operations import Context, FoldInputCentring
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import inputs, networks, seeds

CENTRE = FoldInputCentring("centre")


@given(networks(bare_inputs=True), seeds)
def test_centring_leaves_the_function_alone_and_centres_what_the_first_layer_reads(network, seed):
    """(x - m) W + (b + m W) = x W + b, on other inputs than the probe too, for every network."""
    probe = inputs(network, 50, seed) + 3.0
    surgery = CENTRE.apply(network, Context(probe=probe))
    assert surgery.promise.exact
    first = next(i for i, layer in enumerate(surgery.network.layers) if layer.trainable)
    width = surgery.network.layers[first].fan_in
    seen = surgery.network.forward(probe, stop=first).reshape(-1, width)
    assert np.abs(seen.mean(axis=0)).max() < 1e-12 * max(1, np.abs(probe).max()) * 100
    x = inputs(network, 20, seed + 1)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-10)


@given(networks(bare_inputs=True), seeds)
def test_folding_undoes_centring(network, seed):
    """What "centre" adds, "fold" takes away: no mean is subtracted any more, the outputs stay."""
    centred = CENTRE(network, probe=inputs(network, 50, seed))
    surgery = FoldInputCentring().apply(centred)
    held = [layer for layer in surgery.network.layers if isinstance(layer, Normalize)]
    assert surgery.promise.exact
    assert not any(layer.mean.any() for layer in held)
    x = inputs(network, 20, seed + 1)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_normalize_goes_only_if_it_no_longer_scales(scale):
    """Images: a mean per pixel in front of a Flatten is folded into the bias; another scale stays."""
    mean = np.arange(6.0).reshape(2, 3)
    network = build((2, 3), Normalize(mean, np.array(scale)), Flatten(), 4, "relu", 2)
    edited = FoldInputCentring()(network)
    assert [layer.kind for layer in edited.layers[:2]] == (
        ["flatten", "dense"] if scale == 1 else ["normalize", "flatten"]
    )
    wanted = network.layers[2].bias - (mean.ravel() / scale) @ network.layers[2].kernel
    assert np.allclose(next(x for x in edited.layers if x.trainable).bias, wanted, atol=1e-12)


def test_layers_without_a_bias_get_one():
    """The mean has to go somewhere."""
    network = build(3, Normalize(np.ones(3), np.ones(3)), Unbiased(2))
    edited = FoldInputCentring()(network)
    assert np.allclose(edited.layers[0].bias, -network.layers[1].kernel.sum(axis=0))


def test_nothing_to_fold_is_said():
    """Without a mean the very same network comes back."""
    network = build(3, 4, "relu", 2)
    surgery = FoldInputCentring().apply(network)
    assert surgery.network is network
    assert surgery.promise.exact


def test_a_mean_that_differs_between_positions_cannot_be_one_bias():
    """Positions that share the first layer's weights share its bias."""
    mean = np.arange(6.0).reshape(2, 3)
    network = build((2, 3), Normalize(mean, np.array(1.0)), 4, "relu", Flatten(), 2)
    with pytest.raises(OperationError, match="differs between positions"):
        FoldInputCentring()(network)


def test_centring_needs_a_probe():
    """The error says what for."""
    with pytest.raises(OperationError, match="needs a probe"):
        CENTRE(build(3, 4, "relu", 2))


def test_layers_before_the_first_linear_one_are_refused():
    """Behind an activation the mean is no longer that of the inputs."""
    network = Network(3, build(3, "relu", 4, "relu", 2).layers)
    with pytest.raises(OperationError, match="before the first linear"):
        FoldInputCentring().apply(
            network.replace({0: (Normalize(np.ones(3), np.ones(3)), network.layers[0])})
        )


@pytest.mark.parametrize("deviations", [10, 1000])
@pytest.mark.parametrize("probed", [False, True])
def test_a_fold_that_would_lose_digits_is_left_out(deviations, probed):
    """Means many standard deviations from zero stay a Normalize: in float32, not in float64."""
    mean, scale = np.full(30, 5.0 * deviations), np.full(30, 1.0 if probed else 5.0)
    network = build(30, Normalize(mean, scale), 8, "relu", 3)
    x = (mean + 2.5 * inputs(build(30, 1), 40)).astype(np.float32)
    probe = x if probed else None
    for dtype, loses in ((np.float32, deviations > 100), (np.float64, False)):
        surgery = FoldInputCentring().apply(network.astype(dtype), Context(probe=probe))
        assert (
            any(layer.kind == "normalize" and layer.mean.any() for layer in surgery.network.layers)
            == loses
        )
        assert surgery.promise.exact
        assert surgery.promise.reason.startswith("kept") == loses
        error = np.abs(surgery.network.forward(x) - network.forward(x)).max()
        assert error < 1e-5 * np.abs(network.forward(x)).max()
