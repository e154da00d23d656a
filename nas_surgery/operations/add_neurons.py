"""Widen a hidden layer without changing the function."""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Group, Network
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import (
    Surgery,
    change_width,
    clone_map,
    differentiable,
    gradient_map,
    pair_map,
    pursuable,
    sized,
    split_map,
    unmixable,
    with_statistics,
    zero_map,
)
from nas_surgery.validators import one_of, whole

METHODS = ("gradient", "pairs", "zero", "split", "clone")
COPIES = {"split": split_map, "clone": clone_map}
PROBE_PASSES = {"pairs": 2, "gradient": 6, "zero": 1}  # a backward pass counts as two forward


@attrs.frozen
class AddNeurons(Operation):
    """Add `count` units to the hidden linear layer at address `layer`.

    method "pairs": new units, centred on the probe, each twice, with outgoing weights +v and -v: exact
    for every activation, and both learn from the first step. "gradient" (default): such pairs, of
    units picked from a random pool because their outputs on the probe correlate with the gradient of
    the loss; it needs labels, and falls back to "pairs" without. "zero": new centred units with
    outgoing weights of zero; exact, and slow to learn. "split": each new unit copies an old one, and
    the copies share its outgoing weights unevenly, so that their gradients differ; exact.
    "clone" (the paper's): incoming weights and bias are halved and outgoing ones duplicated (with k
    copies divided by k); exact for positively homogeneous activations only, and the copies have
    equal gradients and never separate.

    Without a probe, new units have biases of zero and the promise says so.
    """

    name: ClassVar[str] = "add_neurons"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))
    count: int = attrs.field(validator=whole(1))
    method: str = attrs.field(default=METHODS[0], validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self._open_group(network)
        if self.method in COPIES:
            return change_width(
                network, group, COPIES[self.method](group.size, self.count, context.generator())
            )
        if context.probe is None:
            make = zero_map if self.method == "zero" else pair_map
            change = make(network, group, self.count, context.generator(), None)
            remark = "no probe to centre the new units on"
            return change_width(network, group, change).noting(remark)
        return self._probed(network, group, context, context.probe)

    def _probed(self, network: Network, group: Group, context: Context, probe: Array) -> Surgery:
        method, remark = self._possible(network, group, context)
        generator, labels = context.generator(), context.labels
        if method == "gradient" and labels is not None:
            change = gradient_map(
                network, group, self.count, generator, probe, labels, context.loss
            )
        else:
            make = zero_map if method == "zero" else pair_map
            change = make(network, group, self.count, generator, probe)
        surgery = self._measured(change_width(network, group, change), probe)
        surgery = attrs.evolve(surgery, probe_passes=PROBE_PASSES[method] + bool(group.holders))
        return surgery.noting(remark) if remark else surgery

    def _measured(self, surgery: Surgery, probe: Array) -> Surgery:
        """What layers between have measured is there for the new units too."""
        group = self.group(surgery.network, self.layer)
        edited = with_statistics(surgery.network, group, self.count, probe)
        return attrs.evolve(surgery, network=edited)

    def _possible(self, network: Network, group: Group, context: Context) -> tuple[str, str]:
        """The method, or the one that it falls back to and why."""
        if self.method != "gradient":
            return self.method, ""
        if context.labels is None:
            return "pairs", "no labels for a gradient, so plain pairs"
        if not differentiable(network, group.readers[0].address):
            return "pairs", "no gradient through the layers behind, so plain pairs"
        if not pursuable(network, group):
            return "pairs", "no gradient for single units of these layers, so plain pairs"
        return self.method, ""

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score 1 - n_r/n_l; max(2, n//10) units, and ten times that (the paper's, by splitting)."""
        proposals = []
        for layer in analysis.layers:
            if unmixable(network, layer.group) is not None:
                continue
            reason = f"{layer.units - layer.removable} of {layer.units} units carry information"
            few = max(2, layer.units // 10)
            for count in (few, 10 * few):
                operation = cls(layer.address, count, "split")
                proposals.append(Proposal(operation, 1 - layer.redundancy, reason))
        return proposals

    def parameters_after(self, network: Network) -> int:
        return self._grown(network).parameter_count

    def macs_after(self, network: Network) -> int:
        return self._grown(network).macs

    def _grown(self, network: Network) -> Network:
        """What comes out, without weights."""
        group = self._open_group(network)
        return sized(network, [(group, group.size + self.count)])

    def _open_group(self, network: Network) -> Group:
        group = self.group(network, self.layer)
        reason = unmixable(network, group)
        if reason is not None:
            raise OperationError(
                f"{self.name}: layer {self.layer} cannot have more units: {reason}"
            )
        return group
