"""Give silent units a new life."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network import Array, Group, Network, bias_of
from nas_surgery.operations.base import Context, Operation
from nas_surgery.surgery import (
    Fresh,
    Promise,
    Surgery,
    WidthMap,
    centred_units,
    change_width,
    dead_units,
    group_activations,
    measured,
    padded_identity,
    proved,
    selection,
    silent_units,
)
from nas_surgery.validators import whole

NO_PROBE = "without a probe only units that are dead by their weights are found"


@attrs.frozen
class Revive(Operation):
    """Replace the silent units of the hidden linear layer at address `layer` by new ones.

    A unit is silent if its output is constant on the probe, as that of a dead ReLU. The new units are
    centred on the probe, have outgoing weights of zero, and stand last; what a silent unit said moves
    into the readers' biases. No parameter is added: a unit whose constant would need a bias that its
    reader does not have stays as it is. Equal on the probe, and for every input where the weights
    alone show that the units were dead. Without a probe only those are found, and the promise says so.
    """

    name: ClassVar[str] = "revive"

    layer: int = attrs.field(validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.chain_group(network, self.layer)
        surgery = self._revived(network, group, context)
        if context.probe is None:
            return surgery.noting(NO_PROBE)
        return attrs.evolve(surgery, probe_passes=2)

    def _revived(self, network: Network, group: Group, context: Context) -> Surgery:
        dead, silent, said = _silent(network, group, context.probe)
        if not silent.size:
            return Surgery(network, proved("no unit is silent"), 0.0)
        fresh = centred_units(network, group, silent.size, context.generator(), context.probe)
        change = _replacement(group, silent, said, fresh)
        surgery = change_width(network, group, change)
        return attrs.evolve(surgery, promise=_promise(dead, silent), predicted=0.0)

    def parameters_after(self, network: Network) -> int:
        self.chain_group(network, self.layer)
        return network.parameter_count


def _silent(network: Network, group: Group, probe: Array | None) -> tuple[Array, Array, Array]:
    """Units dead by their weights, all units to replace, and the constants that those say."""
    dead = dead_units(network, group)
    if probe is None:
        probe = np.zeros((1, *network.input_shape))  # a dead unit says the same to any input
        activations = group_activations(network, group, probe)
        silent = dead
    else:
        activations = group_activations(network, group, probe)
        silent = np.union1d(silent_units(activations), dead)
    said = activations.mean(axis=0)
    if any(bias_of(network.layers[reader.address]) is None for reader in group.readers):
        silent = silent[said[silent] == 0]
    return dead, silent, said[silent]


def _replacement(group: Group, silent: Array, said: Array, fresh: tuple[Fresh, ...]) -> WidthMap:
    """The other units, then the new ones."""
    others = np.setdiff1d(np.arange(group.size), silent)
    encode = selection(others, group.size) @ padded_identity(others.size, silent.size)
    offset = np.zeros(group.size)
    offset[silent] = said
    return WidthMap(encode, encode.T, offset, fresh)


def _promise(dead: Array, silent: Array) -> Promise:
    if np.isin(silent, dead).all():
        return proved("the units were dead for every input")
    return measured(f"{silent.size} units were constant on the probe")
