"""`nas-surgery init`: a spec that runs, with what was found in the data."""

import json

import numpy as np
import polars as pl
import pytest

import nas_surgery as ns
from nas_surgery.testing.command import call

DRAWS = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "size": [None if i % 7 == 0 else float(i) for i in range(60)],
        'a "b"\n# [x': DRAWS.choice(["red", "green"], 60),
        "ok": [True, False] * 30,
        "count": list(range(60)),
        "kind": ["big", "small", "big"] * 20,
    }
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working directory with data of all kinds."""
    monkeypatch.chdir(tmp_path)
    FRAME.write_csv("t.csv")
    FRAME.write_parquet("t.parquet")
    np.savez("t.npz", x_train=DRAWS.random((40, 3)), y_train=[0, 1] * 20)
    return tmp_path


@pytest.mark.parametrize("data", ["t.csv", "csv:t.csv", "t.parquet", "t.npz", "sklearn:iris"])
def test_the_spec_runs_as_it_is(here, data):
    """Whatever it was made from, odd names and missing values included."""
    assert call("init", data)[0] == 0
    result = ns.run("spec.toml", overrides={"search.max_epochs": 1, "network.hidden": [2]})
    assert result.summary["task"] == "classification"


@pytest.mark.parametrize("data", ["t.csv", "t.parquet"])
def test_what_was_found_is_said_and_stands_in_comments(here, data):
    """Rows, columns, kinds, missing values and classes."""
    code, out, err = call("init", data, "-o", "s.toml")
    assert (code, err) == (0, "")
    scheme = data.partition(".")[2]
    lines = [
        f"{scheme}:{data}: 60 rows, 4 columns of inputs, 9 missing values",
        "- size: number, 51 different, 9 missing",
        '- a "b" # [x: text, 2 different',
        "- ok: bool, 2 different",
        "- count: number, 60 different",
        "target kind: 2 classes, big (40), small (20)",
    ]
    assert out.splitlines() == [*lines, "written: s.toml; go on with: nas-surgery run s.toml"]
    assert (here / "s.toml").read_text().splitlines()[:6] == [f"# {line}" for line in lines]
    spec = ns.Spec.from_toml("s.toml")
    assert (spec.data.target, spec.data.missing) == ("kind", "impute")


def test_a_target_may_be_named(here):
    """Whole numbers that are many are left to the user, but the spec runs."""
    assert call("init", "t.csv", "--target", "count")[0] == 0
    assert ns.Spec.from_toml("spec.toml").training.loss == "mean_squared_error"
    assert "# 60 different whole numbers as labels" in (here / "spec.toml").read_text()
    code, _, err = call("init", "t.csv", "--target", "knd", "--force")
    assert (code, "did you mean 'kind'?" in err) == (2, True)


def test_what_was_found_as_json(here):
    """One object."""
    held = json.loads(call("init", "t.csv", "--json")[1])
    assert held["columns"][0] == {"name": "size", "kind": "number", "different": 51, "missing": 9}
    assert (held["rows"], held["missing"], held["output"]) == (60, 9, "spec.toml")
    assert held["classes"] == {"big": 40, "small": 20}
    assert json.loads(call("init", "sklearn:diabetes", "-o", "d.toml", "--json")[1])["shape"] == [
        10
    ]


def test_nothing_is_overwritten(here):
    """Unless it is asked for; nor is anything written when the data cannot be read."""
    (here / "spec.toml").write_text("mine")
    code, _, err = call("init", "t.csv")
    assert (code, "--force overwrites it" in err) == (2, True)
    assert (here / "spec.toml").read_text() == "mine"
    assert call("init", "missing.csv", "-o", "s.toml")[0] == 2
    assert not (here / "s.toml").exists()
    assert call("init", "t.csv", "--force")[0] == 0
