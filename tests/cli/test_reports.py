import json
import shutil

import pytest

from nas_surgery.runs.runner import run
from nas_surgery.testing.command import call

SPEC = '[data]\nsource = "sklearn:digits"\ntrain_limit = 100\n[search]\nmax_epochs = 3\n'


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two small runs on the same data, one with a baseline."""
    folder = tmp_path_factory.mktemp("runs")
    spec = {"data": {"source": "sklearn:digits", "train_limit": 100}, "search": {"max_epochs": 3}}
    run(spec, out=folder / "one", overrides={"run.baseline": True})
    run(spec, out=folder / "two", overrides={"seed": 1})
    return folder


@pytest.fixture
def directory(runs, tmp_path):
    shutil.copytree(runs / "one", tmp_path / "run")
    return tmp_path / "run"


def test_report_writes_a_page_beside_the_run_and_replaces_its_own(directory):
    """A second one takes the place of the first; anybody else's file stays, unless --force is given."""
    page = directory / "report.html"
    for _ in range(2):
        assert call("report", directory) == (0, f"{page}\n", "")
        assert page.read_text().startswith("<!DOCTYPE html>")
    page.write_text("mine")
    code, _, error = call("report", directory)
    assert (code, error) == (
        2,
        f"nas-surgery: error: {page}: is there already; --force overwrites it\n",
    )
    assert page.read_text() == "mine"
    assert call("report", directory, "--force", "--json")[0] == 0
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_report_follows_no_link(directory, tmp_path):
    """What a link in the page's place leads to is left alone."""
    (tmp_path / "theirs").write_text("theirs")
    (directory / "report.html").symlink_to(tmp_path / "theirs")
    assert call("report", directory)[0] == 2
    assert call("report", directory, "--force")[0] == 0
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_report_says_what_it_wrote_as_json(directory, tmp_path):
    """The page, its size, and every figure."""
    arguments = ("-o", tmp_path / "page.html", "--figures", tmp_path / "figures", "--json")
    code, out, _ = call("report", directory, *arguments)
    said = json.loads(out)
    assert code == 0
    assert said["output"] == str(tmp_path / "page.html")
    assert said["bytes"] == (tmp_path / "page.html").stat().st_size
    assert {file.split(".")[-1] for file in said["figures"]} == {"svg", "png"}
    assert len(said["figures"]) == 12


def test_a_run_may_end_in_its_report(tmp_path):
    """With --report; the directory can still be resumed."""
    (tmp_path / "spec.toml").write_text(SPEC)
    folder = tmp_path / "run"
    code, out, _ = call("run", tmp_path / "spec.toml", "--out", folder, "--report")
    assert code == 0
    assert f"report    {folder / 'report.html'}" in out
    assert (folder / "report.html").read_text().count("<svg") > 5
    assert call("resume", folder)[0] == 0


def test_damaged_runs_are_one_line(directory):
    """Which names the file and where."""
    journal = directory / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:3], lines[3][::-1], *lines[4:]]))
    code, _, error = call("report", directory)
    assert (code, error.count("\n")) == (2, 1)
    assert f"{journal}: line 4 is damaged" in error


def test_weights_that_cannot_be_read_leave_the_rest_of_the_page(directory):
    """Only the spectra are missing."""
    for name in ("start", "winner"):
        (directory / f"{name}.safetensors").write_bytes(b"nothing")
    assert call("report", directory)[0] == 0
    text = (directory / "report.html").read_text()
    assert "What it cost" in text
    assert "Singular spectra" not in text


def test_compare_puts_runs_side_by_side(runs, tmp_path):
    """In one table, in JSON with the summaries' numbers, and on a page."""
    page = tmp_path / "page.html"
    code, out, _ = call("compare", runs / "one", runs / "two", "-o", page)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["run", "one", "two"]
    assert "came furthest" in page.read_text()
    lines = json.loads(call("compare", runs / "one", runs / "two", "--json")[1])["lines"]
    for line, name in zip(lines, ("one", "two"), strict=True):
        summary = json.loads((runs / name / "summary.json").read_text())
        assert line["accuracy"] == [summary["accuracy"]["validation"], None]
        assert line["test"] == [summary["accuracy"]["test"], None]
        assert line["parameters"] == summary["parameters"]["end"]
        assert line["relative"] == summary["cost"]["relative"]
    assert lines[0]["baseline"] is not None
    assert lines[1]["baseline"] is None


def test_a_study_is_reported_and_compared(runs, tmp_path):
    """By its study.json; a run stands beside its settings."""
    spread = {"mean": 0.5, "std": 0.1}
    line = {
        "spec": "s", "strategy": "paper", "runs": 2, "baseline": spread, "surgeon": spread,
        "relative_increase": spread, "parameter_increase": spread, "test": None,
        "difference": {"mean": 0.0, "low": -0.1, "high": 0.1}, "rescued": 0, "nothing_learned": 1,
    }  # fmt: skip
    study = {
        "format": 1,
        "seeds": [0, 1],
        "repeats": 1,
        "rows": [],
        "table": [line],
        "versions": {},
    }
    (tmp_path / "study.json").write_text(json.dumps(study))
    assert call("report", tmp_path, "--figures", tmp_path / "figures")[0] == 0
    assert "0.5000 ± 0.1000" in (tmp_path / "report.html").read_text()
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        f"{name}.{suffix}" for name in ("bars", "gains") for suffix in ("svg", "png")
    }
    code, out, _ = call("compare", tmp_path, runs / "one")
    assert code == 0
    assert "0.5000 ± 0.1000" in out


@pytest.mark.parametrize("content", ["{", "[]", '{"table": 3}', '{"table": [3]}'])
def test_what_is_no_study_is_one_line(tmp_path, content):
    """For both commands."""
    (tmp_path / "study.json").write_text(content)
    for command in ("report", "compare"):
        code, _, error = call(command, tmp_path)
        assert (code, error.count("\n")) == (2, 1)
        assert "study.json: not the account of a study" in error


def test_inspect_shows_how_a_run_came_to_its_shape(runs):
    """As text, and as JSON the same steps."""
    out = call("inspect", runs / "one")[1]
    assert "How it came to its shape" in out
    steps = json.loads(call("inspect", runs / "one", "--json")[1])["timeline"]
    summary = json.loads((runs / "one" / "summary.json").read_text())
    assert steps[0]["changes"] == ["the start"]
    assert steps[-1]["hidden"] == summary["hidden"]["end"]
    operations = [op for step in steps for op in step["operations"] if op["name"] != "identity"]
    assert operations == summary["operations"]
