import re
from base64 import b64encode
from hashlib import sha256
from xml.etree import ElementTree

import pytest

from nas_surgery.cli import main
from nas_surgery.reports.charts.style import VARIABLES
from nas_surgery.reports.headline import headline
from nas_surgery.reports.making import report
from nas_surgery.reports.page import run_page, study_page
from nas_surgery.reports.rendering import TEMPLATES
from nas_surgery.reports.wording import number, whole
from nas_surgery.runs.runner import run
from nas_surgery.testing.command import call

HOSTILE = "<script>alert('1')</script>"
MEGABYTE = 1_000_000


def column(page, caption, name):
    """The cells of a column of a table."""
    head, *rows = page.tables[caption]
    return [row[head.index(name)] for row in rows]


def test_the_page_is_well_formed_and_refers_to_nothing_outside(drawn, read_page):
    """Every tag is closed; no address, no source, and every reference leads to an id that is there once."""
    page = read_page(drawn.page)
    assert not re.search(r"https?:|//[a-z]|@import|<link|<img|<iframe", drawn.page)
    assert not [
        name for _, name, _ in page.attributes if name in ("src", "srcset", "data", "action")
    ]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value for _, name, value in page.attributes if name == "href"]
    links += re.findall(r"url\(([^)]*)\)", drawn.page)
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_every_drawing_is_xml_in_the_colours_of_the_page(drawn):
    """And tells those who do not see it what it shows; no colour is fixed, so dark pages work."""
    drawings = re.findall(r"<svg.*?</svg>", drawn.page, re.DOTALL)
    assert len(drawings) > 10
    for text in drawings:
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        assert root.get("aria-label")
    assert not re.findall(r"(?:fill|stroke): #\w+", drawn.page)
    style = (TEMPLATES / "page.css").read_text()
    for variable in VARIABLES.values():
        assert len(re.findall(rf"--{variable}: #", style)) == 2


def test_the_only_script_is_ours_and_no_other_would_run(drawn):
    """By the policy that the page itself states."""
    script = (TEMPLATES / "replay.js").read_text()
    assert drawn.page.count("<script") == 1
    assert f"<script>{script}</script>" in drawn.page
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
        in drawn.page
    )


def test_every_chart_has_a_table_behind_it(drawn, read_page):
    """In the same section; and so has the topology."""
    sections = re.findall(r"<section id=.*?</section>", drawn.page, re.DOTALL)
    charts = [section for section in sections if "<figure>" in section or "steps" in section]
    assert len(charts) == 6
    assert all("<details>" in section and "<table>" in section for section in charts)


def test_the_tables_hold_the_journal_s_numbers(done, drawn, read_page):
    """Accuracy, loss, size and damage of every job, every epoch of winner and baseline, and the ledger."""
    page = read_page(drawn.page)
    outcomes = [r for r in done.journal if r["record"] == "outcome" and r["job"] >= 0]
    jobs = "Every job"
    assert column(page, jobs, "job") == [str(o["job"]) for o in outcomes]
    assert column(page, jobs, "accuracy") == [number(o["accuracy"]) for o in outcomes]
    assert column(page, jobs, "loss") == [number(o["loss"]) for o in outcomes]
    assert column(page, jobs, "parameters") == [whole(o["parameters"]) for o in outcomes]
    damages = [o.get("damage") or {} for o in outcomes]
    assert column(page, jobs, "damage predicted") == [
        number(d.get("predicted"), ".3g") for d in damages
    ]
    assert column(page, jobs, "measured") == [number(d.get("outputs"), ".3g") for d in damages]
    shown = column(page, "By epoch, on the validation part", "winner's accuracy")
    winners = [point for trial in done.record.lineage for point in trial.points]
    latest = {point.epoch: number(point.accuracy) for point in winners}
    assert [cell for cell in shown if cell != "–"] == [latest[epoch] for epoch in sorted(latest)]
    macs = column(page, "What was spent", "training MACs")
    assert macs[-1] == whole(sum(o["cost"][1] for o in outcomes))


def test_the_sentence_that_matters_comes_first(done, drawn, read_page):
    """What was gained, at what size and at what price, in the summary's numbers."""
    page, summary = read_page(drawn.page), done.result.summary
    told = headline(done.record)
    assert told in page.text
    assert f"{summary['accuracy']['test']:.4f}" in told
    assert f"{summary['baseline']['accuracy']['test']:.4f}" in told
    assert f"{summary['parameters']['end']:,} parameters" in told
    assert f"{summary['cost']['relative']:.2f} ×" in told
    assert page.text.index(told) < 300


def test_the_same_run_gives_the_same_page(done, drawn):
    """Byte for byte: no clock, and no order of a set."""
    assert report(done.directory).page == drawn.page


def test_what_comes_from_outside_shows_as_text(done, journal, read_page):
    """A source, an operation, a reason, a purpose and a spec that try to be markup, mathematics or control
    characters; in tables, tooltips and labels alike."""
    records = [dict(record) for record in done.journal]
    records[0]["spec"]["search"]["strategy"] = HOSTILE
    records[0]["data"]["source"] = f"{HOSTILE} $\\frac{{$ \x1b[31m"
    for record in records:
        if record["record"] == "job":
            operations = [{**op, "name": HOSTILE, "method": "$x_$"} for op in record["operations"]]
            record |= {"purpose": f"</title>{HOSTILE}", "operations": operations}
        if record["record"] == "decision" and record.get("proposals"):
            record["proposals"] = [{**p, "reason": HOSTILE} for p in record["proposals"]]
        if record["record"] == "outcome" and record["job"] == 2:
            for key in ("accuracy", "topology"):
                del record[key]
            record["failure"] = {"reason": f"]]>-->{HOSTILE}"}
    text = report(journal(records)).page
    page = read_page(text)
    assert text.count("<script") == 1
    assert "\x1b" not in text
    assert page.text.count(HOSTILE) > 5
    assert f"failed: ]]>-->{HOSTILE}" in page.text


