"""Readers fitted in order make up for channels that are gone, as far as the others can."""

import numpy as np
import pytest

from nas_surgery.network import (
    Activation,
    Array,
    Conv,
    Dense,
    Flatten,
    Network,
    fan_in,
    kernel_of,
    keyed_generator,
)
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.refit import refitted
from nas_surgery.testing.zoo import ZOO, zoo_inputs


def drawn(*shape: int, seed: int = 0) -> Array:
    return keyed_generator(seed, "weights").normal(size=shape)


def doubled(seed: int = 0) -> Network:
    """A convolution whose last two channels are sums of the first two, read by another with zeros beside."""
    kernel = drawn(3, 3, 2, 4, seed=seed)
    kernel[..., 2:] = kernel[..., :2] @ np.array([[1.0, 2.0], [-1.0, 0.5]])
    bias = drawn(4, seed=seed + 1)
    bias[2:] = bias[:2] @ np.array([[1.0, 2.0], [-1.0, 0.5]])
    layers = [
        Conv(kernel, bias, padding="same"),
        Conv(drawn(3, 3, 4, 3, seed=seed + 2), drawn(3, seed=seed + 3), padding="same"),
        Activation("relu"),
        Flatten(),
        Dense(drawn(5 * 4 * 3, 2, seed=seed + 4), drawn(2, seed=seed + 5)),
    ]
    return Network((5, 4, 2), layers)


def test_channels_that_others_tell_leave_nothing_behind():
    """Zeros beside the inputs included, on samples that were not fitted to."""
    network = doubled()
    x = drawn(64, 5, 4, 2, seed=7)
    small, cuts = narrowed(network, [(network.groups()[0], np.array([0, 1]))])
    fitted, drifts = refitted(network, small, cuts, x)
    new = drawn(16, 5, 4, 2, seed=8)
    before = network.forward(new)
    assert np.abs(small.forward(new) - before).max() > 0.1 * np.abs(before).max()
    assert np.abs(fitted.forward(new) - before).max() <= 1e-3 * np.abs(before).max()
    assert [drift.address for drift in drifts] == [1, 4]
    assert drifts[0].after <= 1e-4 < drifts[0].before


@pytest.mark.parametrize("name", sorted(set(ZOO) - {"resnet20", "unet", "densenet", "lenet"}))
def test_every_architecture_is_closer_when_fitted(name):
    """A quarter of the channels of each group gone: outputs on new samples, and no size changes."""
    network = ZOO[name](dtype=np.float64)
    choices = [
        (group, np.flatnonzero(_kept(group)))
        for group in network.groups()
        if group.size > group.step and not group.ends
    ]
    small, cuts = narrowed(network, choices)
    fitted, _ = refitted(network, small, cuts, zoo_inputs(network, 48, 1))
    new = zoo_inputs(network, 24, 2)
    before = network.forward(new)
    lost = [np.linalg.norm(each.forward(new) - before) for each in (small, fitted)]
    assert lost[1] < lost[0]
    assert fitted.macs == small.macs < network.macs


def test_the_same_seed_gives_the_same_weights():
    """Which rows are looked at follows from seed and layer alone."""
    network = ZOO["resnet8"]()
    choices = [(group, np.arange(group.size // 2)) for group in network.groups()]
    small, cuts = narrowed(network, choices)
    x = zoo_inputs(network, 8, 1)
    first, again = (refitted(network, small, cuts, x, seed=3)[0] for _ in range(2))
    assert first.equals(again)


def test_blocks_are_fitted_apart():
    """What a grouped convolution weighs of other blocks stays nothing."""
    layers = [
        Conv(drawn(3, 3, 1, 8), drawn(8), padding="same"),
        Activation("relu"),
        Conv(drawn(3, 3, 4, 6, seed=1), drawn(6), padding="same", groups=2),
        Flatten(),
        Dense(drawn(4 * 4 * 6, 2, seed=2)),
    ]
    network = Network((4, 4, 1), layers)
    group = network.groups()[0]
    small, cuts = narrowed(network, [(group, np.array([0, 2, 5, 7]))])
    fitted, drifts = refitted(network, small, cuts, drawn(200, 4, 4, 1, seed=5))
    kernel = kernel_of(fitted.layers[2])
    assert fan_in(fitted.layers[2]) == 4
    assert not kernel[:2, ..., 3:].any()
    assert not kernel[2:, ..., :3].any()
    assert all(drift.after <= drift.before for drift in drifts)


def _kept(group) -> Array:
    """Three of every four channels of each cell."""
    cells = np.zeros(group.size, int) if group.cells is None else np.array(group.cells)
    kept = np.ones(group.size, bool)
    for cell in range(group.step):
        mine = np.flatnonzero(cells == cell)
        kept[mine[len(mine) - max(1, len(mine) // 4) :]] = len(mine) == 1
    return kept
