"""Channel maps along an axis of any array, dense or sparse."""

import numpy as np

from nas_surgery.network import Array, Reader
from nas_surgery.surgery.maps import Matrix


def times(array: Array, matrix: Matrix) -> Array:
    """h M for every vector h along the last axis: (..., n) and (n, m) make (..., m)."""
    vectors = array if array.ndim < 3 else array.reshape(-1, array.shape[-1])
    product: Array = vectors @ matrix  # a sparse matrix takes two axes at most
    return product.reshape(*array.shape[:-1], matrix.shape[1])


def times_front(matrix: Matrix, parts: Array) -> Array:
    """M V for every part V: (m, n) and (positions, n, ...) make (positions, m, ...)."""
    flat = parts.reshape(*parts.shape[:2], -1)
    product = np.stack([matrix @ part for part in flat])
    return product.reshape(len(parts), matrix.shape[0], *parts.shape[2:])


def parts_of(array: Array, reader: Reader, size: int) -> Array:
    """What stands along the first axis for a group of that size: (positions, size, ...).

    Zeros stand for channels that a reader does not have.
    """
    if reader.index is not None:
        absent = (reader.index < 0).reshape(*reader.index.shape, *[1] * (array.ndim - 1))
        return np.where(absent, 0, array[reader.index])
    if reader.starts is None:
        return array.reshape(reader.positions, size, *array.shape[1:])
    return np.stack([array[start : start + size] for start in reader.starts])


def with_parts(array: Array, reader: Reader, size: int, parts: Array) -> Array:
    """The array with (positions, new size, ...) in place of those parts, and the rest as it was."""
    if reader.starts is None:
        return parts.reshape(-1, *array.shape[1:])
    pieces, end = [], 0
    for start, part in zip(reader.starts, parts, strict=True):
        pieces += [array[end:start], part]
        end = start + size
    return np.concatenate([*pieces, array[end:]])
