"""Faults of the machine, and changes between a run and its resume."""

import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nas_surgery.testing.runs import (
    WRITES,
    CommandProcess,
    Ended,
    fill_disk,
    finish,
    leftovers,
    limit_file_size,
    next_command,
    same_results,
)

Damage = Callable[[Path], None]


@pytest.fixture
def stopped(spec: Path, tmp_path: Path) -> Path:
    """A run that was killed in the middle."""
    directory = tmp_path / "run"
    finish(["run", str(spec), "--out", str(directory)], failpoint="job.finished:9")
    return directory


def goes_on_once_there_is_room(spec: Path, directory: Path, undisturbed: Path, full: Ended) -> None:
    """The message was one line, and with room the result is that of an undisturbed run."""
    assert full.code == 2, full
    assert full.error.count("\n") == 1, full.error
    assert not leftovers(directory)
    done = finish(next_command(spec, directory))
    assert done.code == 0, done.error
    assert same_results(undisturbed, directory)
    assert not leftovers(directory)


@pytest.mark.parametrize("size", [0, 64, 700, 1500, 4000, 8000, 12000, 20000])
def test_files_that_cannot_grow_end_a_run_in_one_line(
    size: int, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Wherever in a file the room runs out, in the middle of a record too."""
    directory = tmp_path / "run"
    full = finish(
        ["run", str(spec), "--out", str(directory)], before=partial(limit_file_size, size)
    )
    goes_on_once_there_is_room(spec, directory, undisturbed, full)


@pytest.mark.parametrize("passage", [1, 2, 3, 5, 9, 17])
@pytest.mark.parametrize("point", WRITES)
def test_a_disk_that_fills_up_ends_a_run_in_one_line(
    point: str, passage: int, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Whichever write is the first that fails; `benchmarks/soak.py --disk` goes through all of them."""
    directory = tmp_path / "run"
    full = finish(
        ["run", str(spec), "--out", str(directory)], before=partial(fill_disk, point, passage)
    )
    goes_on_once_there_is_room(spec, directory, undisturbed, full)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("damage", [flip, truncate, zero, Path.unlink])
def test_damaged_weights_are_noticed_and_their_jobs_repeated(
    damage: Damage, stopped: Path, undisturbed: Path
) -> None:
    """Whatever happened to the weights, the run ends as if nothing had."""
    for file in (stopped / "weights").iterdir():
        damage(file)
    again = finish(["resume", str(stopped)])
    assert again.code == 0, again.error
    assert same_results(undisturbed, stopped)


def test_a_torn_last_record_is_dropped(stopped: Path, undisturbed: Path) -> None:
    """Half a record at the end of the journal costs its job, not the run."""
    truncate(stopped / "journal.jsonl")
    assert finish(["resume", str(stopped)]).code == 0
    assert same_results(undisturbed, stopped)


def test_a_damaged_record_in_the_middle_is_explained(stopped: Path) -> None:
    """The line is named, and nothing is changed."""
    journal = stopped / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"1", b"2", 1)
    journal.write_bytes(b"".join(lines))
    refused = finish(["resume", str(stopped)])
    assert refused.code == 2
    assert "line 4 is damaged" in refused.error
    assert journal.read_bytes() == b"".join(lines)


def change_spec(directory: Path, old: str, new: str) -> None:
    file = directory / "spec.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_changed_spec_is_refused_by_name_and_accepted_on_request(stopped: Path) -> None:
    """Without --allow-changes the difference is told; with it the run goes on and records it."""
    change_spec(stopped, "max_epochs = 4", "max_epochs = 5")
    refused = finish(["resume", str(stopped)])
    assert refused.code == 2
    assert "spec.search.max_epochs was 4 and is 5" in refused.error
    accepted = finish(["resume", str(stopped), "--allow-changes"])
    assert accepted.code == 0, accepted.error
    records = [json.loads(line) for line in (stopped / "journal.jsonl").read_text().splitlines()]
    changes = [record for record in records if record["record"] == "changes"]
    assert changes[0]["changes"] == ["spec.search.max_epochs was 4 and is 5"]


def test_changes_that_lead_elsewhere_keep_the_old_journal(stopped: Path) -> None:
    """A changed seed fits nothing that was recorded: all is made anew, and the old journal kept."""
    before = (stopped / "journal.jsonl").read_bytes()
    change_spec(stopped, "seed = 0\nplugins", "seed = 1\nplugins")
    accepted = finish(["resume", str(stopped), "--allow-changes"])
    assert accepted.code == 0, accepted.error
    assert (stopped / "journal-before-changes.jsonl").read_bytes() == before


def test_a_second_process_is_refused_with_the_pid_of_the_first(spec: Path, tmp_path: Path) -> None:
    """Only one process writes to a run directory."""
    directory = tmp_path / "run"
    long = ["run", str(spec), "--out", str(directory), "--set", "search.max_epochs=100000"]
    first = CommandProcess(long)
    while not (directory / "journal.jsonl").exists():
        time.sleep(0.01)
    refused = finish(["resume", str(directory)])
    assert refused.code == 2
    assert f"process {first.process.pid} is running here" in refused.error
    first.process.kill()
    first.process.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_best_and_says_how_to_go_on(
    number: signal.Signals, spec: Path, tmp_path: Path
) -> None:
    """The exit code is the signal's, the best network so far is there, and the run resumes."""
    directory = tmp_path / "run"
    process = CommandProcess(
        ["run", str(spec), "--out", str(directory), "--set", "search.max_epochs=100000"]
    )
    journal = directory / "journal.jsonl"
    while not (journal.exists() and journal.read_text().count('"outcome"') > 3):
        time.sleep(0.01)
    assert process.process.pid is not None
    os.kill(process.process.pid, number)
    ended = process.wait()
    assert ended.code == 128 + number, ended.error
    assert f"nas-surgery resume {directory}" in ended.error
    assert (directory / "winner.onnx").is_file()
    assert json.loads((directory / "summary.json").read_text())["stopped"] == number.name
    again = finish(["resume", str(directory)], failpoint="job.finished")
    assert again.code == -signal.SIGKILL, "resuming reached new work"


def test_a_budget_ends_with_the_best_so_far(spec: Path, tmp_path: Path) -> None:
    """max_seconds stops a long run in order, as a success, and no baseline goes on behind it."""
    directory = tmp_path / "run"
    settings = ["--set", "search.max_epochs=100000", "--set", "search.max_seconds=1"]
    ended = finish(["run", str(spec), "--out", str(directory), *settings])
    assert ended.code == 0, ended.error
    summary = json.loads((directory / "summary.json").read_text())
    assert (summary["stopped"], summary["baseline"]) == ("max_seconds", None)


def test_a_finished_run_resumes_to_the_same_files(undisturbed: Path, tmp_path: Path) -> None:
    """Resuming what has ended trains nothing and changes nothing."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(undisturbed, copy)
    assert finish(["resume", str(copy)], failpoint="job.started").code == 0
    assert same_results(undisturbed, copy)


def test_a_directory_without_a_run_is_explained(tmp_path: Path) -> None:
    """There is nothing to resume."""
    refused = finish(["resume", str(tmp_path)])
    assert refused.code == 2
    assert "holds no run" in refused.error
