"""Networks that fork and join."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given

from nas_surgery.network import (
    Activation,
    Add,
    Concat,
    Dropout,
    Network,
    NetworkError,
    Normalize,
    keyed_generator,
)
from nas_surgery.network.rounding import bounded_forward
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.builders import random_dense
from nas_surgery.testing.networks import forked, networks

GENERATOR = np.random.default_rng(0)
RELU = Activation("relu")


def dense(fan_in, units):
    return random_dense(GENERATOR, fan_in, units)


def residual():
    """h = A x; h + C relu(B h), read by the last layer."""
    layers = [dense(4, 3), dense(3, 5), RELU, dense(5, 3), Add(), dense(3, 2)]
    return Network(4, layers, {4: (0, 3)})


def batch(network, count=6):
    return keyed_generator(0, "x").normal(size=(count, *network.input_shape))


def reference(network, x):
    """Layer by layer, with everything kept."""
    held = {-1: x}
    for address, layer in enumerate(network.layers):
        sources = network.wires.get(address, (address - 1,))
        held[address] = layer.forward(*(held[source] for source in sources))
    return held


def test_a_residual_block_computes_what_its_formula_says():
    """And says what it is."""
    network = residual()
    a, b, _, c, _, d = network.layers
    x = batch(network)
    h = x @ a.kernel + a.bias
    block = np.maximum(h @ b.kernel + b.bias, 0) @ c.kernel + c.bias
    assert np.allclose(network.forward(x), (h + block) @ d.kernel + d.bias, atol=1e-14)
    assert np.array_equal(network.predict(x), network.forward(x))
    assert network.shapes == ((4,), (3,), (5,), (5,), (3,), (3,), (2,))
    assert network.macs == 12 + 15 + 15 + 6
    assert "<Network 4-3-5-2, 1 join, " in repr(network)
    assert "Add of 0, 3" in network.summary()


@given(forked())
def test_forward_gives_each_layer_what_its_sources_gave(network):
    """At any place where it may stop or go on, and in float32 within the bound of rounding."""
    x = batch(network)
    held = reference(network, x)
    for stop in range(len(network.layers) + 1):
        assert np.array_equal(network.forward(x, stop=stop), held[stop - 1])
    start = network.prefix
    assert np.array_equal(network.forward(held[start - 1], start=start), network.forward(x))
    narrow = network.astype(np.float32)
    exact, bound = bounded_forward(narrow, x, unit_roundoff(np.float32))
    assert np.all(np.abs(narrow.forward(x) - exact) <= bound)


@given(networks())
def test_a_chain_has_no_wires(network):
    """Also if its sources are written out; so nothing that is said of chains changes."""
    wires = {address: [address - 1] for address in range(len(network.layers))}
    again = Network(network.input_shape, network.layers, wires)
    assert not again.wires
    assert again.equals(network)
    assert repr(again) == repr(network)


def test_wires_are_a_value():
    """Compared by what they hold, never changed, pickled and copied with their network."""
    network = residual()
    assert dict(network.wires) == {4: (0, 3)}
    assert not network.equals(Network(4, network.layers, {4: (3, 0)}))
    with pytest.raises(TypeError):
        network.wires[4] = (0, 1)
    for again in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert again.equals(network)
    assert repr(network.wires) == "Wires({4: (0, 3)})"


def test_casts_and_new_weights_keep_the_wires():
    """And the labels of classes."""
    network = residual().astype(np.float32)
    assert network.wires == residual().wires
    values = {name: 2 * array for name, array in network.parameters().items()}
    assert network.with_parameters(values).wires == network.wires


A, B = dense(4, 4), dense(4, 4)
WRONG = {
    "ahead": ([A, B, Add()], {1: (1,), 2: (0, 1)}, r"layer 1: Dense cannot read layer 1; .* to 0"),
    "below": (
        [A, B, Add()],
        {2: (-2, 1)},
        r"layer 2: Add cannot read layer -2; .*-1 \(the input\)",
    ),
    "unread": ([A, B], {1: (-1,)}, "layer 0: no layer reads this Dense; only the last is"),
    "one": ([A, Add()], {}, "layer 1: Add takes two sources or more, named in wires, got 0"),
    "two": ([A, B], {1: (-1, 0)}, "layer 1: Dense takes one source, got -1, 0"),
    "none": ([A, B], {1: ()}, "layer 1: Dense takes one source, got none"),
    "nobody": ([A], {3: (0, 1)}, "wires: there is no layer 3; addresses are 0 to 0"),
    "shapes": ([A, dense(4, 3), Add()], {2: (0, 1)}, "layer 2: Add needs sources of one shape"),
    "kind": ([A], {0: "01"}, "wires: layer 0 needs a list of sources, got"),
    "key": ([A], {"0": (1,)}, "wires: addresses are whole numbers, got"),
    "table": ([A], [(0, 1)], "wires: sources by address are needed, got"),
    "late": ([A, Normalize(0.0, 1.0), Add()], {1: (-1,), 2: (0, 1)}, "layer 1: Normalize must"),
}


@pytest.mark.parametrize(("layers", "wires", "message"), WRONG.values(), ids=WRONG)
def test_wires_that_do_not_fit_are_refused(layers, wires, message):
    """With the layer, the rule and what came."""
    with pytest.raises(NetworkError, match=message):
        Network(4, layers, wires)


def test_a_start_that_others_read_around_is_refused():
    """Since what they read is not there."""
    network = residual()
    with pytest.raises(NetworkError, match="layer 4 reads layer 0, so no start at layer 3"):
        network.forward(np.zeros((1, 5)), start=3)


def test_the_prefix_ends_where_somebody_reads_into_it():
    """So that what has passed it is all that the rest needs."""
    layers = [Normalize(0.0, 2.0), Activation("tanh"), dense(4, 4), Add(), dense(4, 2)]
    assert Network(4, layers, {3: (1, 2)}).prefix == 2
    assert Network(4, layers, {3: (0, 2)}).prefix == 1
    assert Network(4, layers, {3: (-1, 2)}).prefix == 0


def test_replaced_layers_take_their_wires_along():
    """Two in place of one: the first reads what it read, and its readers read the second."""
    network = residual()
    doubled = network.replace({0: (dense(4, 3), RELU), 3: (Dropout(0.1), dense(5, 3), RELU)})
    assert dict(doubled.wires) == {7: (1, 6)}
    shortened = network.replace({2: ()})
    assert dict(shortened.wires) == {3: (0, 2)}
    assert shortened.layers[3] is network.layers[4]
    bare = network.replace({1: (), 2: (), 3: ()})
    assert dict(bare.wires) == {1: (0, 0)}
    with pytest.raises(NetworkError, match="layer 4: what joins 2 sources cannot be dropped"):
        network.replace({4: ()})


@given(forked())
def test_identities_behind_every_layer_change_nothing(network):
    """Nor do they go without a trace: taken out again, the network is the same."""
    linear = Activation("linear")
    longer = network.replace({i: (layer, linear) for i, layer in enumerate(network.layers)})
    x = batch(network)
    assert np.array_equal(longer.forward(x), network.forward(x))
    again = longer.replace({2 * i + 1: () for i in range(len(network.layers))})
    assert again.equals(network)


def test_concatenations_of_inputs_and_layers():
    """A source may be the input, and may be named twice."""
    network = Network(2, [dense(2, 3), Concat(), dense(7, 1)], {1: (-1, 0, -1)})
    x = batch(network)
    h = np.concatenate([x, network.layers[0].forward(x), x], axis=1)
    assert np.array_equal(network.forward(x), network.layers[2].forward(h))
    assert "Concat of input, 0, input" in network.summary()
