"""`nas-surgery run --dry-run`: the plan, and nothing else."""

import json

import pytest

import nas_surgery as ns
from nas_surgery.testing.command import call

SPEC = """
[data]
source = "sklearn:iris"
[network]
hidden = [6]
[search]
max_epochs = 4
"""
MACS = 4 * 6 + 6 * 3  # of one sample, but for the scaling


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working directory with a short spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path


def dry_run(*arguments):
    """Exit code, standard output and standard error of a dry run on the spec."""
    return call("run", "spec.toml", "--dry-run", *arguments)


@pytest.mark.parametrize("options", [(), ("--out", "out"), ("--json",), ("--quiet",)])
def test_nothing_is_written(here, options):
    """Neither where runs go by themselves nor where they are told to."""
    code, _, err = dry_run(*options)
    assert (code, err) == (0, "")
    assert [file.name for file in here.iterdir()] == ["spec.toml"]


def test_the_plan_is_what_the_run_does(here):
    """The same spec, data and start network; and the search costs no more than it says."""
    plan = json.loads(dry_run("--json")[1])
    result = ns.run("spec.toml")
    header = result.history[0]
    assert {k: v for k, v in plan["spec"].items() if k != "run"} == {
        k: v for k, v in header["spec"].items() if k != "run"
    }
    assert plan["data"] == header["data"]
    assert plan["start"]["parameters"] == result.summary["parameters"]["start"]
    assert plan["start"]["macs"] == result.summary["macs"]["start"]
    assert result.summary["cost"]["relative"] <= plan["cost"]["relative"]


def test_the_cost_is_that_of_the_largest_winner(here):
    """At most the cap times three passes of every sample in every epoch."""
    plan = json.loads(dry_run("--json", "--set", "search.max_macs=1000", "--baseline")[1])
    passes = 3 * plan["data"]["train"] * 4
    assert plan["cost"]["macs"] == round(plan["cost"]["relative"] * passes * 1000)
    assert plan["cost"]["baseline_macs"] == passes * plan["start"]["macs"]
    assert plan["start"]["macs"] >= MACS


def test_the_plan_as_text(here):
    """A line on each thing; of a strategy without a cap that there is none."""
    lines = dry_run()[1].splitlines()
    words = ["data", "task", "settings", "search", "start", "cost", "written"]
    assert [line.split()[0] for line in lines] == words
    assert lines[0] == "data      sklearn:iris: 96 training, 24 validation, 30 test samples"
    assert lines[4].startswith("start     6, 51 parameters, ")
    assert "at most 1.5 × training the winner for 4 epochs, about " in lines[5]
    assert "not capped" in dry_run("--set", "search.strategy=paper")[1]


def test_warnings_are_part_of_the_plan(here):
    """Such as of keys that the run would not use."""
    assert "warning   data.target is set and not used" in dry_run("--set", "data.target=x")[1]


def test_what_is_wrong_is_found(here):
    """With the option that it came by, and without a run."""
    code, out, err = dry_run("--set", "data.source=sklearn:irises")
    assert (code, out) == (2, "")
    assert "--set data.source=sklearn:irises: " in err
    assert "is not empty; choose a new directory" in dry_run("--out", here)[2]
