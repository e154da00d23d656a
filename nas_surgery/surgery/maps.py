"""Channel maps: which new channels a group has, and how they stand to the old ones."""

import attrs
import numpy as np
from scipy import sparse

from nas_surgery.network import Array

Matrix = Array | sparse.csr_array | sparse.csc_array


@attrs.frozen(eq=False)
class Fresh:
    """New units of one writer. kernel R: (..., in, k); bias r: (k,)."""

    kernel: Array
    bias: Array


@attrs.frozen(eq=False)
class WidthMap:
    """A choice of (E, R, D, S, o).

    encode E: (n, m), columns of new units are zero and stand last; decode D: (m, n); offset o: (n,)
    or None for zeros; fresh (R, r): one per writer of the group, or none. outgoing S: what the new
    units, the last k, add to each reader, (positions, k, units), or none for zeros. E and D are dense
    or sparse: most maps copy and drop, and then cost next to nothing.
    """

    encode: Matrix
    decode: Matrix
    offset: Array | None = None
    fresh: tuple[Fresh, ...] = ()
    outgoing: tuple[Array, ...] = ()

    @property
    def old_columns(self) -> Matrix:
        """E without the columns of new units."""
        new = self.fresh[0].bias.shape[-1] if self.fresh else 0
        return self.encode[:, : self.encode.shape[1] - new]


def selection(indices: Array, size: int, weights: Array | None = None) -> sparse.csr_array:
    """E (n, m) with one entry per column: channel `indices[j]` of `size`, times `weights[j]` or 1."""
    values = np.ones(len(indices)) if weights is None else weights
    places = (indices, np.arange(len(indices)))
    return sparse.csr_array((values, places), shape=(size, len(indices)))


def padded_identity(size: int, count: int) -> sparse.csr_array:
    """E (size, size + count) that keeps every channel and leaves room for `count` new units."""
    places = (np.arange(size), np.arange(size))
    return sparse.csr_array((np.ones(size), places), shape=(size, size + count))
