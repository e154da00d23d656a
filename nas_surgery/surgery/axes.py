"""Channel maps along an axis of any array, dense or sparse."""

import numpy as np

from nas_surgery.network import Array
from nas_surgery.surgery.maps import Matrix


def times(array: Array, matrix: Matrix) -> Array:
    """h M for every vector h along the last axis: (..., n) and (n, m) make (..., m)."""
    vectors = array if array.ndim < 3 else array.reshape(-1, array.shape[-1])
    product: Array = vectors @ matrix  # a sparse matrix takes two axes at most
    return product.reshape(*array.shape[:-1], matrix.shape[1])


def times_front(matrix: Matrix, array: Array, positions: int) -> Array:
    """M V for every part V of the first axis: (m, n) and (positions · n, ...) make (positions, m, ...)."""
    parts = array.reshape(positions, matrix.shape[1], -1)
    product = np.stack([matrix @ part for part in parts])
    return product.reshape(positions, matrix.shape[0], *array.shape[1:])
