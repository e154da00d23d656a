"""What the readers of each group see on a probe, in one walk through the network."""

from collections.abc import Sequence

import numpy as np

from nas_surgery.network import Array, Group, Network, Reader, keyed_generator
from nas_surgery.network.wires import INPUT
from nas_surgery.surgery import parts_of
from nas_surgery.surgery.refit import Run, plain

ROWS = 4096  # of each group, samples and positions together


def seen_values(
    network: Network, groups: Sequence[Group], x: Array, seed: int = 0, run: Run = plain
) -> list[Array]:
    """Values (rows, size) of each group's channels in front of its readers, float64, of samples `x`.

    Where several read it, in several states perhaps, the rows of each stand below each other.
    """
    wanted: dict[int, list[tuple[int, Reader]]] = {}
    for i, group in enumerate(groups):
        for reader in group.readers:
            wanted.setdefault(reader.address, []).append((i, reader))
    found: list[list[Array]] = [[] for _ in groups]
    values = {INPUT: np.asarray(x, network.dtype)}
    last = {source: i for i, held in enumerate(network.sources) for source in held}
    for address, layer in enumerate(network.layers):
        sources = network.sources[address]
        for i, reader in wanted.get(address, []):
            few = ROWS // len(groups[i].readers)
            generator = keyed_generator(seed, "curve", address, i)
            found[i].append(_rows(values[sources[0]], reader, groups[i].size, few, generator))
        values[address] = run(layer, *(values[source] for source in sources))
        for source in set(sources):
            if last[source] == address:
                del values[source]
    return [np.concatenate(parts) if parts else np.zeros((0, 0)) for parts in found]


def _rows(
    value: Array, reader: Reader, size: int, few: int, generator: np.random.Generator
) -> Array:
    """Some of what stands in a value for a group, (rows, size)."""
    rows = value.reshape(-1, value.shape[-1])
    count = max(1, few // reader.positions)
    if count < len(rows):
        rows = rows[np.sort(generator.choice(len(rows), count, replace=False))]
    parts = parts_of(rows.T.astype(np.float64), reader, size)
    return np.moveaxis(parts, 1, -1).reshape(-1, size)
