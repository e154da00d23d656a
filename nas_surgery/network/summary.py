"""The table of a network's layers, and how `Network.summary()` prints it."""

from collections.abc import Sequence
from typing import Any

from nas_surgery.network.arrays import Shape
from nas_surgery.network.layers import Layer
from nas_surgery.network.wires import INPUT, Wires

HEADER = ("address", "layer", "output", "parameters", "MACs")
NUMBERS = (0, 3, 4)  # columns that are set to the right
Row = tuple[str, ...]


def summary_rows(
    layers: Sequence[Layer], wires: Wires, shapes: Sequence[Shape], dtype: Any
) -> list[Row]:
    """The header, a row for each layer and one of totals; sources where wires name them.

    shapes: of one sample at the input, and behind every layer.
    """
    counts = [sum(array.size for array in layer.parameters().values()) for layer in layers]
    before = ([shapes[source + 1] for source in held] for held in wires.all(len(layers)))
    macs = [layer.macs(*inputs) for layer, inputs in zip(layers, before, strict=True)]
    rows: list[Row] = [HEADER]
    for address, layer in enumerate(layers):
        place, behind = str(address), _shape(shapes[address + 1])
        name = layer.describe() + _sources(wires.get(address))
        rows.append((place, name, behind, f"{counts[address]:,}", f"{macs[address]:,}"))
    total = f"{sum(counts):,}", f"{sum(macs):,}"
    rows.append(("", f"input {_shape(shapes[0])}, {dtype}", "total", *total))
    return rows


def as_text(rows: Sequence[Row]) -> str:
    """Rows in aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    return "\n".join(_align(row, widths) for row in rows)


def _sources(sources: tuple[int, ...] | None) -> str:
    """Such as " of 0, 3", if they are not the layer before."""
    if sources is None:
        return ""
    return " of " + ", ".join("input" if s == INPUT else str(s) for s in sources)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _align(row: Row, widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if i in NUMBERS else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
