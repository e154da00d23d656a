import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from nas_surgery.network import Dense, Flatten, Network, keyed_generator
from nas_surgery.surgery import Fresh, WidthMap, change_width, selection
from nas_surgery.testing.builders import Unbiased, build

GENERATOR = np.random.default_rng(0)


def network(shape=4, positions=1, writer=5, reader=3, dtype=np.float64):
    """in → writer → tanh → (Flatten) → reader."""
    start = shape if positions == 1 else (positions, shape)
    middle = [] if positions == 1 else [Flatten()]
    return build(start, writer, "tanh", *middle, reader, dtype=dtype)


def random_map(n, m, fresh=0, fan_in=4, seed=0):
    """A dense (E, R, D, o) without any structure."""
    generator = keyed_generator(seed, "map")
    encode = generator.normal(size=(n, m + fresh))
    encode[:, m:] = 0
    new = Fresh(generator.normal(size=(fan_in, fresh)), generator.normal(size=fresh))
    return WidthMap(
        encode,
        generator.normal(size=(m + fresh, n)),
        generator.normal(size=n),
        (new,) if fresh else (),
    )


@given(st.integers(1, 7), st.integers(0, 3), st.integers(1, 3), st.integers(0, 99))
def test_random_maps_agree_with_the_formulas(m, fresh, positions, seed):
    """W' = W E + R, b' = b E + r; V' = (I ⊗ D) V and c' = c + tiled o · V at every position."""
    old = network(positions=positions)
    change = random_map(5, m, fresh, seed=seed)
    edited = change_width(old, old.groups()[0], change).network
    writer, reader = old.layers[0], old.layers[-1]
    kernel, bias = writer.kernel @ change.encode, writer.bias @ change.encode
    if fresh:
        kernel[:, m:] += change.fresh[0].kernel
        bias[m:] += change.fresh[0].bias
    assert edited.layers[0].units == m + fresh
    assert np.allclose(edited.layers[0].kernel, kernel, atol=1e-13)
    assert np.allclose(edited.layers[0].bias, bias, atol=1e-13)
    decode = np.kron(np.eye(positions), change.decode)
    offset = np.tile(change.offset, positions)
    assert np.allclose(edited.layers[-1].kernel, decode @ reader.kernel, atol=1e-13)
    assert np.allclose(edited.layers[-1].bias, reader.bias + offset @ reader.kernel, atol=1e-13)


@given(st.integers(0, 99), st.integers(1, 9))
def test_sparse_and_dense_maps_give_the_same_network(seed, m):
    """Sparsity only saves work."""
    old = network(positions=2)
    indices = keyed_generator(seed, "indices").integers(5, size=m)
    weights = keyed_generator(seed, "weights").uniform(0.5, 2, m)
    encode, decode = selection(indices, 5, weights), selection(indices, 5).T
    results = [
        change_width(old, old.groups()[0], WidthMap(e, d)).network
        for e, d in ((encode, decode), (encode.toarray(), decode.toarray()))
    ]
    for name, array in results[0].parameters().items():
        assert np.allclose(array, results[1].parameters()[name], atol=1e-15)


def test_selection_copies_drops_and_weighs():
    """Column j of E holds `weights[j]` at row `indices[j]`."""
    assert selection(np.array([2, 0, 2]), 3).toarray().tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    weighed = selection(np.array([1, 1]), 2, np.array([0.25, 0.75]))
    assert weighed.toarray().tolist() == [[0, 0], [0.25, 0.75]]
    assert sparse.issparse(weighed)


def test_only_writer_and_reader_change():
    """Every other layer is the same object, and the original is left as it was."""
    old = build(4, 6, "relu", 5, "tanh", 3)
    before = {name: array.copy() for name, array in old.parameters().items()}
    edited = change_width(old, old.groups()[1], random_map(5, 4)).network
    assert [a is b for a, b in zip(old.layers, edited.layers, strict=True)] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert all(np.array_equal(before[name], array) for name, array in old.parameters().items())


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_bias_appears_only_where_it_is_needed(shift):
    """New units with a bias give a writer without one a bias, and an offset gives one to the reader."""
    old = network(writer=Unbiased(5), reader=Unbiased(3))
    fresh = Fresh(np.ones((4, 1)), np.full(1, shift))
    encode, decode = np.eye(5, 6), np.eye(6, 5)
    change = WidthMap(encode, decode, np.full(5, shift), (fresh,))
    edited = change_width(old, old.groups()[0], change).network
    if shift:
        assert edited.layers[0].bias.tolist() == [0, 0, 0, 0, 0, shift]
        assert np.allclose(edited.layers[-1].bias, shift * old.layers[-1].kernel.sum(axis=0))
    else:
        assert edited.layers[0].bias is None
        assert edited.layers[-1].bias is None


def test_float32_networks_are_computed_in_float64_and_cast_once():
    """The result equals the float64 result rounded at the end, which float32 products would miss."""
    wide = network(shape=200, writer=5)
    change = random_map(5, 5, fan_in=200)
    narrow = wide.astype(np.float32)
    exact = change_width(wide, wide.groups()[0], change).network.astype(np.float32)
    edited = change_width(narrow, narrow.groups()[0], change).network
    assert edited.equals(exact)


def test_results_are_read_only():
    """Edited layers are as immutable as any."""
    old = network()
    edited = change_width(old, old.groups()[0], random_map(5, 4)).network
    assert not any(array.flags.writeable for array in edited.parameters().values())


def test_a_hidden_linear_layer_of_any_depth_is_reached():
    """The last group of a deep network too: edit it to the identity and nothing changes."""
    old = build(4, 6, "relu", 5, "tanh", 7, "gelu", 3)
    for group in old.groups():
        identity = WidthMap(np.eye(group.size), np.eye(group.size))
        assert change_width(old, group, identity).network.equals(old)


def test_a_map_that_does_not_fit_is_an_error():
    """E and D must have as many rows and columns as the group has channels."""
    old = network()
    with pytest.raises(ValueError, match="match"):
        change_width(old, old.groups()[0], random_map(4, 3))


def test_linear_networks_compose_with_any_map():
    """Without an activation, x (W E) + b E is the old h mapped by E."""
    old = Network(4, [Dense(GENERATOR.normal(size=(4, 5)), np.ones(5)), Dense(np.eye(5))])
    change = random_map(5, 3)
    edited = change_width(old, old.groups()[0], change).network
    x = GENERATOR.normal(size=(6, 4))
    h = old.forward(x, stop=1)
    assert np.allclose(edited.forward(x, stop=1), h @ change.encode, atol=1e-13)
    wanted = h @ change.encode @ change.decode + change.offset
    assert np.allclose(edited.forward(x), wanted, atol=1e-13)
