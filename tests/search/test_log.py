"""What the logger `nas_surgery` says at which level."""

import logging

import pytest

import nas_surgery as ns
from nas_surgery.errors import SearchFailedError

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [4]},
    "search": {"strategy": "paper", "max_epochs": 4, "initial_epochs": 2, "epoch_step": 2},
    "run": {"baseline": True},
}


def said(caplog, level):
    return [each.getMessage() for each in caplog.records if each.levelno == level]


def test_a_run_that_nobody_asks_about_says_nothing(caplog):
    """At the level of a program that set none."""
    ns.run(SPEC)
    assert caplog.messages == []


def test_the_course_of_a_run_is_told_in_lines(caplog, tmp_path):
    """INFO: its start, its end and each network that it goes on with, the baseline too. DEBUG: the others."""
    caplog.set_level(logging.DEBUG, "nas_surgery")
    result = ns.run(SPEC, out=tmp_path / "out")
    lines, details = said(caplog, logging.INFO), said(caplog, logging.DEBUG)
    assert lines[0].startswith("run started: strategy paper on sklearn:iris, seed 0, numpy on cpu")
    assert lines[0].endswith(str(tmp_path / "out"))
    assert lines[-1].startswith("run finished (finished): validation loss")
    assert f"{result.network.parameter_count:,} parameters" in lines[-1]
    jobs = [each for each in result.history if each["record"] == "job"]
    candidates = [each for each in jobs if each["purpose"] == "candidate"]
    assert len(lines) - 2 == len(jobs) - len(candidates)
    assert sum("candidate" in line for line in details) == len(candidates)
    assert sum(line.startswith("epoch ") and "baseline:" in line for line in details) == 4


def test_jobs_that_fail_say_why(caplog):
    """And so does a run without a network."""
    caplog.set_level(logging.INFO, "nas_surgery")
    spec = {**SPEC, "data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError):
        ns.run(spec)
    assert any(line.startswith("job 0 failed: ") for line in caplog.messages)
    assert caplog.messages[-1].startswith("run failed: SearchFailedError: no valid network")
