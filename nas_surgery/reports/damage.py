"""How well predictions of damage held: a table over the candidates of one run or of many."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from nas_surgery.errors import RunError
from nas_surgery.network import Array
from nas_surgery.search.journal import read_records

JOURNAL = "journal.jsonl"
HEADER = (
    "operation",
    "candidates",
    "predicted",
    "measured",
    "off by",
    "rank ρ",
    "Δ loss",
    "Δ acc.",
)
NEGLIGIBLE = 1e-5  # relative change of the outputs that float32 rounding alone may cause


def damage_report(directory: Path) -> str:
    """The table over the journals of a run, or of a directory of runs; RunError if one cannot be read."""
    journals = journals_of(directory)
    records = [record for path in journals for record in candidates(path)]
    runs = f"{len(journals)} run{'' if len(journals) == 1 else 's'}"
    title = (
        f"Damage before any retraining, {len(records)} candidates of {runs}: change of the outputs,"
        " RMS ÷ RMS (medians)"
    )
    return "\n".join([title, *damage_table(records)])


def journals_of(directory: Path) -> list[Path]:
    """The journal of a run, or those of the runs in a directory."""
    own = directory / JOURNAL
    return [own] if own.is_file() else sorted(filter(Path.is_file, directory.glob(f"*/{JOURNAL}")))


def candidates(journal: Path) -> list[dict[str, Any]]:
    """The damage of each candidate that a journal holds, with the label of its operations."""
    labels: dict[int, str] = {}
    found = []
    try:
        for record in read_records(journal):
            if record["record"] == "job":
                labels[record["id"]] = label(record["operations"])
            elif record["record"] == "outcome" and record.get("damage"):
                found.append({"label": labels[record["job"]], **record["damage"]})
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{journal}: not the journal of a run: {error!r}") from None
    return found


def label(operations: Iterable[Mapping[str, Any]]) -> str:
    """Operations by name and method, such as "remove_neurons activation"."""
    names = (f"{op['name']} {op.get('method', '')}".strip() for op in operations)
    return " + ".join(dict.fromkeys(names))


def damage_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each kind of operation and one for all, in aligned columns."""
    if not records:
        return ["  none"]
    kinds = sorted({record["label"] for record in records})
    rows = [_row(kind, [r for r in records if r["label"] == kind]) for kind in kinds]
    if len(kinds) > 1:
        rows.append(_row("all", records))
    widths = [max(len(row[i]) for row in [HEADER, *rows]) for i in range(len(HEADER))]
    return [_align(row, widths) for row in [HEADER, *rows]]


def _row(name: str, records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    pairs = _pairs(records)
    return (
        name,
        str(len(records)),
        _shown(_median([p for p, _ in pairs])),
        _shown(_median([record["outputs"] for record in records])),
        _shown(_typical_factor(pairs), "×{:.2f}"),
        _shown(_rank_correlation(pairs), "{:.2f}"),
        _shown(_median([record["loss"] for record in records]), "{:+.4f}"),
        _shown(_median([record["accuracy"] for record in records]), "{:+.4f}"),
    )


def _pairs(records: Sequence[Mapping[str, Any]]) -> Array:
    """(predicted, measured) of the records that have both, (k, 2)."""
    known = [(r["predicted"], r["outputs"]) for r in records if r["predicted"] is not None]
    return np.array(known, np.float64).reshape(-1, 2)


def _typical_factor(pairs: Array) -> float | None:
    """By what factor the prediction is typically off, either way; both negligible count as right."""
    if not len(pairs):
        return None
    logs = np.abs(np.diff(np.log(np.maximum(pairs, NEGLIGIBLE)), axis=1))
    return float(np.exp(np.median(logs)))


def _rank_correlation(pairs: Array) -> float | None:
    """Spearman's ρ; None where fewer than three candidates or no differences leave it undefined."""
    floored = np.maximum(pairs, NEGLIGIBLE)
    if len(pairs) < 3 or np.any(np.ptp(floored, axis=0) == 0):
        return None
    return float(stats.spearmanr(floored[:, 0], floored[:, 1]).statistic)


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _shown(value: float | None, form: str = "{:.3f}") -> str:
    if value is None:
        return "–"
    return form.format(round(value, 4) + 0.0)  # no minus before a rounded zero


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  " + "  ".join(cells)
