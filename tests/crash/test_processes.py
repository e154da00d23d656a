"""The process pool gives what the local executor gives, and survives what candidates do to workers."""

import contextlib
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import nas_surgery as ns
from nas_surgery.executors.processes import ProcessExecutor
from nas_surgery.strategies.jobs import Job
from nas_surgery.testing.runs import CommandProcess, finish, same_results, sets, wait_until

POOL = ["--set", "run.executor=processes", "--set", "run.workers=2"]

HOSTILE = """
import os, signal, sys, time
import attrs
from nas_surgery import Operation, Proposal, Surgery

def only_in_workers():
    return os.environ.get("HOSTILE_PARENT") != str(os.getpid())

class Base(Operation):
    @classmethod
    def propose(cls, network, analysis):
        return [Proposal(cls(), 1.0, "to do harm")]
    def parameters_after(self, network):
        return network.parameter_count

@attrs.frozen
class Killed(Base):
    name = "killed"
    def apply(self, network, context=None):
        if network.input_shape == (4,) and network.hidden == (6, 5):
            return Surgery(network, PROMISE)  # the trial before the run
        os.kill(os.getpid(), signal.SIGKILL)

@attrs.frozen
class Hangs(Base):
    name = "hangs"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        time.sleep(60)

@attrs.frozen
class Exits(Base):
    name = "exits"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        sys.exit(3)

@attrs.frozen
class Writes(Base):
    name = "writes"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        network.layers[1].kernel[:] = 0

@attrs.frozen
class Wrong(Base):
    name = "wrong"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        return network

@attrs.frozen
class Probes(Base):
    name = "probes"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        context.probe[:] = context.labels[:] = 0

@attrs.frozen
class Predicts(Base):
    name = "predicts"
    def apply(self, network, context=None):
        if network.hidden == (6, 5):
            return Surgery(network, PROMISE)
        return Surgery(network, PROMISE, predicted="abc")

from nas_surgery.surgery import proved
PROMISE = proved("nothing is changed")

def nas_surgery_operations():
    return {c.name: c for c in (Killed, Hangs, Exits, Writes, Wrong, Probes, Predicts)}
"""


def outcomes_of(directory: Path, operation: str) -> list[dict[str, Any]]:
    """The journal's outcomes of candidates made by an operation."""
    records = [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]
    jobs = {
        record["id"]
        for record in records
        if record["record"] == "job" and [o["name"] for o in record["operations"]] == [operation]
    }
    return [r for r in records if r["record"] == "outcome" and r["job"] in jobs]


def test_two_workers_give_the_journal_of_one_process(
    spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Journal and winner are byte-identical to those of the local executor."""
    directory = tmp_path / "run"
    done = finish(["run", str(spec), "--out", str(directory), *POOL])
    assert done.code == 0, done.error
    assert same_results(undisturbed, directory)


@pytest.mark.parametrize(
    ("seconds", "workers", "place"), [(None, 2, 0), (1000, 2, -1), (None, 1, -1)]
)
def test_the_baseline_begins_with_the_search(
    seconds: float | None, workers: int, place: int, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker need be idle while one network trains; but a single one, and limited time, are the
    search's."""
    submitted: list[str] = []
    submit = ProcessExecutor._submit

    def recording(self: ProcessExecutor, pool: Any, job: Job, state: bytes | None) -> Any:
        submitted.append(job.purpose)
        return submit(self, pool, job, state)

    monkeypatch.setattr(ProcessExecutor, "_submit", recording)
    overrides = {
        "run.executor": "processes",
        "run.workers": workers,
        "search.max_seconds": seconds,
    }
    result = ns.run(spec, overrides=overrides)
    assert result.summary["baseline"]["accuracy"]["validation"] > 0
    assert submitted[place] == "baseline"
    assert submitted.count("baseline") == 1


def test_workers_end_with_their_parent(spec: Path, tmp_path: Path) -> None:
    """Even in the middle of a long job; no process that was started for the run is left."""
    token = f"NAS_SURGERY_TEST={uuid4()}"
    command = ["run", str(spec), "--out", str(tmp_path / "run"), *POOL]
    command += ["--set", "search.initial_epochs=1000000", "--set", "search.max_epochs=1000000"]
    process = CommandProcess(command, before=partial(remember, token))
    wait_until(lambda: len(processes_with(token)) >= 3)  # workers, and what they are forked from
    time.sleep(0.5)
    process.process.kill()
    process.process.join()
    wait_until(lambda: not processes_with(token), seconds=30)


def remember(token: str) -> None:
    """Put the token into the environment of every process that this one starts."""
    name, _, value = token.partition("=")
    os.environ[name] = value


def processes_with(token: str) -> list[str]:
    """Ids of processes that were started with the token in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
    return found


def test_a_program_that_is_no_file_is_refused(spec: Path) -> None:
    """Workers could not import it; they must not be waited for."""
    program = f"import nas_surgery as ns; ns.run({str(spec)!r}, overrides={{'run.executor': 'processes'}})"
    done = subprocess.run(
        [sys.executable, "-"], input=program, text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert "needs a program in a file" in done.stderr


def test_a_run_may_change_its_executor_when_it_resumes(
    spec: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """How jobs are carried out is no part of what a run depends on."""
    directory = tmp_path / "run"
    finish(["run", str(spec), "--out", str(directory), *POOL], failpoint="job.finished:6")
    text = (directory / "spec.toml").read_text()
    (directory / "spec.toml").write_text(text.replace('"processes"', '"local"'))
    assert finish(["resume", str(directory)]).code == 0
    assert same_results(undisturbed, directory)


def test_candidates_that_attack_their_worker_fail_alone(spec: Path, tmp_path: Path) -> None:
    """Killed, hanging, exiting, writing and lying operations each fail; the run ends with a winner."""
    plugin = tmp_path / "hostile.py"
    plugin.write_text(HOSTILE)
    directory = tmp_path / "run"
    settings = [
        f'plugins=["{plugin}"]',
        "search.max_epochs=2",
        "search.random_draw=false",
        "search.operations=[]",
        "run.job_seconds=3",
        "run.baseline=false",
    ]
    arguments = sets(settings)
    done = finish(["run", str(spec), "--out", str(directory), *POOL, *arguments])
    assert done.code == 0, done.error
    for name, word in {
        "killed": "died 2 times",
        "hangs": "took longer than 3",
        "exits": "SystemExit",
        "writes": "read-only",
        "wrong": "must return a Surgery",
        "probes": "read-only",
        "predicts": "predicted must be a number or None",
    }.items():
        reasons = {outcome["failure"]["reason"] for outcome in outcomes_of(directory, name)}
        assert any(word in reason for reason in reasons), (name, reasons)
