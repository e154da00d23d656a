import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import keyed_generator

keys = st.tuples(
    st.integers(0, 2**64), st.text("abc", max_size=4), st.lists(st.integers(0, 2**31), max_size=3)
)


@given(keys)
def test_a_key_always_gives_the_same_stream(key):
    """Whatever was drawn from other generators meanwhile."""
    seed, purpose, ids = key
    first = keyed_generator(seed, purpose, *ids).random(4)
    keyed_generator(seed + 1, purpose).random(9)
    np.random.random(3)
    assert np.array_equal(keyed_generator(seed, purpose, *ids).random(4), first)


@given(keys, keys)
def test_different_keys_give_different_streams(one, other):
    """Seed, purpose, ids and their number all count."""
    streams = [
        keyed_generator(seed, purpose, *ids).random(2) for seed, purpose, ids in (one, other)
    ]
    assert np.array_equal(*streams) == (one == other)


@pytest.mark.parametrize("other", [(1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a"), (0, "a", 0, 0)])
def test_streams_of_neighbouring_keys_are_uncorrelated(other):
    """|r| of 10,000 draws stays within five standard errors."""
    one = keyed_generator(0, "a", 0).normal(size=10_000)
    r = np.corrcoef(one, keyed_generator(*other).normal(size=10_000))[0, 1]
    assert abs(r) < 5 / np.sqrt(10_000)


def test_streams_are_the_same_on_every_machine_and_release():
    """Journals are replayed years later: these values may never change."""
    generator = keyed_generator(6, "batches", 2)
    assert generator.permutation(8).tolist() == [1, 6, 4, 5, 2, 7, 3, 0]
    assert generator.integers(0, 1000, 4).tolist() == [613, 925, 754, 866]
