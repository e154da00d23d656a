"""What became of a network that was made smaller, for people and as JSON values."""

from typing import Any

from nas_surgery.network import Network
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.shrunk import Shrunk


def account(found: Shrunk) -> dict[str, Any]:
    """Costs before and after, measured latency, agreement, accuracy, and the drift of each layer."""
    before, after = found.before, found.network
    latency = [measured_latency(network) for network in (before, after)]
    return {
        "parameters": {"before": before.parameter_count, "after": after.parameter_count},
        "macs": {"before": before.macs, "after": after.macs},
        "latency_ms": {
            "before": latency[0].milliseconds,
            "after": latency[1].milliseconds,
            "batch": latency[0].batch,
            "threads": latency[0].threads,
        },
        "agreement": found.agreement,
        "accuracy": None
        if found.accuracy is None
        else {"before": found.accuracy[0], "after": found.accuracy[1]},
        "channels": [
            {"layer": address, "before": old, "after": new}
            for address, (old, new) in found.sizes.items()
        ],
        "drift": [
            {"layer": drift.address, "cut": drift.before, "fitted": drift.after}
            for drift in found.drifts
        ],
    }


def text(found: Shrunk, value: dict[str, Any]) -> str:
    """The same in a few lines and a table."""
    lines = [
        _line("parameters", value["parameters"], "{:,}"),
        _line("MACs", value["macs"], "{:,}"),
        _line("latency", value["latency_ms"], "{:.2f} ms"),
    ]
    if value["accuracy"] is not None:
        lines.append(_line("accuracy", value["accuracy"], "{:.2%}", ratio=False))
    if value["agreement"] is not None:
        lines.append(f"{'agreement':<12}{value['agreement']:.2%} on samples held back")
    else:
        lines.append(
            "no data, so by weights alone: nothing made up for what went, accuracy unknown"
        )
    return "\n".join([*lines, "", *_layers(found.before, found.network, value)])


def _line(name: str, pair: dict[str, float], form: str, ratio: bool = True) -> str:
    before, after = pair["before"], pair["after"]
    share = f"  ({after / before:.0%})" if ratio and before else ""
    return f"{name:<12}{form.format(before)} → {form.format(after)}{share}"


def _layers(before: Network, after: Network, value: dict[str, Any]) -> list[str]:
    """Of each layer whose outputs changed in number or drifted: channels, and drift cut and fitted."""
    drifts = {entry["layer"]: entry for entry in value["drift"]}
    rows = [("layer", "", "channels", "drift if only cut", "drift")]
    for address, layer in enumerate(before.layers):
        drift = drifts.get(address)
        sizes = [network.shapes[address + 1][-1] for network in (before, after)]
        if drift is None and not (layer.channels.reads and sizes[0] != sizes[1]):
            continue
        channels = f"{sizes[0]} → {sizes[1]}" if sizes[0] != sizes[1] else f"{sizes[0]}"
        shown = ("", "") if drift is None else (f"{drift['cut']:.3f}", f"{drift['fitted']:.3f}")
        rows.append((str(address), after.layers[address].describe(), channels, *shown))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        f"{a.rjust(widths[0])}  {b.ljust(widths[1])}  {c.rjust(widths[2])}  {d.rjust(widths[3])}"
        f"  {e.rjust(widths[4])}".rstrip()
        for a, b, c, d, e in rows
    ]
