"""What training takes and returns: samples, optimizer state, a network in training."""

from collections.abc import Mapping

import attrs

from nas_surgery.network import Array, Network
from nas_surgery.network.arrays import frozen_array


@attrs.frozen(eq=False)
class Slots:
    """Optimizer state: `values[slot][parameter]` in the shape of the parameter, where a parameter is
    named as on disk ("layers.2.kernel"); `updates` counts the steps since the slots were new."""

    values: Mapping[str, Mapping[str, Array]]
    updates: int = 0


@attrs.frozen(eq=False)
class TrainState:
    """A network in training. slots: None for a fresh optimizer; step: batches that the network and its
    ancestors have trained, which is also its place in the order of batches."""

    network: Network
    slots: Slots | None = None
    step: int = 0


@attrs.frozen(eq=False)
class Samples:
    """Inputs and labels of N samples.

    x: what enters layer `prefix` of the network, (N, ...); 0 means raw inputs. y: class indices (N,)
    or regression targets (N, outputs).
    """

    x: Array
    y: Array
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.x)


def apply_prefix(network: Network, samples: Samples) -> Samples:
    """The samples as they enter the first layer that can change, in the network's dtype.

    Every network of a run shares its frozen prefix, so this is done once and not at each step.
    """
    if samples.prefix == network.prefix and samples.x.dtype == network.dtype:
        return samples
    x = network.forward(samples.x, start=samples.prefix, stop=network.prefix)
    return Samples(frozen_array(x), samples.y, network.prefix)
