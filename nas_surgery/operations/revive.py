"""Give silent units a new life."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Group, Network
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
    takes_constants,
    unmixable,
    with_statistics,
)
from nas_surgery.validators import whole

NO_PROBE = "without a probe only units that are dead by their weights are found"


@attrs.frozen
class Revive(Operation):
    """Replace the silent units of the hidden linear layer at address `layer` by new ones.

    A unit is silent if its output is constant on the probe, as that of a dead ReLU. The new units are
    centred on the probe, have outgoing weights of zero, and stand last; what a silent unit said moves
    into the readers' biases. No parameter is added: a unit whose constant would need a bias that its
    reader does not have, or that would not reach the zeros beside what it reads, stays as it is. Equal on the probe, and for every input where the weights
    alone show that the units were dead. Without a probe only those are found, and the promise says so.
    """

    name: ClassVar[str] = "revive"

    layer: int = attrs.field(validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self._open_group(network)
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
        edited = surgery.network
        if context.probe is not None:
            grown = self.group(edited, self.layer)
            edited = with_statistics(edited, grown, silent.size, context.probe)
        promise = _promise(dead, silent)
        return attrs.evolve(surgery, network=edited, promise=promise, predicted=0.0)

    def parameters_after(self, network: Network) -> int:
        self._open_group(network)
        return network.parameter_count

    def macs_after(self, network: Network) -> int:
        self._open_group(network)
        return network.macs

    def _open_group(self, network: Network) -> Group:
        group = self.group(network, self.layer)
        reason = unmixable(network, group)
        if reason is not None:
            raise OperationError(
                f"{self.name}: layer {self.layer} cannot have other units: {reason}"
            )
        return group


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
    if not takes_constants(network, group):
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
