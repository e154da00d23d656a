"""Read-only arrays: what layers hold, so that edited networks can share what they did not change."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas_surgery.network.errors import NetworkError

Array = NDArray[Any]
Shape = tuple[int, ...]
Label = int | float | bool | str

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def frozen_array(values: ArrayLike) -> Array:
    """Return `values` as a C-contiguous, read-only float32 or float64 array.

    The memory is shared only where nobody can write to it any more; otherwise it is copied once.
    Integers and other floats become float32. Raises NetworkError for anything that is not numeric.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise NetworkError(f"an array of numbers is needed, got dtype {array.dtype}")
    dtype = array.dtype if array.dtype in FLOATS else np.dtype(np.float32)
    if array.dtype == dtype and array.flags.c_contiguous and _immutable(array):
        return array
    copy = np.array(array, dtype=dtype, order="C", copy=True)
    copy.flags.writeable = False
    return copy


def label_array(classes: tuple[Label, ...]) -> Array:
    """Labels of one kind as an array of it; OverflowError for whole numbers that 64 bits do not hold."""
    large = any(isinstance(label, int) and label >= 2**63 for label in classes)
    array = np.array(classes, np.uint64 if large else None)
    if array.dtype.kind == "O":
        raise OverflowError
    return array


def own(array: Array) -> Array:
    """Freeze an array that the caller has just made and gives away; no copy where none is needed."""
    if array.dtype not in FLOATS or not array.flags.c_contiguous or array.base is not None:
        return frozen_array(array)
    array.flags.writeable = False
    return array


def read_only(values: ArrayLike) -> Array:
    """A view that nothing can be written through; the array itself stays as it is."""
    view = np.asarray(values).view()
    view.flags.writeable = False
    return view


def _immutable(array: Array) -> bool:
    """Whether neither the array nor anything that it is a view of can be written to."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return base is None or isinstance(base, bytes)
