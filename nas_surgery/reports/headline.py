"""The sentence that matters: what was gained, at what size, at what price."""

from typing import Any

from nas_surgery.reports.record import Record
from nas_surgery.reports.timeline import widths

SAME = 5e-5  # what four digits do not show


def headline(record: Record) -> str:
    """One or two sentences on a run, however it ended."""
    if record.summary is None:
        return _so_far(record)
    return f"{_gain(record, record.summary)} {_size_and_price(record.summary)}"


def _so_far(record: Record) -> str:
    best = record.winner
    if best is None or best.accuracy is None or best.parameters is None:
        return f"This run has no result yet; {_count(len(record.trials), 'job')} recorded."
    return (
        f"This run has no result yet. After {_count(len(record.trials), 'job')} the best network has a validation"
        f" {record.metric} of {best.accuracy:.4f} with {best.parameters:,} parameters, trained for"
        f" {best.ended:g} of {record.max_epochs:g} epochs."
    )


def _gain(record: Record, summary: dict[str, Any]) -> str:
    """On the part that nobody looked at before, if there is one; beside the baseline, if there is one."""
    part, value = figure(summary)
    text = f"The search came to a {part} {record.metric} of {value:.4f}"
    if value <= summary["chance"]:
        return f"{text}: no better than always giving the same answer ({summary['chance']:.4f})."
    baseline = (summary["baseline"] or {}).get("accuracy", {}).get(part)
    if baseline is None:
        return f"{text}; the start topology was not trained to compare with."
    return f"{text}, {_compared(value - baseline)} the start topology trained as long ({baseline:.4f})."


def figure(summary: dict[str, Any]) -> tuple[str, float]:
    """The part that a run is judged by, and its accuracy there: the test part, or the validation part."""
    accuracy = summary["accuracy"]
    part = "validation" if accuracy.get("test") is None else "test"
    return part, float(accuracy[part])


def _compared(difference: float) -> str:
    if abs(difference) < SAME:
        return "the same as"
    return f"{abs(difference):.4f} {'above' if difference > 0 else 'below'}"


def _size_and_price(summary: dict[str, Any]) -> str:
    start, end = summary["parameters"]["start"], summary["parameters"]["end"]
    size = f"It has {end:,} parameters" + (
        ", as many as the start,"
        if start == end
        else f", {_factor(end / start)} the start's {start:,}"
    )
    shape = (
        f" in hidden layers of {widths(summary['hidden']['end'])}"
        if summary["hidden"]["end"]
        else ""
    )
    price = f"{summary['cost']['relative']:.2f} × what training it alone takes"
    return f"{size}{shape}; the whole search trained {price}."


def _factor(ratio: float) -> str:
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
