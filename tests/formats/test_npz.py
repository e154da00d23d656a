import contextlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from nas_surgery.errors import DataError
from nas_surgery.formats.npz import array_names, read_array, read_arrays

X = np.arange(60.0).reshape(20, 3)
KEYS = ("x", "y")


def member(array, version=(1, 0)):
    """The bytes of an npy file."""
    stream = io.BytesIO()
    npy.write_array(stream, array, version)
    return stream.getvalue()


def declared(shape, body=b"", descr="<f8"):
    """An npy file that declares one shape, whatever its body holds."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + body


def archive(path, *members, compression=zipfile.ZIP_STORED):
    """A zip file of (name, bytes) pairs."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_numpy_wrote_them(tmp_path, write):
    """Any order of memory and kind of number, in the machine's byte order; optional arrays only if there."""
    arrays = {"x": np.asfortranarray(X), "y": np.arange(20, dtype=">i4"), "more": X}
    write(tmp_path / "a.npz", **arrays)
    held = read_arrays(tmp_path / "a.npz", ["x"], ["y", "z"])
    assert list(held) == ["x", "y"]
    for key, array in held.items():
        assert np.array_equal(array, arrays[key])
        assert array.dtype == arrays[key].dtype.newbyteorder("=")


def test_a_missing_array_is_named(tmp_path):
    """Beside what the archive holds instead."""
    np.savez(tmp_path / "a.npz", y=X, z=X)
    with pytest.raises(DataError, match=r"^x missing; it holds y, z$"):
        read_arrays(tmp_path / "a.npz", KEYS)


@pytest.mark.parametrize("content", [b"", b"PK", b"random bytes" * 99, member(X)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    """Nobody is advised to unpickle it."""
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable npz file") as refusal:
        read_arrays(path, KEYS)
    assert "pickle" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (member(np.array([{}, None])), "Python objects"),
        (declared((2**33, 2**33)), "but holds 0 bytes"),
        (declared((2**62, 8)), "but holds 0 bytes"),
        (declared((3,), bytes(16)), r"declares shape \(3,\) of float64 \(24 bytes\)"),
        (declared((3,), bytes(32)), "but holds 32 bytes"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "version .* is not known"),
        (b"not an array", "not a readable npz file"),
        (b"\x93NUMPY\x01\x00\x08\x00((((((((", "not a readable npz file"),
    ],
)
def test_a_member_must_be_what_it_declares(tmp_path, content, rule):
    """Shapes are compared with the bytes that are there before anything is allocated."""
    path = archive(tmp_path / "a.npz", ("x.npy", content), ("y.npy", member(X)))
    with pytest.raises(DataError, match=rule):
        read_arrays(path, KEYS)


def test_two_members_of_one_name_are_refused(tmp_path):
    """NumPy would take the last one."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.npz", ("x.npy", member(X)), ("x.npy", member(X + 1)))
    with pytest.raises(DataError, match=r"holds 'x\.npy' twice"):
        read_arrays(path, ["x"])


@pytest.mark.parametrize("name", ["../../x.npy", "/x.npy", "a/x.npy", "..\\x.npy", "C:x.npy"])
def test_members_with_paths_for_names_are_refused(tmp_path, name):
    """Nothing is ever unpacked on disk, but who wrote that had no array in mind."""
    path = archive(tmp_path / "a.npz", (name, member(X)), ("x.npy", member(X + 1)))
    with pytest.raises(DataError, match="is a path, not a name"):
        read_arrays(path, ["x"])


@given(st.data())
def test_damage_is_an_error_or_changes_nothing(tmp_path_factory, data):
    """A flipped byte or a lost end never gives other numbers, nor an error of another kind."""
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    write = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    write(path, x=X, y=X[:, 0])
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        held = read_arrays(path, KEYS)
        assert np.array_equal(held["x"], X)
        assert np.array_equal(held["y"], X[:, 0])


def test_an_npy_file_is_read_by_the_same_rules(tmp_path):
    """What NumPy wrote comes back; what is cut, longer, or of Python objects does not."""
    file = tmp_path / "a.npy"
    np.save(file, np.asfortranarray(X))
    assert np.array_equal(read_array(file), X)
    content = file.read_bytes()
    for bad in (content[:-1], content + b"\0", b"", member(np.array([{}]))[:200]):
        file.write_bytes(bad)
        with pytest.raises(DataError):
            read_array(file)


def test_the_names_of_the_arrays_are_told_without_reading_them(tmp_path):
    """In the order of the archive."""
    np.savez(tmp_path / "a.npz", b=X, a=X)
    assert array_names(tmp_path / "a.npz") == ("b", "a")
