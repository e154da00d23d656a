"""Optimizer state of every role that channels play, against finite differences."""

import numpy as np
import pytest

from nas_surgery.network import GRU, LSTM, Add, GlobalAveragePool
from nas_surgery.operations import AddBlock, AddNeurons, Context, MergeBatchNorm
from nas_surgery.surgery import carry_slots
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.promise import approximate
from nas_surgery.surgery.result import Surgery
from nas_surgery.testing.builders import labelled
from nas_surgery.testing.oracles import numerical_gradient
from nas_surgery.testing.wiring import Wiring


def residual():
    """A stream of three channels through BatchNorms and a depthwise convolution."""
    net = Wiring((3, 3, 1), 1)
    net.conv(3, 2)
    net.batch_norm()
    first = net.activate("tanh")
    net.depthwise()
    net.conv(3, 2)
    net.add(Add(), first, net.batch_norm())
    net.conv(2, 1)
    net.activate("tanh")
    net.add(GlobalAveragePool())
    net.dense(3)
    return net.network(np.float64)


def recurrent(kind, gates, *biases):
    """A recurrent layer, and one that reads its sequence."""
    net = Wiring((3, 2), 2)
    for units, sequences in ((3, True), (2, False)):
        kernel = net.normal(net.width(), gates, units)
        arrays = [net.normal(*shape, gates, units) for shape in ((units,), (), *biases)]
        net.add(kind(kernel, *arrays, sequences=sequences))
    net.dense(3)
    return net.network(np.float64)


NETWORKS = {
    "residual": residual(),
    "lstm": recurrent(LSTM, 4),
    "gru": recurrent(GRU, 3, ()),
}


def gradient(network, samples):
    return numerical_gradient(network, samples, "cross_entropy")


def carried(network, surgery, samples):
    values = {"velocity": gradient(network, samples)}
    return carry_slots(values, network, surgery)["velocity"]


@pytest.mark.parametrize("name", NETWORKS)
def test_copies_share_the_gradients_of_what_they_copy(name):
    """In writers, readers, what recurs, and what stands between: as finite differences give them."""
    network = NETWORKS[name]
    samples = labelled(network, 6)
    surgery = AddNeurons(0, 2, "split").apply(network, Context(1))
    assert surgery.promise.exact
    moved, after = carried(network, surgery, samples), gradient(surgery.network, samples)
    for field, values in after.items():
        assert np.allclose(moved[field], values, atol=1e-7), field


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_keeps_its_gradients(name):
    """Of a network whose last unit is read by nobody, in a group that is cut by numbers alone."""
    network = NETWORKS[name]
    group = network.groups()[0]
    grown = AddNeurons(0, 1, "zero").apply(network, Context(1)).network
    samples = labelled(grown, 6)
    wide = next(g for g in grown.groups() if g.writers == group.writers)
    small, cuts = narrowed(grown, [(wide, np.arange(group.size))])
    surgery = Surgery(small, approximate("cut"), carried=cuts)
    moved, after = carried(grown, surgery, samples), gradient(small, samples)
    for field, values in after.items():
        assert np.allclose(moved[field], values, atol=1e-7), field


def test_a_merged_layer_has_the_gradient_of_the_product():
    """W' = W f has 1/f of the gradient of W."""
    network = NETWORKS["residual"]
    samples = labelled(network, 6)
    surgery = MergeBatchNorm(1).apply(network)
    moved, after = carried(network, surgery, samples), gradient(surgery.network, samples)
    assert np.allclose(moved["layers.0.kernel"], after["layers.0.kernel"], atol=1e-7)
    assert np.allclose(moved["layers.3.kernel"], after["layers.3.kernel"], atol=1e-7)


def test_what_stands_around_a_new_block_keeps_its_gradients():
    """It adds nothing yet, so nothing else changes; its own layers start at zero."""
    network = NETWORKS["residual"]
    samples = labelled(network, 6)
    surgery = AddBlock(0, 2).apply(network, Context(1))
    moved, after = carried(network, surgery, samples), gradient(surgery.network, samples)
    assert np.allclose(moved["layers.0.kernel"], after["layers.0.kernel"], atol=1e-7)
    assert not moved["layers.3.kernel"].any()
    assert np.allclose(moved["layers.8.kernel"], after["layers.8.kernel"], atol=1e-7)
