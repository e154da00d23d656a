"""What a run gives back."""

from pathlib import Path
from typing import Any

import attrs

from nas_surgery.formats.models import save
from nas_surgery.network import Array, Network


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
    """network: the winner. history: the journal's records in order; the `curve` of an outcome is a list of
    {epoch, training_loss, validation_loss, validation_accuracy}, one for each epoch. summary: what `summary.json`
    holds. pareto: the front of validation loss against parameters, smallest first. directory: of the
    run, or None."""

    network: Network
    history: list[dict[str, Any]] = attrs.field(repr=lambda records: f"<{len(records)} records>")
    summary: dict[str, Any] = attrs.field(repr=lambda found: f"<{len(found)} entries>")
    pareto: tuple[ParetoPoint, ...]
    directory: Path | None = None

    def predict(self, x: Any) -> Array:
        """What the winner says of samples `x` (N, ...): labels of classes, or the values of a
        regression in the user's units; see `Network.predict`."""
        return self.network.predict(x)

    def _repr_html_(self) -> str:
        """Figures and network as HTML, which notebooks show."""
        from nas_surgery.reports.notebook import result_html

        return result_html(self.summary, self.network, self.directory)
