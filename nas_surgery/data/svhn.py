"""`svhn:FOLDER`: Street View House Numbers, from the files that its authors hand out."""

from os.path import expanduser
from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.data.dataset import Dataset, first_line
from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.formats.regular_file import open_regular, size_limit
from nas_surgery.network import Array

HOME = "http://ufldl.stanford.edu/housenumbers/"
PARTS = ("train_32x32.mat", "test_32x32.mat")
ZERO = 10  # how the files label the digit 0
IMAGE = (32, 32, 3)


def read_svhn(folder: str) -> Dataset:
    """Images (N, 32, 32, 3) of bytes with digits 0 to 9, trained and tested on as the authors do.

    Raises DataFileError, which names the file and says where it is fetched.
    """
    where = Path(expanduser(folder))
    missing = [name for name in PARTS if not (where / name).is_file()]
    if missing:
        raise DataFileError(
            f"{where}: {' and '.join(missing)} not there; fetch {' and '.join(PARTS)} from {HOME}"
            f" into {where}"
        )
    return Dataset(*(array for name in PARTS for array in _part(where / name)))


def _part(file: Path) -> tuple[Array, Array]:
    """Images and digits of one file."""
    try:
        with open_regular(file, size_limit()) as (opened, _):
            return _converted(_read(opened))
    except (DataError, ModelFileError) as error:
        raise DataFileError(f"{file}: {error}") from None
    except Exception as error:  # what scipy raises for damaged files has many kinds
        raise DataFileError(f"{file}: not a readable MAT file: {first_line(error)}") from None


def _read(opened: Any) -> tuple[Array, Array]:
    """The arrays as MATLAB holds them: X (32, 32, 3, N) and y (N, 1), looked at before they are read."""
    from scipy.io import loadmat, whosmat

    shapes = {name: tuple(map(int, shape)) for name, shape, _ in whosmat(opened)}
    images, labels = (shapes.get(name, ()) for name in "Xy")
    if images[:3] != IMAGE or len(images) != 4 or labels != (images[3], 1):
        raise DataError(
            "it must hold X (32, 32, 3, N) and y (N, 1), the cropped digits of format 2;"
            f" got X {images} and y {labels}"
        )
    if np.prod(IMAGE) * images[3] > size_limit():
        raise DataError(f"{images[3]} images are more than {size_limit():,} bytes")
    opened.seek(0)
    held = loadmat(opened, variable_names=["X", "y"])
    return held["X"], held["y"]


def _converted(arrays: tuple[Array, Array]) -> tuple[Array, Array]:
    images, labels = arrays
    digits = labels[:, 0].astype(np.int64)
    if images.dtype != np.uint8 or not ((digits >= 1) & (digits <= ZERO)).all():
        raise DataError(f"X must hold bytes and y 1 to {ZERO}, got {images.dtype}")
    return np.ascontiguousarray(np.moveaxis(images, 3, 0)), digits % ZERO
