"""Samples and labels in plain files of arrays, as a user has them at hand: .npy and .npz."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas_surgery.data.dataset import Dataset
from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.formats.npz import array_names, read_array, read_arrays
from nas_surgery.network import Array

SAMPLES = ("x", "x_test")  # names under which an npz file holds them


def read_samples(file: Path) -> Array:
    """The samples in an .npy file, or in an .npz file as `x`, as `x_test` or as its only array.

    Raises DataFileError, which names the file and what it holds.
    """
    with _naming(file):
        if file.suffix == ".npy":
            return read_array(file)
        if file.suffix != ".npz":
            raise DataError("the suffix must be .npy or .npz")
        names = array_names(file)
        found = [name for name in SAMPLES if name in names] or list(names)
        if len(found) > 1 and found[0] not in SAMPLES:
            raise DataError(
                f"which array holds the samples? Call it x; there are {', '.join(names)}"
            )
        return read_arrays(file, found[:1] or SAMPLES[:1]).popitem()[1]


def read_labelled(file: Path, labels: Path) -> Dataset:
    """Samples and their labels from two files; the labels in an .npy file."""
    x = read_samples(file)
    with _naming(labels):
        if labels.suffix != ".npy":
            raise DataError("the suffix must be .npy")
        return Dataset(x, read_array(labels))


def read_pair(file: Path) -> Dataset | None:
    """`x` and `y` of an .npz file; None if it does not hold both."""
    with _naming(file):
        if not {"x", "y"} <= set(array_names(file)):
            return None
        held = read_arrays(file, ("x", "y"))
        return Dataset(held["x"], held["y"])


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    try:
        yield
    except (DataError, ModelFileError) as error:
        raise DataFileError(f"{file}: {error}") from None
