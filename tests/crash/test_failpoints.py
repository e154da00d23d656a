"""A run may be killed at every named point, and again while it resumes."""

import signal
from pathlib import Path

import pytest

from nas_surgery.failpoints import NAMES
from nas_surgery.testing.runs import finish, leftovers, next_command, same_results

KILLED = -signal.SIGKILL


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


@pytest.mark.parametrize("passage", [2, 7, 19])
@pytest.mark.parametrize(
    "name", ["journal.torn", "journal.appended", "job.finished", "file.renamed"]
)
def test_later_passages_are_as_safe_as_the_first(
    name: str, passage: int, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """A kill deep in the run loses nothing either."""
    directory = tmp_path / "run"
    finish(["run", str(spec), "--out", str(directory)], failpoint=f"{name}:{passage}")
    last = finish(next_command(spec, directory))
    assert last.code == 0, last.error
    assert same_results(undisturbed, directory)
