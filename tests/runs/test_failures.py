"""A run that has a valid network never ends without it, whatever fails."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.errors import PluginError, SearchFailedError
from nas_surgery.numpy_backend.backend import NumpyBackend

PAPER = {
    "strategy": "paper",
    "max_epochs": 6,
    "initial_epochs": 2,
    "epoch_step": 2,
    "retraining_batches": 2,
}
SPEC = {"data": {"source": "sklearn:iris"}, "network": {"hidden": [5]}, "search": PAPER}


@pytest.fixture
def breaking(monkeypatch):
    """Makes every training fail, but for the first so many."""
    train = NumpyBackend.train

    def arm(count):
        left = iter(range(count))

        def fail(self, state, data, plan, watch=None):
            if next(left, None) is None:
                raise RuntimeError("the device [/gone] is lost")
            return train(self, state, data, plan, watch)

        monkeypatch.setattr(NumpyBackend, "train", fail)

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("limit", [3, 6])
def test_failures_in_a_row_end_a_run_with_the_network_that_it_has(tmp_path, breaking, limit):
    """And with the reason; a resume then goes on as if nothing had been."""
    spec = {**SPEC, "run": {"max_failures": limit}}
    undisturbed = ns.run(spec, out=tmp_path / "undisturbed")
    breaking(1)
    result = ns.run(spec, out=tmp_path / "out")
    assert result.summary["stopped"] == "failures"
    assert result.summary["reason"] == (
        f"{limit} jobs in a row failed: RuntimeError: the device [/gone] is lost"
    )
    assert np.isfinite(result.network.forward(np.zeros((1, 4), np.float32))).all()
    assert ns.load(tmp_path / "out").equals(result.network)
    breaking(10**9)
    again = ns.resume(tmp_path / "out")
    assert again.summary["stopped"] == "finished"
    assert again.summary["reason"] is None
    assert again.network.equals(undisturbed.network)
    names = [tmp_path / name / "journal.jsonl" for name in ("undisturbed", "out")]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.parametrize("strategy", ["default", "paper"])
def test_a_search_whose_last_jobs_all_break_off_is_no_success(tmp_path, breaking, strategy):
    """Though its strategy ends in order before ten have: exit code 1, and the reason on standard error."""
    file = tmp_path / "spec.toml"
    search = PAPER if strategy == "paper" else {"max_epochs": 6}
    values = {**SPEC, "search": search, "run": {"max_failures": 1000}}
    file.write_text(ns.Spec.from_dict(values).to_toml())
    breaking(1)
    result = CliRunner().invoke(main, ["run", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1, result.output
    assert re.search(
        r"error: the last \d+ jobs failed: RuntimeError: the device \[/gone\]", result.stderr
    )
    assert f"go on with: nas-surgery resume {tmp_path / 'out'}" in result.stderr
    assert "stopped   by failures" in result.stdout
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["stopped"] == "failures"
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / "out")])
    assert "stopped: failures (the last " in shown.stdout
    breaking(10**9)
    resumed = CliRunner().invoke(main, ["resume", str(tmp_path / "out")])
    assert (resumed.exit_code, resumed.stderr) == (0, "")


def test_without_any_network_failures_are_an_error(tmp_path, breaking):
    """There is nothing to save."""
    breaking(0)
    with pytest.raises(SearchFailedError, match=r"no valid network came out of the run: .*lost"):
        ns.run({**SPEC, "run": {"max_failures": 1}}, out=tmp_path / "out")


def test_another_optimizer_goes_on_from_what_there_is(tmp_path):
    """What the first has kept for itself is dropped, and every later job succeeds."""
    spec = {
        **SPEC,
        "search": {**PAPER, "max_epochs": 4},
        "training": {"optimizer": "sgd", "momentum": 0.9},
    }
    ns.run({**spec, "search": {**spec["search"], "max_seconds": 1e-9}}, out=tmp_path / "out")
    file = tmp_path / "out" / "spec.toml"
    text = re.sub("(max_seconds|momentum) = .*\n", "", file.read_text())
    file.write_text(text.replace('"sgd"', '"adam"'))
    result = ns.resume(tmp_path / "out", allow_changes=True)
    assert result.summary["stopped"] == "finished"
    assert not [record for record in result.history if record.get("failure")]


STRATEGY = """
import attrs
from nas_surgery.strategies import Job, Round, Strategy

@attrs.frozen
class Mine(Strategy):
    def search(self, setting):
        {first}
        (outcome,) = yield Round((Job(0, None, steps=setting.steps_per_epoch),))
        {then}

def nas_surgery_strategies():
    return {{"mine": Mine}}
"""
FAULTS = {
    "raise ValueError('oh')": "the strategy raised ValueError: oh",
    "yield 3": "the strategy must yield Rounds of Jobs, got 3",
    "return None": "the strategy returned None as winner",
    "yield Round((Job(1, 7),))": "job 1 of the strategy has no parent 7",
}


@pytest.mark.parametrize("then", FAULTS)
def test_a_strategy_that_fails_in_mid_run_loses_nothing(tmp_path, then):
    """Whatever it does, and though it never said which network is its best."""
    (tmp_path / "mine.py").write_text(STRATEGY.format(first="", then=then))
    search = {"strategy": "mine", "max_epochs": 1}
    spec = {**SPEC, "plugins": [str(tmp_path / "mine.py")], "search": search}
    for result in (ns.run(spec, out=tmp_path / "out"), ns.resume(tmp_path / "out")):
        assert result.summary["stopped"] == "failures"
        assert result.summary["reason"].startswith(FAULTS[then])
        assert ns.load(tmp_path / "out").equals(result.network)


def test_a_strategy_whose_check_fails_is_named(tmp_path):
    """Before anything is trained or written."""
    check = "    def check(self, network, limits, operations):\n        raise KeyError(3)\n"
    text = STRATEGY.format(first="", then="return 0").replace(
        "    def search", f"{check}    def search"
    )
    (tmp_path / "mine.py").write_text(text)
    spec = {**SPEC, "plugins": [str(tmp_path / "mine.py")]}
    with pytest.raises(PluginError, match="'mine' fails on the start network: KeyError: 3"):
        ns.run({**spec, "search": {"strategy": "mine"}}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_strategy_that_fails_at_once_is_an_error(tmp_path):
    """In one line."""
    (tmp_path / "mine.py").write_text(STRATEGY.format(first="raise KeyError(3)", then=""))
    spec = {**SPEC, "plugins": [str(tmp_path / "mine.py")]}
    with pytest.raises(SearchFailedError, match="the strategy raised KeyError: 3"):
        ns.run({**spec, "search": {"strategy": "mine", "max_epochs": 1}})
