"""What a run gives back."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.files import save
from nas_surgery.network import Array, Dense, Network, linear_layer, own


@attrs.frozen(eq=False)
class ParetoPoint:
    """One network of the front: no other that the search trained is as small and as good.

    epochs: how long it and its ancestors were trained; many are ancestors of the winner, trained briefly.
    """

    network: Network
    parameters: int
    loss: float
    accuracy: float
    job: int
    epochs: float

    def save(self, path: str | Path) -> None:
        """Write the network as `.safetensors` or `.onnx`."""
        save(self.network, path)


@attrs.frozen(eq=False)
class Result:
    """network: the winner. history: the journal's records in order. summary: what `summary.json`
    holds. pareto: the front of validation loss against parameters, smallest first. directory: of the
    run, or None."""

    network: Network
    history: list[dict[str, Any]] = attrs.field(repr=lambda records: f"<{len(records)} records>")
    summary: dict[str, Any] = attrs.field(repr=lambda found: f"<{len(found)} entries>")
    pareto: tuple[ParetoPoint, ...]
    directory: Path | None = None


def in_target_units(network: Network, mean: Array | None, scale: Array | None) -> Network:
    """The network whose outputs are `outputs * scale + mean`, by changing its last linear layer.

    Regressions train on standardised targets; what leaves a run predicts the user's own units. Other
    networks are returned as they are.
    """
    if mean is None or scale is None:
        return network
    address = max(i for i, layer in enumerate(network.layers) if isinstance(layer, Dense))
    layer = linear_layer(network.layers[address])
    bias = np.zeros(layer.units) if layer.bias is None else layer.bias.astype(np.float64)
    kernel = own((layer.kernel.astype(np.float64) * scale).astype(network.dtype))
    scaled = Dense(kernel, own((bias * scale + mean).astype(network.dtype)))
    return network.replace({address: (scaled,)})
