"""Faults of the machine, and changes between a run and its resume."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nas_surgery import failpoints
from nas_surgery.search.journal import from_line, to_line
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
    sets,
    wait_until,
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


@pytest.mark.parametrize("passage", [1, 2, 5, 20])
def test_a_kill_while_changes_are_accepted_loses_no_record(
    passage: int, stopped: Path, spec: Path, tmp_path: Path
) -> None:
    """Until the new journal holds all that still fits, the old one stays in its place."""
    text = (stopped / "journal.jsonl").read_text()
    outcomes = text.count('"record":"outcome"')
    change_spec(stopped, "max_epochs = 4", "max_epochs = 5")
    command = ["resume", str(stopped), "--allow-changes"]
    killed = finish(command, failpoint=f"journal.append:{passage}")
    assert killed.code == -signal.SIGKILL
    assert (stopped / "journal.jsonl").read_text().count('"record":"outcome"') >= outcomes
    assert finish(command).code == 0
    assert (stopped / "journal-before-changes.jsonl").read_text() == text
    assert not leftovers(stopped)


def test_accepted_changes_keep_the_winner_of_before(undisturbed: Path, tmp_path: Path) -> None:
    """Beside the new one, under a name of its own; and so does every further change."""
    copy = tmp_path / "copy"
    shutil.copytree(undisturbed, copy)
    winner = (copy / "winner.safetensors").read_bytes()
    for epochs in (4, 5):
        change_spec(copy, f"max_epochs = {epochs}", f"max_epochs = {epochs + 1}")
        assert finish(["resume", str(copy), "--allow-changes"]).code == 0
    assert (copy / "winner-before-changes.safetensors").read_bytes() == winner
    for name in ("winner-before-changes-2.safetensors", "summary-before-changes-2.json"):
        assert (copy / name).is_file()
    assert (copy / "journal-before-changes-2.jsonl").is_file()


def test_another_start_network_is_another_run(stopped: Path) -> None:
    """It was made when the run began, so a change of it could only be passed over."""
    change_spec(stopped, 'activation = "relu"', 'activation = "tanh"')
    refused = finish(["resume", str(stopped), "--allow-changes"])
    assert refused.code == 2
    assert "spec.network.activation was 'relu' and is 'tanh'; begin a new run" in refused.error


def test_what_failed_last_is_tried_again(spec: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The reason may have lain outside the run, such as too little memory."""
    directory = tmp_path / "run"
    finish(["run", str(spec), "--out", str(directory)], failpoint="job.finished:1")
    journal = directory / "journal.jsonl"
    *lines, last = journal.read_text().splitlines(keepends=True)
    outcome = from_line(last.removesuffix("\n"))
    failed = {"record": "outcome", "job": outcome["job"], "cost": [0, 0, 0, 0]}
    failed["failure"] = {"reason": "its worker died", "plugin": None, "traceback": None}
    journal.write_text("".join([*lines, to_line(failed) + "\n"]))
    assert finish(["resume", str(directory)]).code == 0
    assert same_results(undisturbed, directory)


def test_a_directory_with_other_files_is_left_as_it_is(spec: Path, tmp_path: Path) -> None:
    """Even what looks like a file of ours below it may belong to a run that goes on there."""
    other = tmp_path / "runs"
    (other / "a").mkdir(parents=True)
    (other / "a" / ".nas-surgery-live").touch()
    refused = finish(["run", str(spec), "--out", str(other)])
    assert refused.code == 2
    assert "is not empty" in refused.error
    assert [file.name for file in other.rglob("*")] == ["a", ".nas-surgery-live"]


