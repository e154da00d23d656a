"""The table of a study as text: Markdown as the paper prints it, and CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import floor, log10
from statistics import fmean
from typing import Any

from nas_surgery.network.text import one_line

BLOCK = 3  # specs beside each other, as in the paper
NONE = "–"

Entry = Mapping[str, Any]
Cells = Sequence[str]


def study_markdown(study: Mapping[str, Any], seconds: bool = False) -> str:
    """The tables of a study, and what they were made with. seconds: also what the runs took."""
    searches = [entry for entry in study["table"] if entry["control"] is None]
    controls = [entry for entry in study["table"] if entry["control"] is not None]
    times = _seconds(study["rows"]) if seconds else {}
    blocks = [searches[i : i + BLOCK] for i in range(0, len(searches), BLOCK)]
    parts = [_block(block, times) for block in blocks]
    parts += [_beside(searches, controls)] if controls else []
    parts += [_failures(study["failures"])] if study["failures"] else []
    return "\n\n".join([*parts, _origin(study)]) + "\n"


def table_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line for each row under a line of names; what is nested gets a column for each of its parts."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}_")
        elif isinstance(value, list):
            found[f"{prefix}{key}"] = "-".join(map(str, value))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _block(entries: Sequence[Entry], seconds: Mapping[str, float]) -> str:
    """Specs beside each other, as in the paper's Table 3, and below what it leaves out."""
    metric = "R²" if any(entry["metric"] == "r2" for entry in entries) else "accuracy"
    lines: list[tuple[str, Callable[[Entry], str]]] = [
        ("Strategy", lambda entry: entry["strategy"] or NONE),
        ("Runs", lambda entry: str(entry["runs"])),
        (f"Baseline {metric}", lambda entry: _spread(entry["baseline"], "{:.4f}")),
        (f"Surgeon {metric}", lambda entry: _spread(entry["surgeon"], "{:.4f}")),
        (f"Rel. {metric} incr. [%]", lambda entry: _spread(entry["relative_increase"], "{:.2f}")),
        ("Param. fraction incr. [%]", lambda entry: _spread(entry["parameter_increase"], "{:.2f}")),
        (f"Baseline test {metric}", lambda entry: _spread(entry["baseline_test"], "{:.4f}")),
        (f"Surgeon test {metric}", lambda entry: _spread(entry["test"], "{:.4f}")),
        ("Gain [points], 95 % interval", lambda entry: _interval(entry["difference"])),
        ("Cost [epochs]", lambda entry: _spread(entry["cost"]["epochs"], "{:.1f}")),
        ("Cost [10⁹ MACs]", lambda entry: _macs(entry["cost"]["macs"])),
        ("Cost ÷ training the winner", lambda entry: _spread(entry["cost"]["relative"], "{:.2f}")),
        ("Runs rescued", lambda entry: str(entry["rescued"])),
        ("Runs that learned nothing", lambda entry: str(entry["nothing_learned"])),
        *([("Runs that failed", lambda entry: str(entry["failed"]))] if _any(entries) else []),
        *([("Seconds a run", lambda entry: _time(seconds, entry))] if seconds else []),
    ]
    head = ["", *(entry["spec"] for entry in entries)]
    return _markdown(head, [[name, *map(cell, entries)] for name, cell in lines])


def _beside(searches: Sequence[Entry], controls: Sequence[Entry]) -> str:
    """The searches and their controls, one below the other."""
    head = ["Spec", "Contender", "Runs", "Validation", "Test", "Search ahead [points], 95 %"]
    head += ["Parameters", "Cost [10⁹ MACs]"]
    body = []
    for search in searches:
        start = ["start topology", str(search["runs"]), _spread(search["baseline"], "{:.4f}")]
        start += [_spread(search["baseline_test"], "{:.4f}"), _interval(search["difference"])]
        body.append([search["spec"], *_contender(search)])
        body.append(["", *start, "", ""])
        mine = [entry for entry in controls if entry["spec"] == search["spec"]]
        body += [["", *_contender(entry)] for entry in mine]
    return _markdown(head, body)


def _contender(entry: Entry) -> Cells:
    return [
        f"**{entry['strategy']}**" if entry["control"] is None else entry["control"],
        str(entry["runs"]),
        _spread(entry["surgeon"], "{:.4f}"),
        _spread(entry["test"], "{:.4f}"),
        _interval(entry["search_ahead"]) if entry["control"] else "",
        _spread(entry["parameters"], "{:,.0f}"),
        _macs(entry["cost"]["macs"]),
    ]


def _failures(failures: Sequence[Entry]) -> str:
    lines = [f"- {each['directory']}: {one_line(each['reason'])}" for each in failures]
    return "\n".join(["Runs that failed:", "", *lines])


def _origin(study: Mapping[str, Any]) -> str:
    seeds = ", ".join(map(str, study["seeds"]))
    repeats = f", {study['repeats']} repeats of each" if study["repeats"] > 1 else ""
    several = "; mean ± standard deviation over the runs" if len(study["seeds"]) > 1 else ""
    made = ", ".join(f"{name} {version}" for name, version in study["versions"].items())
    word = "seed" if len(study["seeds"]) == 1 else "seeds"
    return f"{word} {seeds}{repeats}{several}; {made}"


def _seconds(rows: Iterable[Entry]) -> dict[str, float]:
    """Mean seconds of each spec's searches, without the baselines."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["control"] is None:
            found.setdefault(row["spec"], []).append(row["cost"]["seconds"])
    return {spec: fmean(values) for spec, values in found.items()}


def _time(seconds: Mapping[str, float], entry: Entry) -> str:
    held = seconds.get(entry["spec"])
    return NONE if held is None else f"{held:.1f}"


def _any(entries: Sequence[Entry]) -> bool:
    return any(entry["failed"] for entry in entries)


def _spread(figures: Entry, form: str) -> str:
    if figures["mean"] is None:
        return NONE
    mean = form.format(figures["mean"])
    return mean if figures["std"] is None else f"{mean} ± {form.format(figures['std'])}"


def _macs(figures: Entry) -> str:
    """In 10⁹, with three digits of the mean."""
    billions = {key: None if value is None else value / 1e9 for key, value in figures.items()}
    decimals = max(0, 2 - floor(log10(billions["mean"] or 1)))
    return _spread(billions, f"{{:.{decimals}f}}")


def _interval(figures: Entry) -> str:
    """A difference in percentage points, or in hundredths of R²."""
    if figures["mean"] is None:
        return NONE
    mean = f"{100 * figures['mean']:+.2f}"
    if figures["low"] is None:
        return mean
    return f"{mean} ({100 * figures['low']:+.2f} to {100 * figures['high']:+.2f})"


def _markdown(head: Cells, body: Sequence[Cells]) -> str:
    """Aligned, so that it can be read as it is."""
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    ruled = [head, ["-" * max(width, 3) for width in widths], *body]
    return "\n".join(_line(row, [max(width, 3) for width in widths]) for row in ruled)


def _line(row: Cells, widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(padded)} |"
