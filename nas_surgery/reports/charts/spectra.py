"""Singular spectra of the hidden layers, before and after: how much of its width each layer uses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_surgery.analysis.spectra import LayerAnalysis, analyse
from nas_surgery.network import Network
from nas_surgery.reports.charts.style import (
    BASELINE,
    MUTED,
    NARROW,
    TEXT,
    WINNER,
    below,
    calm,
    label_ends,
    tip,
    title,
    width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES: Sequence[object] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def draw_spectra(ax: "Axes", start: Network | None, winner: Network | None) -> None:
    """Draw the singular values of each hidden layer, largest first, relative to the largest."""
    calm(ax)
    title(ax, "Singular values ÷ the layer's largest", 8)
    below(ax, "rank ÷ width")
    labels = [*_draw(ax, start, "start", BASELINE), *_draw(ax, winner, "winner", WINNER)]
    ax.set(xlim=(0, 1), ylim=(0, 1.05))
    if labels and width(ax) < NARROW:
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.15),
            frameon=False,
            fontsize=TEXT - 1,
            ncols=2,
        )
    elif labels:
        label_ends(ax, labels, above=True)
    else:
        ax.text(0.5, 0.5, "no hidden layer", color=MUTED, fontsize=TEXT, ha="center")


def _draw(
    ax: "Axes", network: Network | None, name: str, colour: str
) -> list[tuple[float, float, str, str]]:
    labels = []
    for layer in () if network is None else analyse(network).layers:
        values = relative(layer)
        ranks = [i / max(1, len(values) - 1) for i in range(len(values))]
        text = f"{name} {layer.index}: {layer.units}, {layer.removable} spare"
        dashes = DASHES[(layer.index - 1) % len(DASHES)]
        ax.plot(
            ranks, values, color=colour, linewidth=1.6, linestyle=dashes, label=text, gid=tip(text)
        )
        labels.append((ranks[-1], values[-1], text, colour))
    return labels


def relative(layer: LayerAnalysis) -> list[float]:
    """Singular values of a layer ÷ its largest."""
    top = float(layer.singular_values[0]) or 1.0
    return [float(value) / top for value in layer.singular_values]
