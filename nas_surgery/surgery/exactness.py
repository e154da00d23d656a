"""The proof of what a width surgery promises."""

import numpy as np
from scipy import sparse

from nas_surgery.network import Array, Group, Layer, Network, Passes, bias_of, kernel_of
from nas_surgery.surgery.axes import times
from nas_surgery.surgery.maps import Fresh, Matrix, WidthMap
from nas_surgery.surgery.promise import Promise, approximate, proved

TOLERANCE = 1e-12


def promise_of(network: Network, group: Group, change: WidthMap) -> Promise:
    """Prove h E D + o = h for every reachable h, and that all passers let E through."""
    if not _fresh_units_cancel(group, change):
        return approximate("new units change the output")
    kind = map_kind(change.old_columns)
    recurs = next((i for i in group.writers if network.layers[i].channels.recurs), None)
    if recurs is not None and kind > Passes.SELECTION:
        return approximate(f"{_name(network.layers[recurs])} does not scale with its weights")
    blocking = next((i for i in group.passers if network.layers[i].passes < kind), None)
    if blocking is not None:
        return approximate(
            f"{_name(network.layers[blocking])} does not let this change of channels through"
        )
    padded = _padded(network, group)
    if padded is not None and change.offset is not None and np.any(change.offset):
        return approximate(f"{_name(padded)} lets no constant pass")
    if _is_identity(change):
        return proved("decoding undoes encoding")
    if kind is Passes.ANY and _is_identity_where_reachable(network, group, change):
        return proved("the dropped directions are never used")
    return approximate("channels are lost")


def map_kind(matrix: Matrix) -> Passes:
    """The weakest kind of channel map that E (n, m) is."""
    dense_or_sparse = sparse.csc_array(matrix)
    entries = np.diff(dense_or_sparse.indptr)
    if np.any(entries != 1) or np.any(dense_or_sparse.data <= 0):
        return Passes.ANY
    return Passes.SELECTION if np.all(dense_or_sparse.data == 1) else Passes.MONOMIAL


def _padded(network: Network, group: Group) -> Layer | None:
    """A layer between or behind that puts zeros beside what it reads, or whose outputs see it in parts."""
    readers = [network.layers[reader.address] for reader in group.readers]
    between = [network.layers[address] for address in group.passers]
    blind = (layer for layer in readers if not layer.weighs_rows)
    return next((layer for layer in (*between, *readers) if layer.pads), next(blind, None))


def _name(layer: Layer) -> str:
    return layer.kind if layer.elementwise is None else layer.elementwise.name


def _is_identity(change: WidthMap) -> bool:
    n, m = change.old_columns.shape
    if m < n or (change.offset is not None and np.any(change.offset)):
        return False
    product = change.old_columns @ change.decode[:m]
    return _near(
        product, np.eye(n) if isinstance(product, np.ndarray) else sparse.eye_array(n, format="csr")
    )


def _is_identity_where_reachable(network: Network, group: Group, change: WidthMap) -> bool:
    """Without an activation between, h = x W + b reaches only the row space of W, shifted by b.

    Of what several writers add up to, each reader may see another part, and then no offset fits all.
    """
    if len(group.writers) > 1 and change.offset is not None and np.any(change.offset):
        return False
    m = change.old_columns.shape[1]
    for address in group.writers:
        kernel = kernel_of(network.layers[address]).astype(np.float64)
        held = bias_of(network.layers[address])
        bias = np.zeros(group.size) if held is None else held.astype(np.float64)
        offset = 0.0 if change.offset is None else change.offset
        again = times(times(kernel, change.old_columns), change.decode[:m])
        shifted = (bias @ change.old_columns) @ change.decode[:m] + offset
        if not (_near(again, kernel) and _near(shifted, bias)):
            return False
    return True


def _fresh_units_cancel(group: Group, change: WidthMap) -> bool:
    """Whether what the readers add up over equal new units is zero."""
    if not change.fresh:
        return True
    rows = _outgoing_rows(change)
    if not rows.any():
        return True
    _, same = np.unique(_unit_table(change.fresh), axis=1, return_inverse=True)
    totals = np.zeros((int(same.max()) + 1, rows.shape[1]))
    np.add.at(totals, same.ravel(), rows)
    return bool(np.abs(totals).max() <= TOLERANCE * np.abs(rows).max())


def _outgoing_rows(change: WidthMap) -> Array:
    """One row per new unit, with everything that the readers multiply it by."""
    decoded = np.asarray(_dense(change.decode[change.old_columns.shape[1] :]))
    added = [weights.swapaxes(0, 1).reshape(weights.shape[1], -1) for weights in change.outgoing]
    return np.concatenate([decoded, *added], axis=1)


def _unit_table(fresh: tuple[Fresh, ...]) -> Array:
    """One column per new unit, with everything that defines it."""
    parts = (array for units in fresh for array in (units.kernel, units.bias))
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _near(a: Matrix, b: Matrix) -> bool:
    left, right = _dense(a), _dense(b)
    return bool(np.abs(left - right).max() <= TOLERANCE * max(1.0, float(np.abs(right).max())))


def _dense(matrix: Matrix) -> Array:
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
