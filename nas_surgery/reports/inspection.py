"""The text of `nas-surgery inspect`: spectra, removable neurons, and the ranked proposals with reasons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas_surgery.analysis.spectra import LayerAnalysis, analyse
from nas_surgery.network import Array, Group, Network
from nas_surgery.operations import Operation
from nas_surgery.strategies.recommender import Candidate, Limits, Recommender
from nas_surgery.surgery import unmixable
from nas_surgery.surgery.ties import left_alone, ties

BARS = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH = 40


def inspection(network: Network, operations: Mapping[str, type[Operation]]) -> str:
    """Summary table, one line per hidden layer, and everything that the recommender would propose."""
    layers = analyse(network).layers
    candidates = Recommender(operations).candidates(0, network, Limits())
    blocks = [
        network.summary(),
        "Hidden layers (singular values relative to the largest; removable neurons by eq. 13)",
        "\n".join(_layer_line(layer) for layer in layers) or "  none",
        *_groups(network),
        "Proposals (first criterion: score; second: parameters, fewer first)",
        "\n".join(_table(candidates, network.parameter_count)),
    ]
    return "\n\n".join(blocks)


def account(network: Network, operations: Mapping[str, type[Operation]]) -> dict[str, Any]:
    """The same as JSON values."""
    candidates = Recommender(operations).candidates(0, network, Limits())
    return {
        "layers": [_layer_account(layer) for layer in analyse(network).layers],
        "groups": [_group_account(network, group) for group in network.groups()],
        "left_alone": {str(i): reason for i, reason in left_alone(network).items()},
        "proposals": [candidate.to_json() for candidate in candidates],
    }


def _groups(network: Network) -> list[str]:
    """Channel groups, what ties each and what cannot be done to it; nothing of networks where none says more."""
    lines = [_group_line(network, group) for group in network.groups()]
    alone = [f"  layer {i}: left alone; {reason}" for i, reason in left_alone(network).items()]
    plain = not network.wires and not alone and not any(g.holders for g in network.groups())
    if plain or not (lines or alone):
        return []
    return ["Channels that change together", "\n".join(lines + alone)]


def _group_line(network: Network, group: Group) -> str:
    reason = unmixable(network, group)
    return f"  {ties(network, group)}" + ("" if reason is None else f"; never more: {reason}")


def _group_account(network: Network, group: Group) -> dict[str, Any]:
    return {
        "writers": list(group.writers),
        "units": group.size,
        "multiple_of": group.step,
        "ties": ties(network, group),
        "never_more": unmixable(network, group),
    }


def _layer_account(layer: LayerAnalysis) -> dict[str, Any]:
    return {
        "address": layer.address,
        "units": layer.units,
        "removable": layer.removable,
        "singular_values": layer.singular_values.tolist(),
    }


def sparkline(values: Array, width: int = SPARKLINE_WIDTH) -> str:
    """Values from 0 to their largest as a row of bars, at most `width` of them."""
    if len(values) > width:
        values = np.array([part.mean() for part in np.array_split(values, width)])
    top = float(values.max(initial=0.0)) or 1.0
    return "".join(BARS[min(int(value / top * len(BARS)), len(BARS) - 1)] for value in values)


def _layer_line(layer: LayerAnalysis) -> str:
    values = layer.singular_values
    return (
        f"  layer {layer.address}  {layer.units} units, {layer.removable} removable"
        f"  {sparkline(values)}  σ {values[0]:.3g} … {values[-1]:.3g}"
    )


def _table(candidates: Sequence[Candidate], now: int) -> list[str]:
    rows = [("score", "parameters", "operation", "why")]
    rows += [
        (
            f"{c.proposal.score:.3f}",
            f"{c.parameters:,} ({(c.parameters - now) / now:+.1%})",
            c.operation.describe(),
            c.proposal.reason,
        )
        for c in candidates
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return [
        f"  {a.rjust(widths[0])}  {b.rjust(widths[1])}  {c.ljust(widths[2])}  {d}"
        for a, b, c, d in rows
    ]
