"""Room for large arrays: in a file without a name that is mapped into memory, so that the system may put
aside what is not looked at."""

import os
from math import prod
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from nas_surgery.network import Array

LARGE = 2**30  # bytes; below that memory is as good


def room(shape: tuple[int, ...], dtype: np.dtype[Any], large: int = LARGE) -> Array:
    """An array to be filled. One of `large` bytes or more lies in the folder for temporary files, if that
    has so much space, and is gone with its last view."""
    if prod(shape) * dtype.itemsize < large or not hasattr(os, "posix_fallocate"):
        return np.empty(shape, dtype)
    try:
        with TemporaryFile() as file:
            os.posix_fallocate(
                file.fileno(), 0, prod(shape) * dtype.itemsize
            )  # or writing would kill
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError:
        return np.empty(shape, dtype)


def rows(x: Array, which: Array, large: int = LARGE) -> Array:
    """`x[which]`, where there is room."""
    made = room((len(which), *x.shape[1:]), x.dtype, large)
    np.take(x, which, axis=0, out=made, mode="clip")
    return made
