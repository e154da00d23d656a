"""What the driver decides, on a Ray that does everything at once in this process, and fails as it is told."""

from collections import Counter

import attrs
import pytest
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    ObjectStoreFullError,
    RayTaskError,
    WorkerCrashedError,
)

from nas_surgery.errors import RunError
from nas_surgery.executors import Listener, Work
from nas_surgery.network import Network
from nas_surgery.strategies.jobs import Job, Outcome
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState
from nas_surgery_ray import executor as executing
from nas_surgery_ray import parcels, worker
from nas_surgery_ray.executor import RayExecutor

STATE = TrainState(Network.dense(4, (3,), 2, seed=0))
RECIPE = Recipe(SGD(0.1), batch_size=5)
LOST = ObjectLostError("00", None, "")


class FakeRay:
    """failures: by the name of a task, what becomes of its attempts, one after the other."""

    def __init__(self, **failures):
        self.failures = {name.replace("_", " "): list(each) for name, each in failures.items()}
        self.puts, self.attempts, self.options, self.most = [], Counter(), {}, 0

    def put(self, value):
        self.puts.append(value)
        return len(self.puts) - 1

    def get(self, found):
        if isinstance(found, BaseException):
            raise found
        return self.puts[found] if type(found) is int else found

    def remote(self, function):
        return FakeTask(self, function)

    def wait(self, streams, num_returns=1, timeout=None):
        self.most = max(self.most, len(streams))
        return streams[:num_returns], streams[num_returns:]

    def cancel(self, stream, force):
        stream.close()


@attrs.define
class FakeTask:
    ray: FakeRay
    function: object
    name: str = ""

    def options(self, name, **options):
        self.ray.options = options
        return FakeTask(self.ray, self.function, name.removeprefix("nas-surgery "))

    def remote(self, *arguments):
        self.ray.attempts[self.name] += 1
        return self.said(arguments)

    def said(self, arguments):
        failures = self.ray.failures.get(self.name)
        failure = failures.pop(0) if failures else None
        if failure is not None:
            when, error = failure
            if when == "later":
                yield worker.BEGUN
            yield error
        yield from self.function(*arguments)


@attrs.frozen
class Echo:
    """A bench, and the plan of one, that trains nothing."""

    device: str = "cpu"
    threads: int = 1
    operations: dict = attrs.Factory(dict)

    def bench(self):
        return self

    def perform(self, job, parent):
        state = STATE if parent is None else parent
        return Outcome(job.id, accuracy=1.0, state=state, position=state.step)


@pytest.fixture
def on(monkeypatch):
    """An executor on a fake Ray."""

    def make(ray, **fields):
        for module in (executing, parcels, worker):
            monkeypatch.setattr(module, "ray", ray)
        work = Work(Echo, Echo(), {}, RECIPE, 10, 100, **fields)
        return RayExecutor(work, {"num_cpus": 1}, attempts=3, shared=None)

    return make


class Heard(Listener):
    """Remembers which jobs began."""

    def __init__(self):
        self.jobs = []

    def started(self, job):
        self.jobs.append(job)


def carried_out(executor, count, parents=(3, 4)):
    jobs = [Job(10 + i, parents[i % len(parents)], steps=i) for i in range(count)]
    heard = Heard()
    outcomes = list(executor.run(jobs, dict.fromkeys(parents, STATE), heard))
    assert [outcome.job for outcome in outcomes] == [job.id for job in jobs]
    assert sorted(job.id for job in heard.jobs) == [job.id for job in jobs]
    return outcomes


def test_data_are_put_once_a_run_and_each_parent_once_a_round(on):
    """And tasks are told what they need, and never to be tried by Ray."""
    ray = FakeRay()
    executor = on(ray)
    for _ in range(2):
        assert not any(outcome.failed for outcome in carried_out(executor, 9))
    assert len(ray.puts) == 1 + 2 * 2
    assert ray.options == {"max_retries": 0, "num_returns": "streaming", "num_cpus": 1}


