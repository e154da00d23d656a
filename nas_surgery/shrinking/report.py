"""What became of a network that was made smaller, for people and as JSON values."""

from collections.abc import Sequence
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
        **_judged(found),
        "channels": [
            {"layer": address, "before": old, "after": new}
            for address, (old, new) in found.sizes.items()
        ],
        "drift": [
            {"layer": drift.address, "cut": drift.before, "fitted": drift.after}
            for drift in found.drifts
        ],
    }


def _judged(found: Shrunk) -> dict[str, Any]:
    """What the samples held back say; agreement and accuracy None where they cannot."""
    verdict, refitted = found.verdict, found.refitted
    accuracy = None if verdict is None else verdict.accuracy
    return {
        "held_back": found.judged,
        "agreement": None if verdict is None else verdict.agreement,
        "accuracy": accuracy and {"before": accuracy[0], "after": accuracy[1]},
        "before_retraining": refitted
        and {
            "agreement": refitted.agreement,
            "accuracy": None if refitted.accuracy is None else refitted.accuracy[1],
        },
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
        lines += [_agreement(value), *_held_back(value)]
    else:
        lines.append(
            "no data, so by weights alone: nothing made up for what went, accuracy unknown"
        )
    return "\n".join([*lines, "", *_layers(found.before, found.network, value)])


def _agreement(value: dict[str, Any]) -> str:
    before = value["before_retraining"]
    retrained = "" if before is None else f" (before it was retrained {before['agreement']:.2%})"
    return f"{'agreement':<12}{value['agreement']:.2%} with the original{retrained}"


def _held_back(value: dict[str, Any]) -> list[str]:
    count = f"measured on {value['held_back']:,} of the samples, held back from all that was fitted"
    if value["accuracy"] is None:
        return [count]
    return [count, "accuracy tells only how the two compare if the original was trained on them"]


def front_text(rows: list[dict[str, Any]]) -> str:
    """A line for each size of a front, below that of the original."""
    known = rows[0]["accuracy"] is not None
    lines = [("", "MACs", "parameters", "latency", "agreement", "accuracy" if known else "")]
    for when in ("before", *range(len(rows))):
        row, side = (rows[0], "before") if when == "before" else (rows[int(when)], "after")
        agreement = 1.0 if side == "before" else row["agreement"]
        lines.append(
            (
                "original" if side == "before" else row["output"],
                f"{row['macs'][side]:,}",
                f"{row['parameters'][side]:,}",
                f"{row['latency_ms'][side]:.2f} ms",
                "" if agreement is None else f"{agreement:.2%}",
                f"{row['accuracy'][side]:.2%}" if known else "",
            )
        )
    return aligned(lines, left=(0,))


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
    return aligned(rows, left=(1,)).split("\n")


def aligned(rows: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> str:
    """Rows of cells as columns; those of numbers on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
