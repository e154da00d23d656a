"""The pages in docs: none is missing, and what they say of files is what files hold."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import attrs
import pytest

import nas_surgery as ns
from nas_surgery.operations import OPERATIONS
from nas_surgery.search.journal import read_records
from nas_surgery.strategies import STRATEGIES

REPOSITORY = Path(ns.__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md"))


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_page_with_its_mathematics_and_a_picture(name):
    """And the picture is there, and the class whose docstring stands in the page."""
    text = page(f"operations/{name}.md")
    assert "```math\n" in text
    assert f"../pictures/{name}.svg" in text
    assert (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert f"::: nas_surgery.operations.{OPERATIONS[name].__name__}" in text


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_on_a_page(name):
    """By its name in the table of strategies."""
    assert f"`{name}`" in page("strategies/index.md")


@pytest.mark.parametrize("name", PAGES)
def test_the_site_leads_to_every_page(name):
    """By its navigation, in which a page that is not named would be lost."""
    assert f"- {name}\n" in (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")


def keys_in(title):
    """What the first column of the table in a part of the page on formats names."""
    part = page("formats.md").split(f"\n## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(.*?)`", cell)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a run."""
    out = tmp_path_factory.mktemp("run") / "run"
    spec = {"data": {"source": "sklearn:iris"}, "search": {"max_epochs": 2}}
    ns.run(spec, out=out)
    return out


def test_the_keys_of_the_summary_are_those_on_the_page(run):
    """No more, and no fewer."""
    assert keys_in("summary.json") == {*json.loads((run / "summary.json").read_text())}


def test_the_records_of_the_journal_are_those_on_the_page(run):
    """All but `changes`, which only a resume writes."""
    found = {record["record"] for record in read_records(run / "journal.jsonl")}
    assert keys_in("journal.jsonl") == found | {"changes"}


def test_the_files_of_a_run_are_those_on_the_page(run):
    """All but `table.json`, which a run on a table has."""
    found = {file.name + "/" * file.is_dir() for file in run.iterdir()}
    assert keys_in("A run directory") - {"table.json"} - {"PARAMETERS.safetensors"} == found


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_has_a_table_of_its_settings(name):
    """Which is made from a docstring that says what each is, by the code of the site."""
    code = spec_from_file_location("settings", DOCS / "making" / "settings.py")
    made = module_from_spec(code)
    code.loader.exec_module(made)
    pages = "\n".join(page(one) for one in PAGES)
    paths = re.findall(r"<!-- settings: (\S+) -->", pages)
    (path,) = [one for one in paths if issubclass(STRATEGIES[name], made.named(one))]
    table = made.settings_table(path)
    assert all(f"| `{field.name}` |" in table for field in attrs.fields(STRATEGIES[name]))
