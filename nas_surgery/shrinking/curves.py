"""What a group loses with its size: units in the order in which they are to stay, and the loss at each size."""

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array, Group, Network
from nas_surgery.surgery.retention import dealt, outgoing_norms


@attrs.frozen(eq=False)
class Curve:
    """order: units (size,), the first of them stay longest. lost: (size + 1,) share of what the readers
    see that the first k units and a linear map cannot tell, for each k; 1 with none and 0 with all."""

    order: Array
    lost: Array

    def kept(self, size: int) -> Array:
        """The units that stay, ascending."""
        return np.sort(self.order[:size])


def by_activations(network: Network, group: Group, values: Array) -> Curve:
    """From the values (rows, size) that readers see: pivots of a QR decomposition, centred and scaled
    by the outgoing norms."""
    weighed = values * outgoing_norms(network, group)
    triangle, order = linalg.qr(weighed - weighed.mean(axis=0), mode="r", pivoting=True)
    if group.cells is not None:
        order = dealt(order, group)
        triangle = linalg.qr((weighed - weighed.mean(axis=0))[:, order], mode="r")[0]
    powers = np.sum(triangle[: group.size] ** 2, axis=1)
    powers = np.pad(powers, (0, group.size - len(powers)))
    return Curve(order, _lost(powers))


def by_weights(norms: Array, group: Group) -> Curve:
    """From a norm for each unit, or how much each contributes, (size,): the largest stay."""
    order = np.argsort(-norms, kind="stable")
    order = dealt(order, group)
    return Curve(order, _lost(norms[order] ** 2))


def _lost(powers: Array) -> Array:
    """The share that is left after the first k, for k from none to all."""
    left = np.concatenate([np.cumsum(powers[::-1])[::-1], [0.0]])
    return left / left[0] if left[0] > 0 else np.zeros(len(left))
