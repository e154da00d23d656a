"""The table of the defaults benchmark, in Markdown."""

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

Row = dict[str, Any]


def report(results: Row) -> Iterator[str]:
    """One line for each set and contender; differences are paired by seed."""
    yield "| set | contender | test, % (R² × 100) | ours ahead by | parameters | cost | seconds |"
    yield "|---|---|---|---|---|---|---|"
    runs = results["runs"]
    for name in dict.fromkeys(row["set"] for row in runs):
        own = {r["seed"]: r["test"] for r in _of(runs, name, "ours")}
        there = dict.fromkeys(r["contender"] for r in runs if r["set"] == name)
        for contender in sorted(there, key="ours".__ne__):
            rows = _of(runs, name, contender)
            gains = [100 * (own[r["seed"]] - r["test"]) for r in rows if r["seed"] in own]
            yield " | ".join(
                [
                    f"| {name if contender == 'ours' else ''}",
                    f"**{contender}**" if contender == "ours" else contender,
                    spread([100 * row["test"] for row in rows]),
                    "" if contender == "ours" else gain(gains),
                    _mean(rows, "parameters", ",.0f"),
                    _mean(rows, "cost", ".2f"),
                    f"{_mean(rows, 'seconds', '.1f')} |",
                ]
            )


def _of(runs: Sequence[Row], name: str, contender: str) -> list[Row]:
    return [row for row in runs if (row["set"], row["contender"]) == (name, contender)]


def _mean(rows: Sequence[Row], key: str, form: str) -> str:
    values = [row[key] for row in rows if row.get(key) is not None]
    return format(fmean(values), form) if values else ""


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation over seeds."""
    return f"{fmean(values):.2f} ± {stdev(values) if len(values) > 1 else 0.0:.2f}"


def gain(values: Sequence[float]) -> str:
    """Mean ± standard error."""
    if not values:
        return ""
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{fmean(values):+.2f} ± {error:.2f}"
