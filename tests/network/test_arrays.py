import numpy as np
import pytest

from nas_surgery.network import NetworkError, frozen_array, own


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], np.float32),
        ([True, False], np.float32),
        (np.array([1, 2], np.uint8), np.float32),
        (np.array([1, 2], np.float16), np.float32),
        (np.array([1, 2], ">f8"), np.float32),
        (np.array([1, 2], np.float32), np.float32),
        (np.array([1, 2], np.float64), np.float64),
        (3, np.float32),
    ],
)
def test_numbers_become_read_only_floats(values, dtype):
    """Native float64 stays; every other number becomes float32; the values stay."""
    array = frozen_array(values)
    assert array.dtype == dtype
    assert np.array_equal(array, np.asarray(values))
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


@pytest.mark.parametrize("values", [["a"], [None], [1j], [{}], np.array(["2020-01-01"], "M8[D]")])
def test_what_is_not_numeric_is_refused(values):
    """The error names the dtype."""
    with pytest.raises(NetworkError, match=str(np.asarray(values).dtype).replace("[", r"\[")):
        frozen_array(values)


def test_writable_memory_is_copied():
    """Nobody can change a frozen array through the array it was made from."""
    source = np.ones(3)
    frozen = frozen_array(source)
    source[:] = 5
    assert frozen.tolist() == [1, 1, 1]


def test_a_read_only_view_of_writable_memory_is_copied():
    """A view may be read-only while its base is not."""
    source = np.ones(3)
    view = source[:]
    view.flags.writeable = False
    assert not np.shares_memory(frozen_array(view), source)


def test_a_view_of_a_mutable_buffer_is_copied():
    """A bytearray can change under a read-only array; bytes cannot."""
    mutable = np.frombuffer(bytearray(8), np.float64)
    mutable.flags.writeable = False
    immutable = np.frombuffer(bytes(8), np.float64)
    assert frozen_array(mutable) is not mutable
    assert frozen_array(immutable) is immutable


def test_frozen_arrays_are_shared():
    """Freezing again costs nothing, also for contiguous parts of a frozen array."""
    frozen = frozen_array(np.ones((4, 3)))
    assert frozen_array(frozen) is frozen
    assert np.shares_memory(frozen_array(frozen[1:3]), frozen)


def test_memory_is_made_contiguous():
    """Columns, transposes and Fortran order are laid out row by row."""
    source = np.arange(6.0).reshape(2, 3)
    for array in (source.T, source[:, 1:], np.asfortranarray(source)):
        frozen = frozen_array(array)
        assert frozen.flags.c_contiguous
        assert np.array_equal(frozen, array)


def test_owned_arrays_are_frozen_in_place():
    """`own` copies nothing that it need not, and never freezes somebody else's base."""
    mine, base = np.ones(3), np.ones((3, 3))
    assert own(mine) is mine
    assert not mine.flags.writeable
    assert not np.shares_memory(own(base[0]), base)
    assert base.flags.writeable
    assert own(np.ones(3, np.int64)).dtype == np.float32
