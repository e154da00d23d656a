"""`predict` and `evaluate` on raw tables: columns are found by name."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nas_surgery as ns
from nas_surgery.testing.command import call

SPEC = """
[data]
source = "csv:t.csv"
target = "kind"
missing = "impute"
[network]
hidden = [6]
[search]
max_epochs = 4
"""


def rows(count=60, seed=0):
    """A frame with gaps, whose target is in the middle."""
    draws = np.random.default_rng(seed)
    size = draws.random(count)
    return pl.DataFrame(
        {
            "size": [None if i % 7 == 0 else s for i, s in enumerate(size)],
            "kind": np.where(size > 0.5, "big", "small"),
            "color": draws.choice(["red", "green"], count),
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on a table, and the table."""
    folder = tmp_path_factory.mktemp("tables")
    rows().write_csv(folder / "t.csv")
    (folder / "spec.toml").write_text(SPEC)
    assert call("run", folder / "spec.toml", "--out", folder / "run", "--quiet")[0] == 0
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A working directory with both."""
    shutil.copytree(made, tmp_path / "in")
    monkeypatch.chdir(tmp_path / "in")
    return tmp_path / "in"


def wanted(frame):
    """What the network says of inputs that are made by hand: the median of the training part, then the
    categories green and red."""
    columns = json.loads(Path("run/table.json").read_text(encoding="utf-8"))["columns"]
    median = next(column["median"] for column in columns if column["name"] == "size")
    size = frame["size"].fill_null(median).to_numpy()
    color = frame["color"].to_numpy()
    x = np.stack([size, color == "green", color == "red"], axis=1)
    return ns.load("run").predict(x).tolist()


def read(path):
    """The lines of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_raw_table_is_predicted(here):
    """Whatever order its columns have, with or without the target, and with colours that are new."""
    new = rows(20, seed=1)
    new[3, "color"] = "violet"
    new.select("color", "size").write_csv("new.csv")
    assert call("predict", "run", "--data", "new.csv", "-o", "out.csv") == (
        0,
        "out.csv: 20 predictions\n",
        "",
    )
    (name, *found) = (row[0] for row in read("out.csv"))
    assert name == "kind"
    assert found == wanted(new)
    new.write_parquet("new.parquet")
    said = call("predict", "run", "--data", "new.parquet", "--json")[1]
    assert json.loads(said)["predictions"] == found


def test_probabilities_are_named_by_their_classes(here):
    """In the line on top."""
    assert call("predict", "run", "--data", "t.csv", "-o", "p.csv", "--probabilities")[0] == 0
    (names, *found) = read("p.csv")
    assert names == ["big", "small"]
    assert np.allclose(np.array(found, float).sum(axis=1), 1)


@pytest.mark.parametrize("source", ["new.csv", "csv:new.csv", "new.parquet"])
def test_a_raw_table_is_evaluated(here, source):
    """Against its target, on all rows."""
    new = rows(30, seed=2)
    new.write_csv("new.csv")
    new.write_parquet("new.parquet")
    code, out, _ = call("evaluate", "run", "--data", source, "--json")
    held = json.loads(out)
    right = np.mean(np.array(wanted(new)) == new["kind"].to_numpy())
    assert (code, held["samples"], held["part"]) == (0, 30, "all")
    assert held["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_columns_that_the_run_did_not_know_are_ignored_with_a_warning(here, command):
    """Which names them; the exit code is that of a success."""
    rows().with_columns(note=pl.lit("x")).write_csv("new.csv")
    code, _, err = call(command, "run", "--data", "new.csv")
    assert code == 0
    assert err == (
        "nas-surgery: warning: new.csv: ignored, because the run did not know them: 'note'\n"
    )


@pytest.mark.parametrize(
    ("command", "change", "rule"),
    [
        ("predict", lambda f: f.drop("size", "color"), "new.csv: missing columns 'size', 'color'"),
        ("predict", lambda f: f.with_columns(size=pl.lit("tall")), "column 'size': text where numbers are needed: 'tall' in row 0"),
        ("evaluate", lambda f: f.drop("kind"), "new.csv: no column is called 'kind'"),
        ("evaluate", lambda f: f.with_columns(kind=pl.lit("odd")), "label odd is not one of the 2 classes"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused(here, command, change, rule):
    """In one line that names the file and the column."""
    change(rows()).write_csv("new.csv")
    code, out, err = call(command, "run", "--data", "new.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert rule in err


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_without_columns_takes_no_table(here, command):
    """Only the directory of a run on a table knows them."""
    code, _, err = call(command, "run/winner.safetensors", "--data", "t.csv")
    assert code == 2
    assert "a table needs a run directory that was begun with one" in err
