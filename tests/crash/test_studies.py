"""A study may be killed wherever it is, and as often as one likes: what comes out is the same table."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from nas_surgery.failpoints import OF_STUDIES
from nas_surgery.testing.runs import CommandProcess, Ended, finish, leftovers, wait_until

KILLED = -signal.SIGKILL
TABLES = ("table.csv", "table.md", "runs.csv", "plan.json")
OPTIONS = ["--seeds", "0,1", "--controls", "final-from-scratch"]
FIVE = [  # in this order: before there is a run, in each kind of run, and when all are done
    "study.planned",
    "journal.torn:9",
    "export.started:1",
    "file.renamed:31",
    "study.searched:2",
]


def command(spec: Path, directory: Path) -> list[str]:
    return ["study", str(spec), *OPTIONS, "--out", str(directory)]


@pytest.fixture(scope="module")
def table_of(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, undisturbed."""
    directory = tmp_path_factory.mktemp("studies") / "undisturbed"
    done = finish(command(spec, directory))
    assert done.code == 0, done.error
    return directory


def same(a: Path, b: Path) -> bool:
    """Whether two studies hold the same tables, byte for byte, and the same rows but for clocks."""
    tables = all((a / name).read_bytes() == (b / name).read_bytes() for name in TABLES)
    return tables and timeless(a) == timeless(b)


def timeless(directory: Path) -> Any:
    values = json.loads((directory / "study.json").read_text())
    assert all(row["cost"].pop("seconds") > 0 for row in values["rows"])
    return values


def test_five_kills_change_no_byte_of_the_table(spec: Path, table_of: Path, tmp_path: Path) -> None:
    """SIGKILL before the first run, within a record, an export and a file, and before the table."""
    directory = tmp_path / "study"
    for number, point in enumerate(FIVE):
        again = ["resume", str(directory)] if number % 2 else command(spec, directory)
        killed = finish(again, failpoint=point)
        assert killed.code == KILLED, (point, killed)
        assert not (directory / "table.csv").exists()
    last = finish(["resume", str(directory)])
    assert last.code == 0, last.error
    assert same(table_of, directory)
    assert not leftovers(directory)


@pytest.mark.parametrize(
    "point", sorted({*OF_STUDIES} - {point.partition(":")[0] for point in FIVE})
)
def test_a_study_killed_at_any_other_point_of_its_own_ends_like_an_undisturbed_one(
    point: str, spec: Path, table_of: Path, tmp_path: Path
) -> None:
    """And again while it goes on, as far as it comes there."""
    directory = tmp_path / "study"
    assert finish(command(spec, directory), failpoint=point).code == KILLED
    assert finish(command(spec, directory), failpoint=point).code in (KILLED, 0)
    last = finish(command(spec, directory))
    assert last.code == 0, last.error
    assert same(table_of, directory)


def test_a_kill_while_tables_are_written_loses_none(
    spec: Path, table_of: Path, tmp_path: Path
) -> None:
    """Everything has been trained by then: what is written is the tables alone."""
    directory = tmp_path / "study"
    assert finish(command(spec, directory), failpoint="study.searched:2").code == KILLED
    for passage in (5, 4, 3, 2, 1):  # of writes from the last table to the plan
        done = finish(command(spec, directory), failpoint=f"file.written:{passage}")
        assert done.code == KILLED, (passage, done)
    assert finish(command(spec, directory)).code == 0
    assert same(table_of, directory)
    assert not leftovers(directory)


def test_workers_that_die_with_their_study_leave_runs_that_go_on(
    spec: Path, table_of: Path, tmp_path: Path
) -> None:
    """SIGKILL to a study with two workers, each time a little further on."""
    directory = tmp_path / "study"
    for records in (3, 60):
        process = CommandProcess([*command(spec, directory), "--workers", "2"]).process
        wait_until(lambda: recorded(directory) >= records or not process.is_alive())  # noqa: B023
        process.kill()
        process.join()
        wait_until(lambda: not busy(directory))
    last = persevering([*command(spec, directory), "--workers", "2"])
    assert last.code == 0, last.error
    assert same(table_of, directory)
    assert not leftovers(directory)


def recorded(directory: Path) -> int:
    """Lines in the journals of all runs."""
    return sum(file.read_bytes().count(b"\n") for file in directory.rglob("journal.jsonl"))


def busy(directory: Path) -> bool:
    """Whether a worker still lives that signed the lock of a run."""
    signed = (file.read_text() for file in directory.glob("runs/*/*/lock"))
    owners = {found[1] for text in signed if (found := re.search(r"process (\d+)", text))}
    return any(_alive(Path("/proc") / owner / "stat") for owner in owners)


def _alive(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def persevering(arguments: list[str]) -> Ended:
    """Run a command until nothing that was killed before it holds a lock any more."""
    deadline = time.monotonic() + 60
    while True:
        done = finish(arguments)
        if "is running here" not in done.error or time.monotonic() > deadline:
            return done


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_a_signal_stops_every_run_in_order(number: int, workers: int, tmp_path: Path) -> None:
    """Each has saved its best network so far, and what is printed goes on with all of them."""
    file, directory = tmp_path / "long.toml", tmp_path / "study"
    file.write_text(
        '[data]\nsource = "sklearn:iris"\n[search]\nstrategy = "train"\nmax_epochs = 200000\n'
        "checkpoints = 20000\n"
    )
    arguments = ["study", str(file), "--seeds", "0,1,2", "--workers", str(workers)]
    study = CommandProcess([*arguments, "--out", str(directory)])
    wait_until(lambda: len(list(directory.glob("runs/*/*/weights/*"))) >= 2 * workers)
    assert study.process.pid is not None
    begun = list(directory.glob("runs/*/*"))
    os.kill(study.process.pid, number)
    done = study.wait()
    assert done.code == 128 + number
    name = signal.Signals(number).name
    assert done.error.splitlines() == [
        f"nas-surgery: stopped by {name}; what is finished is kept",
        f"nas-surgery: go on with: nas-surgery resume {directory}",
    ]
    assert len(begun) == workers
    for run in begun:
        assert json.loads((run / "summary.json").read_text())["stopped"].startswith("SIG")
    assert not (directory / "table.csv").exists()


def test_a_worker_that_is_killed_costs_its_run_nothing(
    spec: Path, table_of: Path, tmp_path: Path
) -> None:
    """Another one goes on with it, and the study does not notice."""
    directory = tmp_path / "study"
    study = CommandProcess([*command(spec, directory), "--workers", "2"])
    wait_until(lambda: recorded(directory) > 4)
    lock = next(directory.glob("runs/*/*/lock"))
    os.kill(int(lock.read_text().split()[-1]), signal.SIGKILL)
    done = study.wait()
    assert done.code == 0, done.error
    assert same(table_of, directory)
