"""What plugins that pass runs on to a tracker are told."""

from threading import Barrier, Thread

import pytest

import nas_surgery as ns
from nas_surgery.errors import SearchFailedError
from nas_surgery.plugins.events import Event
from nas_surgery.plugins.tracking import Tracker, Trackers

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [4]},
    "search": {"max_epochs": 3},
    "run": {"baseline": True},
}


class Noting(Tracker):
    """Keeps everything that it is told."""

    def __init__(self, data):
        super().__init__(data)
        self.seed, self.lines, self.ends = data["spec"]["seed"], {}, []

    def figures(self, line, epoch, values):
        self.lines.setdefault(line, []).append((epoch, values))

    def finished(self, result):
        self.ends.append(result)

    def failed(self, reason):
        self.ends.append(reason)


@pytest.fixture
def noted():
    """Trackers that were made, and the observer that makes them."""
    made = []

    def make(data):
        made.append(Noting(data))
        return made[-1]

    return made, Trackers(make)


def test_every_line_has_one_point_an_epoch(noted):
    """Also where jobs are shorter than one; the last of the winner's is its own figures."""
    made, observer = noted
    result = ns.run(SPEC, observers=[observer])
    (tracker,) = made
    for line in ("search", "baseline", "winner"):
        epochs = [epoch for epoch, _ in tracker.lines[line]]
        assert epochs == sorted(set(epochs))
    assert [epoch for epoch, _ in tracker.lines["baseline"]] == [1, 2, 3]
    assert tracker.lines["winner"][-1][1]["parameters"] == result.network.parameter_count
    assert tracker.ends == [result]


def test_a_run_without_a_network_ends_as_failed(noted):
    """With the reason that its caller gets; a run that failed is over."""
    made, observer = noted
    spec = {**SPEC, "data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError) as raised:
        ns.run(spec, observers=[observer])
    observer(Event("decision", 0.0))
    (end,) = made[0].ends
    assert str(raised.value) in end


def test_runs_side_by_side_are_told_apart(noted):
    """Each thread's events reach its own run's tracker."""
    made, observer = noted
    both = Barrier(2)

    def meet(event):
        if event.kind == "run_started":
            both.wait(30)

    def go(seed):
        ns.run({**SPEC, "seed": seed}, observers=[observer, meet])

    threads = [Thread(target=go, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tracker in made:
        (result,) = tracker.ends
        assert result.summary["seed"] == tracker.seed


def test_a_tracker_that_raises_is_told_nothing_more():
    """Its run hears of it once."""

    class Broken(Noting):
        def figures(self, line, epoch, values):
            raise OSError("no space left")

    tracker = Broken({"steps_per_epoch": 10, "spec": {"seed": 0}})
    trackers = Trackers(lambda data: tracker)
    point = Event("epoch", 1.0, {"job": None, "epoch": 1.0, "training_loss": 0.5})
    trackers(Event("run_started", 0.0, {}))
    with pytest.raises(OSError, match="no space"):
        trackers(point)
    trackers(point)
    trackers(Event("run_failed", 2.0, {"reason": "later"}))
    assert tracker.ends == []
