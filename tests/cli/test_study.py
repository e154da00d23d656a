"""`nas-surgery study`, and `resume` of one."""

import json
import subprocess
import sys

import pytest

from nas_surgery.cli.study import CONTROLS as OFFERED
from nas_surgery.studies.controls import CONTROLS
from nas_surgery.studies.study import SEEDS
from nas_surgery.testing.command import call

SPEC = """
[data]
source = "sklearn:iris"
[network]
hidden = [5]
[training]
learning_rate = 0.1
[search]
strategy = "paper"
max_epochs = 2
initial_epochs = 1
epoch_step = 1
retraining_batches = 2
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with two short specs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_text(SPEC)
    (tmp_path / "two.toml").write_text(SPEC)
    return tmp_path


def test_it_prints_the_table_and_where_it_lies(here):
    """As it stands in table.md, and the seconds too."""
    code, out, err = call("study", "one.toml", "two.toml", "--seeds", "1, 2", "--out", "out")
    assert (code, err) == (0, "")
    head, rule, *lines = out.splitlines()
    assert [cell.strip() for cell in head.split("|")] == ["", "", "one", "two", ""]
    assert set(rule) == {"|", "-", " "}
    names = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert names[:6] == [
        "Strategy",
        "Runs",
        "Baseline accuracy",
        "Surgeon accuracy",
        "Rel. accuracy incr. [%]",
        "Param. fraction incr. [%]",
    ]
    assert names[-1] == "Seconds a run"
    assert lines[-1] == "written   out"
    written = (here / "out" / "table.md").read_text().splitlines()
    assert written == [line for line in out.splitlines()[:-2] if "Seconds" not in line]
    assert "seconds" not in (here / "out" / "runs.csv").read_text()


def test_json_is_one_object_and_quiet_is_nothing(here):
    """What study.json holds, and where it is."""
    assert call("study", "one.toml", "--seeds", "1", "--out", "out", "--quiet") == (0, "", "")
    code, out, err = call("study", "one.toml", "--seeds", "1", "--out", "out", "--json")
    assert (code, err) == (0, "")
    printed, written = json.loads(out), json.loads((here / "out" / "study.json").read_text())
    assert printed == {**written, "directory": "out"}
    assert {"format", "seeds", "repeats", "rows", "table", "versions"} <= printed.keys()
    assert printed["table"][0]["surgeon"]["std"] is None
    assert "±" not in (here / "out" / "table.md").read_text()


def test_resume_goes_on_with_what_the_plan_says(here):
    """In the directory alone: spec files are not needed any more."""
    assert call("study", "one.toml", "--seeds", "1", "--out", "out")[0] == 0
    plan = json.loads((here / "out" / "plan.json").read_text())
    plan["seeds"].append(2)
    (here / "out" / "plan.json").write_text(json.dumps(plan))
    (here / "one.toml").unlink()
    code, out, _ = call("resume", "out", "--json")
    assert code == 0
    assert [row["seed"] for row in json.loads(out)["rows"]] == [1, 2]


def test_a_changed_spec_is_refused(here):
    """In one line, with the key; so is an option that changes it."""
    assert call("study", "one.toml", "--seeds", "1", "--out", "out")[0] == 0
    code, out, err = call(
        "study", "one.toml", "--seeds", "1", "--out", "out", "--set", "search.max_epochs=3"
    )
    assert (code, out) == (2, "")
    assert err == (
        "nas-surgery: error: out: holds another study: one was begun differently: "
        "search.max_epochs was 2 and is 3; choose another directory\n"
    )


BAD = [
    ((), ["Missing argument 'SPEC…'"]),
    (("one.toml", "--seeds", "1,x"), ["--seeds 1,x", "'x' is not a whole number"]),
    (("one.toml", "--seeds", ""), ["--seeds", "'' is not a whole number"]),
    (("one.toml", "--seeds", "1,1"), ["seeds must be one or more different ones"]),
    (("one.toml", "--seeds", "99999999999999999999"), ["seeds must be a whole number"]),
    (("one.toml", "--repeats", "0"), ["--repeats"]),
    (("one.toml", "--workers", "0"), ["--workers"]),
    (("one.toml", "--controls", "randm"), ["controls must be one of", "'randm'"]),
    (("missing.toml",), ["missing.toml", "No such file"]),
    (("one.toml", "one.toml"), ["is called one too"]),
    (("one.toml", "--set", "search.max_epoch=3"), ["--set search.max_epoch=3: ", "did you mean"]),
    (("one.toml", "--set", "data.source=npz:no.npz"), ["--set data.source=npz:no.npz: ", "no.npz"]),
]


@pytest.mark.parametrize(("arguments", "parts"), BAD)
def test_bad_input_ends_in_one_line_and_exit_code_2(here, arguments, parts):
    """And nothing is written."""
    code, out, err = call("study", *arguments, "--out", "out")
    assert (code, out) == (2, "")
    assert err.startswith("nas-surgery: error: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err
    assert not (here / "out").exists()


def test_runs_that_fail_are_counted_and_make_it_no_success(here):
    """The table is printed and written all the same."""
    wild = ["--set", "training.learning_rate=1e30", "--set", "network.activation=linear"]
    code, out, err = call("study", "one.toml", "--seeds", "1", "--out", "out", *wild)
    assert code == 1
    assert "Runs that failed" in out
    assert "- runs/one/seed-1-repeat-1: no valid network came out of the run" in out
    assert err == "nas-surgery: error: 1 of the runs failed, and are tried again by a resume\n"
    assert (here / "out" / "table.csv").exists()


def test_what_is_set_and_not_used_is_said_once(here):
    """For each spec, and not for each run."""
    (here / "one.toml").write_text(SPEC + "[run]\nworkers = 3\n")
    code, _, err = call("study", "one.toml", "--seeds", "1,2", "--out", "out")
    assert code == 0
    assert err.count("\n") == 1
    assert err.startswith("nas-surgery: warning: one: run.workers is set and not used")


def test_workers_of_a_run_are_in_its_spec(here):
    """`resume` takes --workers for studies alone, and says so."""
    assert call("run", "one.toml", "--out", "run")[0] == 0
    code, _, err = call("resume", "run", "--workers", "2")
    assert code == 2
    assert "--workers is for studies" in err


def test_the_command_offers_what_there_is():
    """Controls and seeds, written out so that --help need not import them."""
    assert tuple(CONTROLS) == OFFERED
    assert ",".join(map(str, SEEDS)) in call("study", "--help")[1]


def test_help_imports_no_statistics():
    """So that it comes at once."""
    script = "import sys, nas_surgery, nas_surgery.cli; print('scipy.stats' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
