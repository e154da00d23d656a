"""The table that `Network.summary()` prints."""

from typing import TYPE_CHECKING

from nas_surgery.network.layers import Activation, Dropout, Layer

if TYPE_CHECKING:
    from nas_surgery.network.network import Network

HEADER = ("address", "layer", "output", "parameters", "MACs")


def summary_table(network: "Network") -> str:
    """One line per layer and a line of totals, in aligned columns."""
    rows = [HEADER]
    for address, layer in enumerate(network.layers):
        before, behind = network.shapes[address], network.shapes[address + 1]
        count = sum(array.size for array in layer.parameters().values())
        rows.append(
            (str(address), describe(layer), _shape(behind), f"{count:,}", f"{layer.macs(before):,}")
        )
    total = f"{network.parameter_count:,}", f"{network.macs:,}"
    rows.append(("", f"input {_shape(network.input_shape)}, {network.dtype}", "total", *total))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    return "\n".join(_align(row, widths) for row in rows)


def describe(layer: Layer) -> str:
    """A layer in a word or two, such as `Dense` or `Activation relu`."""
    name = type(layer).__name__
    if isinstance(layer, Activation):
        return f"{name} {layer.function}"
    if isinstance(layer, Dropout):
        return f"{name} {layer.rate:g}"
    return name


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _align(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if i in (0, 3, 4) else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
