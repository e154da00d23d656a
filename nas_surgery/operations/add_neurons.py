"""Widen a hidden layer without changing the function."""

from typing import ClassVar

import attrs

from nas_surgery.analysis import Analysis
from nas_surgery.network import Group, Network
from nas_surgery.operations.base import Context, Operation, Proposal, width_parameters
from nas_surgery.surgery import (
    Surgery,
    WidthMap,
    change_width,
    clone_map,
    gradient_map,
    pair_map,
    split_map,
    zero_map,
)
from nas_surgery.validators import one_of, whole

METHODS = ("pairs", "gradient", "zero", "split", "clone")
PROBE_PASSES = {"pairs": 2, "gradient": 6, "zero": 1}  # a backward pass counts as two forward


@attrs.frozen
class AddNeurons(Operation):
    """Add `count` units to the hidden linear layer at address `layer`.

    method "pairs" (default): new units, centred on the probe, each twice, with outgoing weights +v
    and -v: exact for every activation, and both learn from the first step. "gradient":
    such pairs, of units picked from a random pool because their outputs on the probe correlate with
    the gradient of the loss; it needs labels, and falls back to "pairs" without. "zero": new centred units
    with outgoing weights of zero; exact, and slow to learn. "split": each new unit copies an old one,
    and the copies share its outgoing weights unevenly, so that their gradients differ; exact.
    "clone" (the paper's): incoming weights and bias are halved and outgoing ones duplicated (with k
    copies divided by k); exact for positively homogeneous activations only, and the copies have
    equal gradients and never separate.

    Without a probe, new units have biases of zero and the promise says so.
    """

    name: ClassVar[str] = "add_neurons"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))
    count: int = attrs.field(validator=whole(1))
    method: str = attrs.field(default="pairs", validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        surgery = change_width(network, group, self._map(network, group, context))
        if self.method in PROBE_PASSES and context.probe is None:
            return surgery.noting("no probe to centre the new units on")
        if self.method == "gradient" and context.labels is None:
            surgery = surgery.noting("no labels for a gradient, so plain pairs")
        return attrs.evolve(surgery, probe_passes=PROBE_PASSES.get(self.method, 0))

    def _map(self, network: Network, group: Group, context: Context) -> WidthMap:
        generator = context.generator()
        probe, labels = context.probe, context.labels
        if self.method == "gradient" and probe is not None and labels is not None:
            return gradient_map(network, group, self.count, generator, probe, labels, context.loss)
        if self.method in PROBE_PASSES:
            make = zero_map if self.method == "zero" else pair_map
            return make(network, group, self.count, generator, probe)
        copy = split_map if self.method == "split" else clone_map
        return copy(group.size, self.count, generator)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score 1 - n_r/n_l; max(2, n//10) units, and ten times that (the paper's, by splitting)."""
        proposals = []
        for layer in analysis.layers:
            reason = f"{layer.units - layer.removable} of {layer.units} units carry information"
            few = max(2, layer.units // 10)
            for count in (few, 10 * few):
                operation = cls(layer.address, count, "split")
                proposals.append(Proposal(operation, 1 - layer.redundancy, reason))
        return proposals

    def parameters_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        return width_parameters(network, group, group.size + self.count)
