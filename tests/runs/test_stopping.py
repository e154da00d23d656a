"""What ends a run before its time: a wish, a failure of an observer, a signal; what there is, is kept."""

import json
import os
import signal

import pytest

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.errors import SearchFailedError
from nas_surgery.testing.runs import same_results

SPEC = {
    "seed": 5,
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [6, 5]},
    "training": {"learning_rate": 0.05},
    "search": {
        "strategy": "paper",
        "max_epochs": 12,
        "initial_epochs": 4,
        "epoch_step": 4,
        "retraining_batches": 5,
    },
    "run": {"baseline": True},
}


class Raising:
    """An observer that raises at the n-th event of a kind, counted from 0."""

    def __init__(self, error, kind="job_finished", n=3):
        self.error, self.kind, self.left, self.later = error, kind, n, []

    def __call__(self, event):
        self.later.append(event.kind)
        if event.kind == self.kind:
            self.left -= 1
            if self.left == -1:
                self.later.clear()
                raise self.error


def finished_jobs(history):
    return [record for record in history if record["record"] == "outcome"]


def test_an_observer_may_end_the_run():
    """With the best network so far, behind the job that went on; it is told of the end."""
    observer = Raising(ns.StopRun())
    result = ns.run(SPEC, observers=[observer])
    assert result.summary["stopped"] == "observer"
    assert len(finished_jobs(result.history)) == 4
    assert result.summary["baseline"] is None
    assert result.network.forward([[5.0, 3, 4, 1]]).shape == (1, 3)
    assert observer.later[-1] == "run_finished"


@pytest.mark.parametrize(
    ("kind", "jobs"), [("run_started", 1), ("job_started", 1), ("decision", 1)]
)
def test_a_wish_before_there_is_a_network_waits_for_one(kind, jobs):
    """There is always a result."""
    result = ns.run(SPEC, observers=[Raising(ns.StopRun(), kind, 0)])
    assert result.summary["stopped"] == "observer"
    assert len(finished_jobs(result.history)) == jobs


def test_a_wish_at_the_very_end_changes_nothing_but_the_reason():
    """The winner is that of the whole search."""
    whole = ns.run({**SPEC, "run": {}})
    count = len(finished_jobs(whole.history))
    last = ns.run({**SPEC, "run": {}}, observers=[Raising(ns.StopRun(), n=count - 1)])
    assert last.network.equals(whole.network)
    assert last.summary["stopped"] == "observer"
    late = ns.run({**SPEC, "run": {}}, observers=[Raising(ns.StopRun(), "run_finished", 0)])
    assert late.summary["stopped"] == "finished"


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path):
    """A resume finds everything that an undisturbed run would have."""
    whole = ns.run(SPEC, out=tmp_path / "whole")
    ns.run(SPEC, out=tmp_path / "stopped", observers=[Raising(ns.StopRun())])
    again = ns.resume(tmp_path / "stopped")
    assert again.summary["stopped"] == "finished"
    assert again.network.equals(whole.network)
    assert again.summary["test_reads"] == 2  # its first winner was measured as well
    assert same_results(tmp_path / "whole", tmp_path / "stopped", but=["test_reads"])


def test_a_finished_run_stays_finished(tmp_path):
    """Whatever the observers of a resume want: there is nothing left to stop."""
    whole = ns.run(SPEC, out=tmp_path / "out").summary
    again = ns.resume(tmp_path / "out", observers=[Raising(ns.StopRun(), "run_started", 0)]).summary
    assert (again["stopped"], again["baseline"]) == ("finished", whole["baseline"])


def test_a_plugin_may_end_the_run_too(tmp_path, capsys):
    """From its hook, while the others are still told; the command ends as a finished one."""
    hook = "import nas_surgery\ndef nas_surgery_on_event(event):\n"
    (tmp_path / "stop.py").write_text(
        f"{hook}    if event.kind == 'decision': raise nas_surgery.StopRun"
    )
    seen = "import pathlib\ndef nas_surgery_on_event(event):\n    pathlib.Path(__file__).with_suffix('.log').open('a').write(event.kind + ' ')"
    (tmp_path / "seen.py").write_text(seen.replace(".open('a').write(", ".write_text("))
    plugins = [str(tmp_path / "stop.py"), str(tmp_path / "seen.py")]
    spec = ns.Spec.from_dict({**SPEC, "plugins": plugins, "run": {}})
    (tmp_path / "spec.toml").write_text(spec.to_toml())
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "spec.toml"), "--out", str(tmp_path / "out")])
    assert not ended.value.code
    assert "stopped   by observer" in capsys.readouterr().out
    assert (tmp_path / "seen.log").read_text() == "run_finished "


@pytest.mark.parametrize(
    "error", [ValueError("mine"), OSError(28, "full"), SystemExit(7), KeyError()]
)
def test_an_observers_own_error_comes_out_behind_what_there_is(tmp_path, error):
    """Unchanged; the best network so far is saved, the others are told of it, and a resume goes on."""
    events, observer = [], Raising(error)
    with pytest.raises(type(error)) as raised:
        ns.run(SPEC, out=tmp_path / "out", observers=[observer, lambda e: events.append(e.kind)])
    assert raised.value is error
    assert observer.later == [], "it is told nothing more"
    assert events[-1] == "run_finished"
    for name in ("winner.onnx", "winner.safetensors"):
        assert ns.load(tmp_path / "out" / name).output_shape == (3,)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["stopped"] == "observer"
    assert ns.resume(tmp_path / "out").summary["stopped"] == "finished"


def test_an_observers_error_before_there_is_a_network_comes_out_at_once():
    """Nothing is trained for it."""
    jobs = []
    error = ValueError("mine")
    observers = [Raising(error, "run_started", 0), lambda e: jobs.append(e.kind)]
    with pytest.raises(ValueError, match="mine") as raised:
        ns.run(SPEC, observers=observers)
    assert raised.value is error
    assert "job_started" not in jobs


def test_an_observers_error_at_the_end_comes_out_too(tmp_path):
    """The run is finished all the same."""
    with pytest.raises(ValueError, match="late"):
        ns.run(
            SPEC, out=tmp_path / "out", observers=[Raising(ValueError("late"), "run_finished", 0)]
        )
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["stopped"] == "finished"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_memory_leaves_the_result(number):
    """In the error, which is a KeyboardInterrupt."""

    def send(event):
        if event.kind == "decision" and event.data["best"] is not None:
            os.kill(os.getpid(), number)

    with pytest.raises(ns.InterruptedRunError) as stopped:
        ns.run(SPEC, observers=[send])
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert stopped.value.saved
    result = stopped.value.result
    assert result.summary["stopped"] == signal.Signals(number).name
    assert result.network.hidden == (6, 5)


def test_a_signal_before_there_is_a_network_says_so():
    """There is no result to hold."""

    def send(event):
        if event.kind == "run_started":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(ns.InterruptedRunError) as stopped:
        ns.run(SPEC, observers=[send])
    assert stopped.value.result is None
    assert not stopped.value.saved


def test_time_that_is_up_before_a_network_is_trained_is_no_crash():
    """A first job that fails behind the limit ends the run in one line."""
    spec = {"data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError):
        ns.run({**SPEC, **spec, "search": {**SPEC["search"], "max_seconds": 1e-6}})
