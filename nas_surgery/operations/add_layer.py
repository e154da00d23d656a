"""Deepen the network by a layer that starts as the identity (eq. 3).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1.
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.network import ACTIVATIONS, Network
from nas_surgery.operations.base import Context, Operation, Proposal, outgoing_parameters
from nas_surgery.surgery import (
    Surgery,
    change_width,
    exact_activation,
    insert_identity,
    origins,
    pair_map,
)
from nas_surgery.validators import one_of, optional, whole

NO_CENTRE = "new units cancel, and no probe was there to centre them on"


@attrs.frozen
class AddLayer(Operation):
    """Insert a hidden layer, as wide as the hidden linear layer at address `layer`, behind it.

    activation: of the new layer. By default that of the old one where it is idempotent (linear,
    relu, relu6), and none otherwise: a linear layer is exact behind every activation. Naming any
    other activation is allowed and approximate (a second tanh, for example, changes the function).
    units: so many new units beside the identity, in pairs that cancel (as `add_neurons` makes them);
    an identity alone has nothing new to learn with.
    """

    name: ClassVar[str] = "add_layer"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    activation: str | None = attrs.field(default=None, validator=optional(one_of(*ACTIVATIONS)))
    units: int = attrs.field(default=0, validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.chain_group(network, self.layer)
        function = self.activation or exact_activation(network, group)
        inserted = insert_identity(network, group, function)
        return self._widened(network, inserted, context) if self.units else inserted

    def _widened(self, network: Network, inserted: Surgery, context: Context) -> Surgery:
        """The new layer with its new units; they cancel, so the identity's promise holds for both."""
        address = origins(network, inserted.network).index(None)
        group = self.group(inserted.network, address)
        generator = context.generator()
        change = pair_map(inserted.network, group, self.units, generator, context.probe)
        widened = change_width(inserted.network, group, change)
        both = attrs.evolve(widened, promise=inserted.promise, before=inserted)
        remark = "new units cancel" if context.probe is not None else NO_CENTRE
        passes = 0 if context.probe is None else 2
        return attrs.evolve(both, predicted=inserted.predicted, probe_passes=passes).noting(remark)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score (1 - n_r/n_l) · i/h."""
        return [
            Proposal(
                cls(layer.address),
                (1 - layer.redundancy) * layer.depth,
                f"layer {layer.index} of {layer.hidden_count},"
                f" {layer.units - layer.removable} of {layer.units} units carry information",
            )
            for layer in analysis.layers
            if not network.wires
        ]

    def parameters_after(self, network: Network) -> int:
        group = self.chain_group(network, self.layer)
        size, added = group.size, self.units
        outgoing = outgoing_parameters(network, group)
        return network.parameter_count + (size + 1) * (size + added) + added * outgoing
