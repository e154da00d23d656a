"""The figures of a study: means and spreads over its runs, and intervals of paired differences.

The first four are those of the paper's Table 3: Schiessler, Aydin, Linka, Cyron: Neural network surgery,
Neural Networks 144 (2021).
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from nas_surgery.studies.plan import Plan
from nas_surgery.studies.rows import Row

CONFIDENCE = 0.95

Figures = dict[str, Any]


def table(plan: Plan, rows: Sequence[Row], failures: Sequence[Row]) -> list[Figures]:
    """An entry for each spec, and behind it one for each of its controls."""
    return [
        _entry(name, control, plan, rows, failures)
        for name in plan.specs
        for control in (None, *plan.controls)
    ]


def _entry(
    name: str, control: str | None, plan: Plan, rows: Sequence[Row], failures: Sequence[Row]
) -> Figures:
    def of(kind: str | None, found: Sequence[Row]) -> list[Row]:
        return [row for row in found if row["spec"] == name and row["control"] == kind]

    mine, search = of(control, rows), of(None, rows)
    spread = _Spread(len(plan.seeds) > 1)
    part = "test" if any(row["test_accuracy"] is not None for row in mine) else "validation"
    key = "test_accuracy" if part == "test" else "accuracy"
    baseline = spread.of(row["baseline_accuracy"] for row in mine)
    surgeon = spread.of(row["accuracy"] for row in mine)
    return {
        "spec": name,
        "strategy": mine[0]["strategy"] if mine else None,
        "control": control,
        "metric": mine[0]["metric"] if mine else None,
        "runs": len(mine),
        "failed": len(of(control, failures)),
        "baseline": baseline,
        "surgeon": surgeon,
        "relative_increase": {"mean": _increase(baseline["mean"], surgeon["mean"]), "std": None},
        "parameter_increase": spread.of(map(_growth, mine)),
        "parameters": spread.of(row["parameters"]["end"] for row in mine),
        "baseline_test": spread.of(row["baseline_test_accuracy"] for row in mine),
        "test": spread.of(row["test_accuracy"] for row in mine),
        "difference": {"of": part, **spread.interval(pairs(mine, key, f"baseline_{key}"))},
        "search_ahead": spread.interval(_ahead(search, mine, key) if control else ()),
        "cost": {
            "epochs": spread.of(row["cost"]["epochs"] for row in mine),
            "macs": spread.of(row["cost"]["macs"] for row in mine),
            "relative": spread.of(row["relative_cost"] for row in mine),
        },
        "rescued": sum(row["learned"] and not row["baseline_learned"] for row in mine),
        "nothing_learned": sum(not row["learned"] for row in mine),
    }


class _Spread:
    """Means, and how far figures scatter; that only where there are several seeds to scatter by."""

    def __init__(self, several: bool) -> None:
        self._several = several

    def of(self, values: Iterable[float | None]) -> Figures:
        """Mean and standard deviation (n − 1) of what there is; None without a value, or a second one."""
        known = [float(value) for value in values if value is not None]
        spread = self._several and len(known) > 1
        return {
            "mean": fmean(known) if known else None,
            "std": stdev(known) if spread else None,
        }

    def interval(self, differences: Sequence[float]) -> Figures:
        """Mean of paired differences, and the 95 % interval of Student's t around it."""
        low, high = _interval(differences) if self._several else (None, None)
        mean = fmean(differences) if differences else None
        return {"mean": mean, "low": low, "high": high}


def _interval(differences: Sequence[float]) -> tuple[float | None, float | None]:
    if len(differences) < 2:
        return None, None
    from scipy import stats  # not at the top: it takes longer to import than all else

    mean, count = fmean(differences), len(differences)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * stdev(differences) / sqrt(count)
    return mean - reach, mean + reach


def pairs(rows: Sequence[Row], after: str, before: str) -> list[float]:
    """What each run gained, of those that have both figures."""
    both = [(row[after], row[before]) for row in rows]
    return [a - b for a, b in both if a is not None and b is not None]


def _ahead(search: Sequence[Row], control: Sequence[Row], key: str) -> list[float]:
    """By how much the search is ahead of its control, in each seed and repeat that has both."""
    other = {_place(row): row[key] for row in control}
    both = [(row[key], other.get(_place(row))) for row in search]
    return [a - b for a, b in both if a is not None and b is not None]


def _place(row: Row) -> tuple[int, int]:
    return row["seed"], row["repeat"]


def _increase(before: float | None, after: float | None) -> float | None:
    """In per cent, of the means; the paper prints no spread. None where there is nothing to increase."""
    if before is None or after is None or before <= 0:
        return None
    return 100 * (after / before - 1)


def _growth(row: Row) -> float:
    """Of the number of parameters, in per cent."""
    size = row["parameters"]
    return 100 * float(size["end"] / size["start"] - 1)


def versions_of(summaries: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What the runs were made with; several versions of one, where there were several."""
    found: dict[str, set[str]] = {}
    for summary in summaries:
        for name, version in summary["versions"].items():
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}
