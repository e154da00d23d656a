"""Leave the network as it is: the control that every other candidate has to beat."""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.network import Network, expect_network
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, proved


@attrs.frozen
class Identity(Operation):
    """No change. Exact."""

    name: ClassVar[str] = "identity"

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        expect_network("network", network)
        return Surgery(network, proved("nothing is changed"), 0.0)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        return [Proposal(cls(), 1.0, "the unchanged network competes in every round")]

    def parameters_after(self, network: Network) -> int:
        return network.parameter_count
