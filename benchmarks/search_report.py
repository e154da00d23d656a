"""The tables of the search benchmark, in Markdown."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log2
from statistics import fmean, stdev
from typing import Any

Row = dict[str, Any]


def report(results: Row) -> list[str]:
    """All tables."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    seeds = ", ".join(map(str, results["seeds"]))
    lines = ["", f"{results['data']}, seeds {seeds}, {results['date']}; {versions}"]
    for start in results["starts"]:
        runs = [row for row in results["runs"] if row["start"] == start]
        lines += ["", f"**{start}**", "", *contenders_table(runs)] if runs else []
    lines += ["", *price_table(results["prices"])] if results["prices"] else []
    lines += ["", *claims(results)]
    return lines


def contenders_table(runs: Sequence[Row]) -> Iterator[str]:
    """One line for each contender; differences are paired by seed."""
    default = {row["seed"]: row for row in runs if row["contender"] == "default"}
    yield "| contender | test accuracy | default ahead by | parameters | training MACs, 10⁹ | seconds |"
    yield "|---|---|---|---|---|---|"
    for name in dict.fromkeys(row["contender"] for row in runs):
        rows = [row for row in runs if row["contender"] == name]
        ahead = [100 * (default[row["seed"]]["test"] - row["test"]) for row in rows]
        seconds = [row["seconds"] for row in rows if "seconds" in row]
        cells = [
            name,
            spread([100 * row["test"] for row in rows]),
            "" if name == "default" else spread(ahead),
            f"{fmean(row['parameters'] for row in rows):,.0f}",
            f"{fmean(row['macs'] for row in rows) / 1e9:,.0f}",
            f"{fmean(seconds):.1f}" if seconds else "",
        ]
        yield f"| {' | '.join(cells)} |"


def price_table(rows: Sequence[Row]) -> Iterator[str]:
    """Means over seeds for each start and price."""
    yield "| start | price | parameters | test accuracy | validation loss | cost |"
    yield "|---|---|---|---|---|---|"
    for start, price in dict.fromkeys((row["start"], row["price"]) for row in rows):
        same = [row for row in rows if (row["start"], row["price"]) == (start, price)]
        yield (
            f"| {start} | {price} | {fmean(row['parameters'] for row in same):,.0f}"
            f" | {spread([100 * row['test'] for row in same])}"
            f" | {fmean(row['validation_loss'] for row in same):.4f}"
            f" | {max(row['cost'] for row in same):.2f} |"
        )


def claims(results: Row) -> Iterator[str]:
    """What the run shows beyond the tables: cost, wall time, and trials above the front."""
    default = [row for row in results["runs"] if row["contender"] == "default"]
    everything = default + results["prices"]
    if everything:
        worst = max(row["cost"] for row in everything)
        yield f"Largest cost of a default run: {worst:.3f} × training its final network."
    yield from wall_ratios(results["runs"])
    for start in results["starts"]:
        yield from trials_above(results, start)


def wall_ratios(runs: Sequence[Row]) -> Iterator[str]:
    """Seconds of the default run ÷ those of training its final network, both in this process."""
    scratch = {
        (row["start"], row["seed"]): row["seconds"]
        for row in runs
        if row["contender"] == "final from scratch"
    }
    ratios = [
        row["seconds"] / scratch[row["start"], row["seed"]]
        for row in runs
        if row["contender"] == "default" and (row["start"], row["seed"]) in scratch
    ]
    if ratios:
        yield (
            f"Wall time of a default run ÷ training its final network: {fmean(ratios):.2f} in the mean,"
            f" {max(ratios):.2f} at most."
        )


def trials_above(results: Row, start: str) -> Iterator[str]:
    """How far Optuna's trials lie above the front of prices, at their size."""
    trials = [
        trial
        for row in results["runs"]
        if row["contender"] == "optuna" and row["start"] == start
        for trial in row["trials"]
    ]
    points = front([row for row in results["prices"] if row["start"] == start])
    if trials and points:
        worst = max(100 * (trial["test"] - at(points, trial["parameters"])) for trial in trials)
        yield (
            f"{start}: the best of {len(trials)} Optuna trials lies {worst:+.2f} points from the front"
            f" of prices at its size."
        )


def front(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Mean (parameters, test accuracy) of each price, smallest first."""
    prices = dict.fromkeys(row["price"] for row in rows)
    means = []
    for price in prices:
        same = [row for row in rows if row["price"] == price]
        means.append((fmean(r["parameters"] for r in same), fmean(r["test"] for r in same)))
    return sorted(means)


def at(points: Sequence[tuple[float, float]], parameters: int) -> float:
    """Accuracy of the front at a size: linear in log parameters, and constant beyond its ends."""
    if parameters <= points[0][0]:
        return points[0][1]
    for (small, low), (large, high) in pairwise(points):
        if parameters <= large:
            share = log2(parameters / small) / log2(large / small)
            return low + share * (high - low)
    return points[-1][1]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{fmean(values):.2f} ± {deviation:.2f}"
