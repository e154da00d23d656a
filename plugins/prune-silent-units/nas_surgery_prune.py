"""An operation that removes the units which say the same for every sample of the probe batch.

Dead ReLU units and saturated tanh units are such. Nothing is lost with them on the probe batch: the
constant that each contributes moves into the bias of the next layer.
"""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery import Context, Network, Operation, Proposal, Surgery
from nas_surgery.analysis.spectra import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.surgery import (
    Exactness,
    Promise,
    WidthMap,
    change_width,
    group_activations,
    selection,
    sized,
)
from nas_surgery.validators import whole

SAME_ON_PROBE = Promise(Exactness.MEASURED, "the units removed are constant on the probe batch")


@attrs.frozen
class PruneSilentUnits(Operation):
    """Remove the silent units of the hidden linear layer at address `layer`; one unit always stays."""

    name: ClassVar[str] = "prune_silent_units"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        if context.probe is None:
            raise OperationError(f"{self.name}: silence is seen on a probe batch; none was given")
        outputs = group_activations(network, group, context.probe)
        spread = np.ptp(outputs, axis=0)
        silent = spread == 0
        silent[np.argmax(spread)] = False
        if not silent.any():
            raise OperationError(f"{self.name}: layer {self.layer} has no silent unit to spare")
        keep = selection(np.flatnonzero(~silent), group.size)
        change = WidthMap(encode=keep, decode=keep.T, offset=np.where(silent, outputs[0], 0.0))
        return attrs.evolve(change_width(network, group, change), promise=SAME_ON_PROBE)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score n_r/n_l, like removing neurons: which units are silent only the probe batch shows."""
        return [
            Proposal(cls(layer.address), layer.redundancy, "units that carry nothing may be silent")
            for layer in analysis.layers
            if layer.units > 1
        ]

    def parameters_after(self, network: Network) -> int:
        """At most: one unit fewer. How many go is not known without a probe batch."""
        group = self.group(network, self.layer)
        return sized(network, [(group, group.size - 1)]).parameter_count

    def macs_after(self, network: Network) -> int:
        return network.macs


def nas_surgery_operations() -> dict[str, type[Operation]]:
    """What this plugin provides."""
    return {PruneSilentUnits.name: PruneSilentUnits}
