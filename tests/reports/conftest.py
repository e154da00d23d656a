"""Runs to be drawn, each made once, and a reader of pages that notices what browsers forgive."""

from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from nas_surgery.reports.making import report
from nas_surgery.reports.record import read_record
from nas_surgery.runs.runner import run
from nas_surgery.search.journal import read_records, to_line

VOID = {"meta", "input", "br", "rect", "path", "use", "image"}
SPEC = {"data": {"source": "sklearn:digits", "train_limit": 200}, "network": {"hidden": [8, 6]}}
SEARCHES = {
    "paper": {"strategy": "paper", "max_epochs": 6, "initial_epochs": 2, "epoch_step": 2},
    "default": {"max_epochs": 8},
}


class Page(HTMLParser):
    """Text, tags, attributes and tables of a page; AssertionError where tags are not closed as opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.tables, self.row = {}, None
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag == "caption":
            self.caption = ""
        if tag == "tr":
            self.row = []
        if tag in ("td", "th"):
            self.row.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open.pop() == tag
        if tag == "caption":
            self.tables[self.caption] = []
        if tag == "tr":
            self.tables[self.caption].append(self.row)

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.words.append(data)
        if self.open and self.open[-1] == "caption":
            self.caption += data
        if self.open and self.open[-1] in ("td", "th"):
            self.row[-1] += data


@pytest.fixture(scope="session")
def read_page():
    """Page, which cannot be imported from here."""
    return Page


@pytest.fixture(scope="session", params=SEARCHES)
def done(request, tmp_path_factory):
    """A run of each strategy with its baseline: Result, directory, journal and record."""
    directory = tmp_path_factory.mktemp(request.param) / "run"
    spec = {**SPEC, "search": SEARCHES[request.param], "run": {"baseline": True}}
    result = run(spec, out=directory)
    return SimpleNamespace(
        result=result,
        directory=directory,
        record=read_record(directory),
        journal=read_records(directory / "journal.jsonl"),
    )


@pytest.fixture(scope="session")
def drawn(done):
    """The report of each of these runs."""
    return report(done.directory)


@pytest.fixture
def journal(tmp_path):
    """A function that writes records as the journal of a new run directory."""

    def write(records, name="copy"):
        (tmp_path / name).mkdir()
        text = "".join(f"{to_line(record)}\n" for record in records)
        (tmp_path / name / "journal.jsonl").write_text(text)
        return tmp_path / name

    return write
