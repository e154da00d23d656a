"""A run may be killed at every named point, and again while it resumes."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from nas_surgery.failpoints import NAMES
from nas_surgery.testing.runs import finish, leftovers, next_command, same_results

KILLED = -signal.SIGKILL
STEPS_PER_EPOCH = 6  # 96 samples of iris in batches of 16


@pytest.mark.parametrize("name", NAMES)
def test_a_run_killed_twice_ends_like_an_undisturbed_one(
    name: str, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """After a kill at the point and another during the resume, the files are byte-identical."""
    directory = tmp_path / "run"
    before = "job.finished:5" if name.startswith("resume.") else name
    first = finish(["run", str(spec), "--out", str(directory)], failpoint=before)
    assert first.code == KILLED, f"{name} is not on the way of a run: {first}"
    second = finish(next_command(spec, directory), failpoint=name)
    assert second.code == KILLED, f"{name} is not on the way of a resume: {second}"
    last = finish(next_command(spec, directory))
    assert last.code == 0, last.error
    assert same_results(undisturbed, directory)
    assert not leftovers(directory)


@pytest.mark.parametrize("passage", [2, 7, 15])
@pytest.mark.parametrize(
    "name", ["journal.torn", "journal.appended", "job.finished", "file.renamed"]
)
def test_later_passages_are_as_safe_as_the_first(
    name: str, passage: int, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """A kill deep in the run loses nothing either."""
    directory = tmp_path / "run"
    killed = finish(["run", str(spec), "--out", str(directory)], failpoint=f"{name}:{passage}")
    assert killed.code == KILLED, killed
    last = finish(next_command(spec, directory))
    assert last.code == 0, last.error
    assert same_results(undisturbed, directory)


@pytest.mark.parametrize("passage", [1, 3, 6, 10, 15])
def test_a_default_run_killed_after_any_job_ends_like_an_undisturbed_one(
    passage: int, default_spec: Path, undisturbed_default: Path, tmp_path: Path
) -> None:
    """And no job of an epoch or more that was recorded is trained again."""
    directory = tmp_path / "run"
    command = ["run", str(default_spec), "--out", str(directory)]
    killed = finish(command, failpoint=f"job.finished:{passage}")
    assert killed.code == KILLED, killed
    last = finish(["resume", str(directory)])
    assert last.code == 0, last.error
    assert same_results(undisturbed_default, directory)
    assert not [job for job in repeated(directory) if job["steps"] >= STEPS_PER_EPOCH]


@pytest.mark.parametrize("passage", range(1, 20, 3))
def test_at_most_the_jobs_of_one_round_are_repeated(
    passage: int, spec: Path, tmp_path: Path
) -> None:
    """A kill within a round costs what is still wanted of it, and none of its ancestors."""
    directory = tmp_path / "run"
    finish(["run", str(spec), "--out", str(directory)], failpoint=f"job.finished:{passage}")
    assert finish(["resume", str(directory)]).code == 0
    again = repeated(directory)
    assert len({job["id"] for job in again}) == len(again)
    assert all(job["steps"] < STEPS_PER_EPOCH for job in again)
    assert len(again) <= 5


def repeated(directory: Path) -> list[dict[str, Any]]:
    """The jobs that a resume trained again."""
    jobs = {}
    for line in (directory / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["record"] == "job":
            jobs[record["id"]] = record
    events = map(json.loads, (directory / "events.jsonl").read_text().splitlines())
    return [jobs[event["job"]] for event in events if event["kind"] == "job_repeated"]
