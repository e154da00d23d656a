"""Train on mean-centred inputs, or stop doing so, without a change of the function."""

from typing import ClassVar

import attrs

from nas_surgery.errors import OperationError
from nas_surgery.network import Network, expect_network
from nas_surgery.operations.base import Context, Operation
from nas_surgery.surgery import (
    Surgery,
    centre_inputs,
    first_linear,
    fold_centring,
    fold_loses_digits,
    is_centred,
    proved,
    writer_inputs,
)
from nas_surgery.validators import one_of

METHODS = ("fold", "centre")


@attrs.frozen
class FoldInputCentring(Operation):
    """Move the inputs' mean between preprocessing and the bias of the first linear layer. Exact.

    method "fold" (default): the means that Normalize layers subtract are absorbed into the first
    bias, so that a network trained on centred inputs takes inputs as they are. Means that lie so many
    standard deviations from zero (on the probe, or as the Normalize scales) that the sums would lose
    digits stay where they are. It rewrites frozen preprocessing, so it belongs behind a run, not into
    one. "centre": the other way round, a
    Normalize that subtracts the probe's mean is added and the first bias makes up for it, so that
    training goes on with centred inputs; it needs a probe.
    """

    name: ClassVar[str] = "fold_input_centring"

    method: str = attrs.field(default=METHODS[0], validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        expect_network("network", network)
        if self.method == "fold":
            if not is_centred(network):
                return Surgery(network, proved("nothing is subtracted from the inputs"), 0.0)
            if fold_loses_digits(network, context.probe):
                return Surgery(network, proved("kept: the sums would lose digits by the mean"), 0.0)
            return Surgery(fold_centring(network), proved("the bias takes the mean over"), 0.0)
        if context.probe is None:
            raise OperationError(f"{self.name}: method 'centre' needs a probe for the inputs' mean")
        mean = writer_inputs(network, first_linear(network), context.probe).mean(axis=0)
        centred, promise = centre_inputs(network, mean), proved("the bias takes the mean over")
        return Surgery(centred, promise, 0.0, probe_passes=1)
