"""Pages over many runs: of a study, and of runs and studies side by side."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nas_surgery.network.text import one_line
from nas_surgery.reports.charts.study import ROW, Bars, Gain, Value, draw_bars, draw_gains
from nas_surgery.reports.charts.style import framed
from nas_surgery.reports.comparison import Line, comparison_table
from nas_surgery.reports.figures import Chart
from nas_surgery.reports.rendering import Section, render, section
from nas_surgery.reports.tables import Table
from nas_surgery.reports.wording import number, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BARS = "Bars begin at zero; the line across the end of a bar is one standard deviation either way."
GAINS = "Right of the line the search did better than its start topology, on the same seeds."


def study_page(study: Mapping[str, Any]) -> str:
    """The page of a study, from what its study.json holds."""
    lines, repeats = study["table"], study["repeats"]
    seeds = f"seeds {', '.join(map(str, study['seeds']))}"
    return render(
        "table.html",
        {
            "title": "Study: nas-surgery",
            "eyebrow": f"nas-surgery · study · {seeds}{f' · {repeats} × each' if repeats > 1 else ''}",
            "headline": study_headline(lines),
            "notices": list(_notices(study)),
            "figures": study_table(lines),
            "sections": _sections(study),
            "versions": ", ".join(f"{name} {v}" for name, v in study.get("versions", {}).items()),
        },
    )


def study_headline(lines: Sequence[Mapping[str, Any]]) -> str:
    """In how many settings the search did better, and where that is beyond doubt."""
    searches = [line for line in lines if line.get("control") is None]
    gains = [
        gain for line in searches if (gain := line.get("difference") or {}).get("mean") is not None
    ]
    runs = sum(line["runs"] for line in searches)
    if not gains:
        return f"{runs} runs in {_settings(len(searches))}; none has a baseline to compare with."
    better = sum(gain["mean"] > 0 for gain in gains)
    sure = sum(gain.get("low") is not None and gain["low"] > 0 for gain in gains)
    worse = sum(gain.get("high") is not None and gain["high"] < 0 for gain in gains)
    text = (
        f"In {better} of {_settings(len(gains))} the search did better in the mean than its start topology"
        f" trained as long"
    )
    if all(gain.get("low") is None for gain in gains):
        return f"{text}, over {runs} runs; with one seed each there is no interval."
    if not sure and not worse:
        return f"{text}, in none beyond the 95 % interval; {runs} runs."
    return f"{text}, in {sure} of them beyond the 95 % interval, and worse beyond it in {worse}; {runs} runs."


def _settings(count: int) -> str:
    return f"{count} setting{'' if count == 1 else 's'}"


def _notices(study: Mapping[str, Any]) -> Iterator[str]:
    """Of searches and controls alike."""
    rescued = sum(line.get("rescued") or 0 for line in study["table"])
    stuck = sum(line.get("nothing_learned") or 0 for line in study["table"])
    if rescued:
        yield f"Runs that learned where their start topology did not: {rescued}."
    if stuck:
        yield f"Runs that learned nothing: {stuck}."
    for failure in study.get("failures") or ():
        yield one_line(f"{failure['directory']} failed: {failure['reason']}")


def _names(line: Mapping[str, Any]) -> tuple[str, str]:
    """The spec, and who contended: the strategy, or the control by its name."""
    return one_line(line["spec"]), one_line(line.get("control") or line["strategy"] or "–")


def name_of(line: Mapping[str, Any]) -> str:
    """Spec and contender of a line."""
    return ", ".join(_names(line))


def study_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """As the paper prints it (Table 3)."""
    head = (
        "spec", "contender", "runs", "baseline", "Surgeon", "relative increase [%]",
        "parameters' increase [%]",
    )  # fmt: skip
    rows = tuple(
        (
            *_names(line),
            whole(line["runs"]),
            *(_spread(line.get(key)) for key in ("baseline", "surgeon")),
            *(
                _spread(line.get(key), "+.2f")
                for key in ("relative_increase", "parameter_increase")
            ),
        )
        for line in lines
    )
    return Table("Validation figures, mean ± standard deviation", head, rows, frozenset({0, 1}))


def gains_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """What the paper leaves out."""
    head = (
        "spec", "contender", "S − B, paired", "95 % interval", "of the part", "test", "baseline's test",
        "cost", "rescued", "learned nothing", "failed",
    )  # fmt: skip
    rows = tuple(
        (
            *_names(line),
            number((line.get("difference") or {}).get("mean"), "+.4f"),
            _interval(line.get("difference")),
            one_line((line.get("difference") or {}).get("of", "validation")),
            *(_spread(line.get(key)) for key in ("test", "baseline_test")),
            _spread((line.get("cost") or {}).get("relative"), ".2f"),
            *(whole(line.get(key)) for key in ("rescued", "nothing_learned", "failed")),
        )
        for line in lines
    )
    caption = "Differences, test figures and costs (training ÷ the winner's alone), and runs that stayed stuck"
    return Table(caption, head, rows, frozenset({0, 1, 4}))


def _spread(value: Mapping[str, Any] | None, form: str = ".4f") -> str:
    """A mean with its deviation; without a ± where there is only one run."""
    if not value or value.get("mean") is None:
        return "–"
    mean = format(value["mean"], form)
    return (
        mean if value.get("std") is None else f"{mean} ± {format(value['std'], form.lstrip('+'))}"
    )


def _interval(value: Mapping[str, Any] | None) -> str:
    if not value or value.get("low") is None or value.get("high") is None:
        return "–"
    return f"{number(value['low'], '+.4f')} to {number(value['high'], '+.4f')}"


def study_charts(study: Mapping[str, Any]) -> tuple[Chart, ...]:
    """Bars of S against B (Fig. 2), and the paired differences, as far as there are any."""
    bars = [
        Bars(name_of(line), surgeon, _value(line.get("baseline")))
        for line in study["table"]
        if (surgeon := _value(line.get("surgeon")))
    ]
    gains = [
        Gain(name_of(line), gain["mean"], gain.get("low"), gain.get("high"))
        for line in study["table"]
        if (gain := line.get("difference")) and gain.get("mean") is not None
    ]
    metric = _metric(study["table"])
    made = [bars_chart(bars, f"Validation {metric}")] if bars else []
    if gains:
        parts = {line["difference"].get("of", "validation") for line in study["table"]}
        what = f"{' or '.join(sorted(map(str, parts))).capitalize()} {metric}"
        made.append(Chart("gains", "S − B for each setting", partial(_gains, gains, what)))
    return tuple(made)


def _metric(lines: Sequence[Mapping[str, Any]]) -> str:
    names = {"R²" if line.get("metric") == "r2" else "accuracy" for line in lines}
    return " or ".join(sorted(names, reverse=True))


def _sections(study: Mapping[str, Any]) -> list[Section]:
    shown = {
        "bars": ("Search against start topology", BARS, _runs_table(study["rows"])),
        "gains": ("What the search gained", GAINS, gains_table(study["table"])),
    }
    return [section(chart, *shown[chart.name]) for chart in study_charts(study)]


def bars_chart(rows: Sequence[Bars], what: str) -> Chart:
    """A pair of bars for each row."""
    return Chart("bars", f"{what}, S against B", partial(_bars, rows, what))


def _value(found: Mapping[str, Any] | None) -> Value | None:
    if not found or found.get("mean") is None:
        return None
    return Value(float(found["mean"]), found.get("std"))


def _runs_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    head = (
        "spec", "contender", "seed", "repeat", "validation", "baseline", "test", "baseline's test",
        "parameters at the start", "at the end", "epochs", "MACs", "seconds", "learned",
    )  # fmt: skip
    found = tuple(
        (
            *_names(row),
            str(row["seed"]),
            str(row["repeat"]),
            *(number(row.get(key)) for key in ("accuracy", "baseline_accuracy")),
            *(number(row.get(key)) for key in ("test_accuracy", "baseline_test_accuracy")),
            *(whole(row["parameters"][key]) for key in ("start", "end")),
            number(row["cost"]["epochs"], ",.1f"),
            whole(row["cost"]["macs"]),
            number(row["cost"]["seconds"], ",.1f"),
            "yes" if row["learned"] else "no",
        )
        for row in rows
    )
    return Table("Every run", head, found, frozenset({0, 1}))


def comparison_page(lines: Sequence[Line]) -> str:
    """The page of runs and settings side by side."""
    table = comparison_table(lines)
    bars = [
        Bars(
            f"{line.name}, {line.strategy}",
            Value(*line.accuracy),
            line.baseline and Value(*line.baseline),
        )
        for line in lines
        if line.accuracy is not None
    ]
    drawn = (
        section(bars_chart(bars, "Validation figure"), "Side by side", BARS, None) if bars else None
    )
    return render(
        "table.html",
        {
            "title": "Comparison: nas-surgery",
            "eyebrow": f"nas-surgery · {len(lines)} side by side",
            "headline": _comparison_headline(lines),
            "notices": [f"{line.name}: {line.state}" for line in lines if line.state != "finished"],
            "figures": table,
            "sections": [drawn] if drawn else [],
            "versions": "",
        },
    )


def _comparison_headline(lines: Sequence[Line]) -> str:
    """Who is best, if all have learned from the same data."""
    known = [(line.accuracy[0], line) for line in lines if line.accuracy is not None]
    if not known:
        return "Nothing has a result yet."
    sources = {line.source for _, line in known}
    if len(sources) > 1 or len(known) == 1 or "" in sources:
        return f"{len(lines)} runs and settings, {len(known)} with a result."
    best, line = max(known, key=lambda item: item[0])
    return f"On the validation samples of {line.source}, {line.name} came furthest: {number(best)}."


def _bars(rows: Sequence[Bars], what: str, width: float) -> "Figure":
    figure, (ax,) = framed(width, 60 + ROW * len(rows), (0, 0, 44, 8))
    draw_bars(ax, rows, what)
    return figure


def _gains(rows: Sequence[Gain], what: str, width: float) -> "Figure":
    figure, (ax,) = framed(width, 100 + 44 * len(rows), (0, 0, 44, 44))
    draw_gains(ax, rows, what)
    return figure