def test_a_second_process_is_refused_with_the_pid_of_the_first(spec: Path, tmp_path: Path) -> None:
    """Only one process writes to a run directory."""
    directory = tmp_path / "run"
    long = ["run", str(spec), "--out", str(directory), "--set", "search.max_epochs=100000"]
    first = CommandProcess(long)
    wait_until((directory / "journal.jsonl").exists)
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
    wait_until(lambda: journal.exists() and journal.read_text().count('"outcome"') > 3)
    ended = stopped_by(number, process)
    assert f"nas-surgery resume {directory}" in ended.error
    assert (directory / "winner.onnx").is_file()
    assert json.loads((directory / "summary.json").read_text())["stopped"] == number.name
    again = finish(["resume", str(directory)], failpoint="job.finished")
    assert again.code == -signal.SIGKILL, "resuming reached new work"


def test_a_signal_during_the_baseline_keeps_the_winner(spec: Path, tmp_path: Path) -> None:
    """The search is over by then; its result is saved, and a resume only trains the baseline."""
    directory = tmp_path / "run"
    settings = ["search.target_accuracy=0.0", "search.max_epochs=100000"]
    process = CommandProcess(["run", str(spec), "--out", str(directory), *sets(settings)])
    events = directory / "events.jsonl"
    wait_until(lambda: events.exists() and '"purpose": "baseline"' in events.read_text())
    ended = stopped_by(signal.SIGINT, process)
    assert "the best network so far is saved" in ended.error
    assert f"nas-surgery resume {directory}" in ended.error
    summary = json.loads((directory / "summary.json").read_text())
    assert (summary["stopped"], summary["baseline"]) == ("SIGINT", None)
    assert (directory / "winner.onnx").is_file()


def test_a_signal_before_any_network_is_no_failure_of_the_search(
    spec: Path, tmp_path: Path
) -> None:
    """Nothing can be saved yet, and the message says so and how to go on."""
    directory = tmp_path / "run"
    settings = ["search.initial_epochs=100000", "search.max_epochs=100000"]
    process = CommandProcess(["run", str(spec), "--out", str(directory), *sets(settings)])
    events = directory / "events.jsonl"
    wait_until(lambda: events.exists() and "job_started" in events.read_text())
    ended = stopped_by(signal.SIGINT, process)
    assert "stopped by SIGINT before a network was saved" in ended.error
    assert f"nas-surgery resume {directory}" in ended.error


@pytest.mark.parametrize("passage", [2, 5, 9])
def test_a_signal_behind_kill_and_resume_saves_the_best(
    passage: int, spec: Path, tmp_path: Path, undisturbed: Path
) -> None:
    """Networks that died with the process need not be trained again for that, and the message is true;
    so it is where the signal comes too early to save anything new."""
    directory = tmp_path / "run"
    command = ["run", str(spec), "--out", str(directory)]
    assert finish(command, failpoint=f"job.finished:{passage}").code == -signal.SIGKILL
    interrupted = partial(failpoints.arm, "resume.replayed", interrupt)
    ended = finish(["resume", str(directory)], before=interrupted)
    assert ended.code == 130, ended.error
    assert "the best network so far is saved" in ended.error
    winner = (directory / "winner.safetensors").read_bytes()
    for file in (directory / "weights").iterdir():
        file.unlink()
    ended = finish(["resume", str(directory)], before=interrupted)
    assert ended.code == 130, ended.error
    assert "the best network so far is saved" in ended.error
    assert (directory / "winner.safetensors").read_bytes() == winner
    assert finish(["resume", str(directory)]).code == 0
    assert same_results(undisturbed, directory)


def interrupt() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


def stopped_by(number: signal.Signals, process: CommandProcess) -> Ended:
    """How a process ends that gets a signal: with the signal's exit code."""
    assert process.process.pid is not None
    os.kill(process.process.pid, number)
    ended = process.wait()
    assert ended.code == 128 + number, ended.error
    return ended


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
    copy = tmp_path / "copy"
    shutil.copytree(undisturbed, copy)
    assert finish(["resume", str(copy)], failpoint="job.started").code == 0
    assert same_results(undisturbed, copy)


def test_a_directory_without_a_run_is_explained(tmp_path: Path) -> None:
    """There is nothing to resume."""
    refused = finish(["resume", str(tmp_path)])
    assert refused.code == 2
    assert "holds no run" in refused.error