def test_no_more_than_twice_the_workers_are_in_flight(on):
    """Whatever the round holds; a job that has begun before counts."""
    ray = FakeRay()
    executor = on(ray, workers=3)
    executor.begin(Job(-1, None))
    carried_out(executor, 50)
    assert ray.most == 6
    (baseline,) = executor.run([Job(-1, None)], {})
    assert baseline.accuracy == 1.0
    assert ray.attempts["job -1"] == 1


DEATHS = [
    ("at once", WorkerCrashedError()),
    ("later", WorkerCrashedError()),
    ("later", NodeDiedError("gone")),
]


@pytest.mark.parametrize(("when", "error"), DEATHS)
def test_a_job_whose_worker_or_node_dies_is_tried_again(on, when, error):
    """And no other."""
    ray = FakeRay(job_11=[(when, error)] * 2)
    assert not any(outcome.failed for outcome in carried_out(on(ray), 4))
    assert ray.attempts == {"job 10": 1, "job 11": 3, "job 12": 1, "job 13": 1}


def test_a_job_fails_after_as_many_attempts_as_are_allowed(on):
    """It says so, and costs what its training would have."""
    ray = FakeRay(job_13=[("later", WorkerCrashedError())] * 3)
    (*good, bad) = carried_out(on(ray), 4)
    assert not any(outcome.failed for outcome in good)
    assert bad.failure.reason.startswith("its worker died 3 times: The worker died")
    assert bad.cost.training_samples == 15  # three batches of five
    assert ray.attempts["job 13"] == 3


@pytest.mark.parametrize(
    "error", [LOST, RayTaskError("perform", "trace", LOST)], ids=["result", "argument"]
)
def test_what_got_lost_is_put_again(on, error):
    """The driver owns what it put; Ray could not make it again."""
    ray = FakeRay(job_11=[("at once", error)])
    assert not any(outcome.failed for outcome in carried_out(on(ray), 4, parents=(3,)))
    assert ray.attempts["job 11"] == 2
    assert len(ray.puts) == 2 * (1 + 1)


def test_a_worker_that_cannot_begin_ends_the_run_with_the_reason(on):
    """It would be no job's fault, and fails them all."""
    error = RayTaskError("perform", "trace", ImportError("no module named torch"))
    with pytest.raises(RunError, match=r"cannot begin: ImportError: no module named torch"):
        carried_out(on(FakeRay(job_11=[("at once", error)])), 4)


def test_a_cluster_in_trouble_ends_the_run_in_one_line(on):
    """What was recorded is kept."""

    def full(value):
        raise ObjectStoreFullError("no room\nat all")

    ray = FakeRay()
    ray.put = full
    with pytest.raises(RunError, match=r"^Ray: .*no room.*; resume the run once that is mended$"):
        carried_out(on(ray), 1)


def test_a_task_that_raises_fails_its_job(on):
    """Once it has begun."""
    error = RayTaskError("perform", "trace", MemoryError("too large\nby far"))
    ray = FakeRay(job_11=[("later", error)])
    failed = [outcome.failure for outcome in carried_out(on(ray), 4) if outcome.failed]
    assert [failure.reason for failure in failed] == ["MemoryError: too large"]


def test_a_job_beyond_its_seconds_is_stopped_and_fails(on, monkeypatch):
    """Its seconds begin when its task does."""
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(executing, "monotonic", lambda: next(clock))
    outcomes = carried_out(on(FakeRay(), seconds=5), 1)
    assert outcomes[0].failure.reason == "took longer than 5 s and was stopped"


def test_closing_lets_go_of_everything(on):
    """Also of what still flies."""
    ray = FakeRay()
    executor = on(ray)
    executor.begin(Job(-1, None))
    executor.close()
    (outcome,) = executor.run([Job(-1, None)], {})
    assert not outcome.failed
    assert ray.attempts["job -1"] == 2
    assert len(ray.puts) == 2
