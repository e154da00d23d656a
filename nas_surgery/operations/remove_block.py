"""Drop a branch of a residual network."""

from typing import ClassVar

import attrs

from nas_surgery.errors import OperationError
from nas_surgery.network import Network, Outputs, expect_network
from nas_surgery.operations.base import Context, Operation
from nas_surgery.surgery import Surgery, approximate, fitted_promise
from nas_surgery.surgery.blocks import readers_behind, without
from nas_surgery.surgery.fitting import readers_fitted
from nas_surgery.validators import optional, whole


@attrs.frozen
class RemoveBlock(Operation):
    """Drop the join at address `layer` and one of the two branches that meet there.

    What reads the join reads the other branch instead. keep: address of the layer whose outputs stay, -1
    for the input; by default of the branch that leaves fewer parameters. On a probe, the layers behind
    are fitted to what they put out before; without one they stay as they are. Approximate.
    """

    name: ClassVar[str] = "remove_block"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    keep: int | None = attrs.field(default=None, validator=optional(whole(-1)))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        edited, place = self._cut(network)
        if context.probe is None:
            return Surgery(
                edited, approximate("a branch is gone, and no probe was there to fit to")
            )
        readers = [(i, place[i]) for i in readers_behind(network, self.layer)]
        fitted, error = readers_fitted(network, edited, readers, context.probe)
        return Surgery(fitted, fitted_promise(error), error, probe_passes=2 * len(readers))

    def parameters_after(self, network: Network) -> int:
        return self._cut(network)[0].parameter_count

    def _cut(self, network: Network) -> tuple[Network, dict[int, int]]:
        """The smallest network of those that may be left."""
        expect_network("network", network)
        fitting = self._branches(network)
        wanted = [source for source in fitting if self.keep in (None, source)]
        if not wanted:
            raise self._refusal(f"{self.keep} is none of the sources that could stay, {fitting}")
        found = [without(network, self.layer, source) for source in wanted]
        return min(found, key=lambda cut: cut[0].parameter_count)

    def _branches(self, network: Network) -> list[int]:
        """The sources whose outputs are as those of the join."""
        if self.layer >= len(network.layers):
            raise self._refusal("there is no such layer")
        layer, sources = network.layers[self.layer], network.sources[self.layer]
        if layer.channels.outputs is not Outputs.TIE or len(set(sources)) != 2:
            raise self._refusal("it is no sum or product of two branches")
        if self.layer == len(network.layers) - 1:
            raise self._refusal("it gives the outputs")
        shape = network.shapes[self.layer + 1]
        fitting = [source for source in sources if network.shapes[source + 1] == shape]
        if not fitting:
            raise self._refusal("neither branch has the shape of both")
        return fitting

    def _refusal(self, reason: str) -> OperationError:
        return OperationError(
            f"{self.name}: no branch can be dropped at layer {self.layer}: {reason}"
        )
