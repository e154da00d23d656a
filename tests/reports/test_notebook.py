"""What notebooks show of networks and results, read back by a parser of HTML."""

import sys
from html.parser import HTMLParser

import attrs
import pytest
from rich.console import Console

import nas_surgery as ns
from nas_surgery.plugins.events import Event
from nas_surgery.reports.progress import Progress
from nas_surgery.testing.builders import build

EVIL = "<script>alert('&')</script>"


class Reader(HTMLParser):
    """The cells of all rows; every tag must be closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.open = [], set(), []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


TABLES = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}


def test_a_network_is_the_table_of_its_summary():
    """Row by row and cell by cell, wires included."""
    dense = ns.Network.dense(4, hidden=(4,), outputs=4).layers
    network = ns.Network(4, [dense[0], dense[2], ns.Add()], {2: (0, 1)})
    found = Reader(network._repr_html_())
    lines = [" ".join(row).split() for row in found.rows]
    assert lines == [line.split() for line in network.summary().splitlines()]
    assert ["2", "Add", "of", "0,", "1", "4", "0", "0"] in lines
    assert found.tags == TABLES


def test_progress_in_a_notebook_without_widgets_is_lines_alone(monkeypatch):
    """No warning that asks for them; warnings are errors here."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with Progress(console=Console(force_jupyter=True)) as progress:
        progress(Event("epoch", 0.0, {"epoch": 1.0, "training_loss": 0.5}))


@pytest.fixture(scope="module")
def result():
    spec = {"data": {"source": "sklearn:iris"}, "search": {"max_epochs": 3}}
    return ns.run({**spec, "network": {"hidden": [4]}, "run": {"baseline": True}})


def test_a_result_shows_its_figures_and_its_network(result):
    """Those of the summary."""
    rows = Reader(result._repr_html_()).rows
    shown = {row[0]: row[1] for row in rows if len(row) == 2}
    assert f"test {result.summary['accuracy']['test']:.4f}" in shown["winner"]
    assert f"test {result.summary['baseline']['accuracy']['test']:.4f}" in shown["baseline"]
    assert shown["parameters"].endswith(f"{result.network.parameter_count:,}")
    assert Reader(result.network._repr_html_()).rows == rows[-len(result.network.layers) - 2 :]


def test_names_cannot_smuggle_in_markup(result):
    """Classes, reasons and directories come from elsewhere."""
    summary = {**result.summary, "classes": [EVIL, "b"], "reason": EVIL, "warnings": [EVIL]}
    found = Reader(attrs.evolve(result, summary=summary, directory=EVIL)._repr_html_())
    assert found.tags <= TABLES
    assert sum(EVIL in cell for row in found.rows for cell in row) == 4


def test_a_run_that_was_stopped_is_shown_too(result):
    """Without figures of a test part."""
    accuracy = {**result.summary["accuracy"], "test": None}
    summary = {**result.summary, "accuracy": accuracy, "baseline": None, "stopped": "SIGINT"}
    shown = dict(
        row
        for row in Reader(attrs.evolve(result, summary=summary)._repr_html_()).rows
        if len(row) == 2
    )
    assert shown["stopped"] == "SIGINT"
    assert "test" not in shown["winner"]
    assert build(3, 2)._repr_html_().count("<tr>") == 3
