"""A run whose settings were chosen from the data survives what any other run survives."""

import json
import signal
from pathlib import Path

import pytest

from nas_surgery.testing.runs import finish, same_results

SPEC = """
[data]
source = "sklearn:diabetes"
[search]
max_epochs = 40
stamina = 1
look = 0.02
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("chosen") / "spec.toml"
    file.write_text(SPEC)
    return file


@pytest.fixture(scope="module")
def undisturbed(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("chosen") / "run"
    done = finish(["run", str(spec), "--out", str(directory)])
    assert done.code == 0, done.error
    jobs = [r for r in records(directory) if r["record"] == "job"]
    assert any(job.get("decay", 1) > 1 for job in jobs), "nothing is taken back; choose another set"
    assert jobs[-1]["refit"]
    return directory


@pytest.mark.parametrize("passage", [2, 9, 16, "last"])
def test_a_killed_run_ends_like_an_undisturbed_one(
    passage: int | str, spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Before and after training was taken back, and behind the refit."""
    directory = tmp_path / "run"
    count = sum(r["record"] == "outcome" for r in records(undisturbed))
    point = f"job.finished:{count if passage == 'last' else passage}"
    killed = finish(["run", str(spec), "--out", str(directory)], failpoint=point)
    assert killed.code == -signal.SIGKILL, killed
    last = finish(["resume", str(directory)])
    assert last.code == 0, last.error
    assert same_results(undisturbed, directory)


def test_workers_come_to_the_same(spec: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The weight decay and the refit reach them."""
    pool = ["--set", "run.executor=processes", "--set", "run.workers=2"]
    done = finish(["run", str(spec), "--out", str(tmp_path / "run"), *pool])
    assert done.code == 0, done.error
    assert same_results(undisturbed, tmp_path / "run")


def records(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]
