"""Deepen the network by a layer that starts as the identity (eq. 3).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1.
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import ACTIVATIONS, Group, Network
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import (
    Surgery,
    change_width,
    exact_activation,
    insert_identity,
    origins,
    pair_map,
    sized,
    unmixable,
    with_statistics,
)
from nas_surgery.validators import one_of, optional, whole

NO_CENTRE = "new units cancel, and no probe was there to centre them on"


@attrs.frozen
class AddLayer(Operation):
    """Insert a hidden layer, as wide as the hidden linear layer at address `layer`, behind it.

    It stands behind what is elementwise there and read by nobody else. Behind a convolution it is one
    with the same window, of which the middle alone weighs.

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
        inserted = self._inserted(network)
        return self._widened(network, inserted, context) if self.units else inserted

    def _inserted(self, network: Network) -> Surgery:
        self.group(network, self.layer)
        function = self.activation or exact_activation(network, self.layer)
        return insert_identity(network, self.layer, function)

    def _widened(self, network: Network, inserted: Surgery, context: Context) -> Surgery:
        """The new layer with its new units; they cancel, so the identity's promise holds for both."""
        group = self._inner_group(network, inserted.network)
        generator = context.generator()
        change = pair_map(inserted.network, group, self.units, generator, context.probe)
        widened = change_width(inserted.network, group, change)
        if context.probe is not None:
            edited = widened.network
            grown = next(g for g in edited.groups() if g.writers == group.writers)
            measured = with_statistics(edited, grown, self.units, context.probe)
            widened = attrs.evolve(widened, network=measured)
        both = attrs.evolve(widened, promise=inserted.promise, before=inserted)
        remark = "new units cancel" if context.probe is not None else NO_CENTRE
        passes = 0 if context.probe is None else 2
        return attrs.evolve(both, predicted=inserted.predicted, probe_passes=passes).noting(remark)

    def _inner_group(self, network: Network, inserted: Network) -> Group:
        """The group of the new layer; or what it reads, where others write there too, or it cannot grow."""
        new = origins(network, inserted).index(None)
        groups = {writer: group for group in inserted.groups() for writer in group.writers}
        for address in (new, self.layer):
            group = groups.get(address)
            if group is not None and len(group.writers) == 1 and unmixable(inserted, group) is None:
                return group
        raise OperationError(f"{self.name}: no layer there can have more units beside an identity")

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
        ]

    def parameters_after(self, network: Network) -> int:
        return self.grown(network).parameter_count

    def macs_after(self, network: Network) -> int:
        return self.grown(network).macs

    def grown(self, network: Network) -> Network:
        """What comes out, without the weights of new units."""
        inserted = self._inserted(network).network
        if not self.units:
            return inserted
        group = self._inner_group(network, inserted)
        return sized(inserted, [(group, group.size + self.units)])
