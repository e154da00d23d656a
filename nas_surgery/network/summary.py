"""The table that `Network.summary()` prints."""

from collections.abc import Sequence
from typing import Any

from nas_surgery.network.arrays import Shape
from nas_surgery.network.layers import Layer

HEADER = ("address", "layer", "output", "parameters", "MACs")


def summary_table(layers: Sequence[Layer], shapes: Sequence[Shape], dtype: Any) -> str:
    """One line per layer and a line of totals, in aligned columns.

    shapes: of one sample before every layer, and behind the last.
    """
    counts = [sum(array.size for array in layer.parameters().values()) for layer in layers]
    macs = [layer.macs(before) for layer, before in zip(layers, shapes, strict=False)]
    rows = [HEADER]
    for address, layer in enumerate(layers):
        place, behind = str(address), _shape(shapes[address + 1])
        rows.append((place, layer.describe(), behind, f"{counts[address]:,}", f"{macs[address]:,}"))
    total = f"{sum(counts):,}", f"{sum(macs):,}"
    rows.append(("", f"input {_shape(shapes[0])}, {dtype}", "total", *total))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    return "\n".join(_align(row, widths) for row in rows)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _align(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if i in (0, 3, 4) else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