def with_curves(records):
    """The same journal as if every job had been measured after each of a hundred epochs."""
    curve = [
        {
            "epoch": epoch / 200,
            "training_loss": 1.0 + epoch / 7,
            "validation_loss": 1.0 + epoch / 3,
            "validation_accuracy": epoch / 211,
            "parameters": 1000,
        }
        for epoch in range(100)
    ]
    return [{**r, "curve": curve} if r["record"] == "outcome" else r for r in records]


def test_a_page_with_a_hundred_epochs_a_job_is_below_a_megabyte(done, journal):
    """Even where every job has a curve of its own."""
    assert len(report(journal(with_curves(done.journal))).page.encode()) < MEGABYTE


@pytest.mark.parametrize("count", [1, 4, 12])
def test_a_run_that_goes_on_has_a_page_too(done, journal, read_page, count):
    """It says that there is no result yet, and shows what there is."""
    page = read_page(report(journal(done.journal[:count])).page)
    assert "This run has no result yet" in page.text
    assert ("Every job" in page.tables) == (count > 4)


def test_a_regression_without_baseline_is_told_by_its_r2(read_page):
    """In memory: no directory, so no spectra of the start; and nothing to compare with is said."""
    from nas_surgery.reports.record import record_of

    result = run({"data": {"source": "sklearn:diabetes"}, "search": {"max_epochs": 5}})
    page = read_page(run_page(record_of(result)))
    assert f"test R² of {result.summary['accuracy']['test']:.4f}" in page.text
    assert "was not trained to compare with" in page.text
    assert "accuracy" not in page.text.replace("Accuracy and loss", "")


def test_a_command_that_lacks_its_libraries_says_what_to_install(done, monkeypatch, tmp_path):
    """Before anything is trained or written."""
    for library in ("matplotlib", "jinja2"):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, library, None)
            code, _, error = call("report", done.directory, "-o", tmp_path / "page.html")
            assert (code, error.count("\n")) == (2, 1)
            assert "pip install 'nas-surgery[report]'" in error
            spec = tmp_path / "spec.toml"
            spec.write_text('[data]\nsource = "sklearn:digits"\n')
            assert call("run", spec, "--out", tmp_path / "run", "--report")[0] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["spec.toml"]


def spread(mean, std=None):
    return {"mean": mean, "std": std}


def study(std, low, high):
    """A study of two settings as study.json holds it."""
    row = {
        "seed": 6, "repeat": 0, "directory": "a", "accuracy": 0.91, "baseline_accuracy": 0.9,
        "test_accuracy": 0.89, "baseline_test_accuracy": None, "parameters": {"start": 10, "end": 20},
        "cost": {"epochs": 12.0, "macs": 1e6, "seconds": 1.5}, "learned": True,
    }  # fmt: skip
    line = {
        "runs": 3, "baseline": spread(0.9, std), "surgeon": spread(0.91, std), "test": spread(0.89, std),
        "relative_increase": spread(1.11), "parameter_increase": spread(100.0, std and 100 * std),
        "baseline_test": spread(None), "metric": "accuracy", "failed": 1, "cost": {"relative": spread(1.5)},
        "difference": {"of": "test", "mean": 0.01, "low": low, "high": high}, "rescued": 1,
        "nothing_learned": 0,
    }  # fmt: skip
    names = [
        {"spec": f"small {HOSTILE}", "strategy": "paper", "control": name}
        for name in (None, "random")
    ]
    return {
        "format": 1, "seeds": [6], "repeats": 1, "versions": {"nas-surgery": "0"},
        "rows": [{**name, **row} for name in names], "table": [{**name, **line} for name in names],
        "failures": [{"directory": "small/7", "reason": HOSTILE}],
    }  # fmt: skip


def test_a_study_s_page_holds_its_table(read_page):
    """Means with deviations, the interval, and in how many settings that is beyond doubt."""
    text = study_page(study(0.02, 0.004, 0.016))
    page = read_page(text)
    assert text.count("<script") == 1
    caption = "Validation figures, mean ± standard deviation"
    assert column(page, caption, "Surgeon") == ["0.9100 ± 0.0200"] * 2
    assert column(page, caption, "parameters' increase [%]") == ["+100.00 ± 2.00"] * 2
    assert column(page, caption, "relative increase [%]") == ["+1.11"] * 2
    assert column(page, caption, "contender") == ["paper", "random"]
    (gains,) = (each for each in page.tables if each.startswith("Differences"))
    assert column(page, gains, "95 % interval") == ["+0.0040 to +0.0160"] * 2
    assert column(page, gains, "cost") == ["1.50"] * 2
    assert f"small/7 failed: {HOSTILE}" in page.text
    assert column(page, "Every run", "baseline's test") == ["–", "–"]
    assert "In 1 of 1 setting the" in page.text
    assert "in 1 of them beyond the 95 % interval" in page.text


def test_a_study_with_one_seed_prints_no_deviation(read_page):
    """Neither in tables nor beside bars."""
    page = read_page(study_page(study(None, None, None)))
    figures = [cell for rows in page.tables.values() for row in rows for cell in row]
    assert not [cell for cell in figures if "±" in cell]
    assert "S 0.9100" in page.text
    assert "0.9100 ±" not in page.text


def test_the_command_line_knows_the_reports():
    """Both commands are there."""
    assert {"report", "compare"} <= set(main.commands)
