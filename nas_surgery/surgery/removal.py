"""Removing whole units of any group: those that stay are left as they are, and readers make up for the others."""

import attrs
import numpy as np

from nas_surgery.network import Array, Group, Network
from nas_surgery.surgery.fitting import fitted_promise
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.pieces import spread
from nas_surgery.surgery.probe import group_activations
from nas_surgery.surgery.promise import approximate
from nas_surgery.surgery.refit import refitted
from nas_surgery.surgery.result import Surgery
from nas_surgery.surgery.retention import (
    incoming_norms,
    outgoing_norms,
    pivots,
)


def largest_units(network: Network, group: Group, keep: int) -> Array:
    """The units of the largest incoming weights, ascending; as many of each cell."""
    order = np.argsort(-incoming_norms(network, group), kind="stable")
    return np.sort(spread(network, group, order)[:keep])


def telling_units(network: Network, group: Group, keep: int, probe: Array) -> Array:
    """The units of which the others are, on the probe, most nearly linear functions; ascending.

    Of queries and keys, which no layer reads, those that contribute most to the scores.
    """
    if not group.readers:
        order = np.argsort(-_score_powers(network, group, probe), kind="stable")
    else:
        activations = group_activations(network, group, probe)
        order = pivots(activations * outgoing_norms(network, group))
    return np.sort(spread(network, group, order)[:keep])


def dropped(network: Network, group: Group, units: Array) -> Surgery:
    """The network with these units of the group and no others; nobody makes up for them."""
    edited, cuts = narrowed(network, [(group, units)])
    return Surgery(edited, approximate("channels are lost"), carried=cuts)


def dropped_and_fitted(network: Network, group: Group, units: Array, probe: Array) -> Surgery:
    """The same, with each reader fitted to what it put out on the probe."""
    small, cuts = narrowed(network, [(group, units)])
    surgery = Surgery(small, approximate("channels are lost"), carried=cuts)
    if not group.readers:
        return attrs.evolve(surgery, probe_passes=1)
    readers = {reader.address for reader in group.readers}
    edited, drifts = refitted(network, surgery.network, cuts, probe, only=readers)
    error = max((drift.after for drift in drifts), default=0.0)
    fitted = attrs.evolve(surgery, network=edited, predicted=error, probe_passes=3)
    return attrs.evolve(fitted, promise=fitted_promise(error))


def _score_powers(network: Network, group: Group, probe: Array) -> Array:
    """RMS of each query times that of the key beside it, (size,)."""
    powers = np.ones(group.size)
    for writer in group.writers:
        values = network.forward(probe, stop=writer + 1).astype(np.float64)
        powers *= np.mean(values.reshape(-1, group.size) ** 2, axis=0)
    return np.sqrt(powers)
