"""An executor comes in by a hook, has settings of its own, and changes nothing of what comes out."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import nas_surgery as ns
from nas_surgery.errors import NasSurgeryError
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import OPERATIONS
from nas_surgery.runs.spec import Spec
from nas_surgery.search.workbench import Workbench
from nas_surgery.search.workbench_plan import WorkbenchPlan
from nas_surgery.strategies import Job
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import state_to_bytes

BACKWARDS = """
import pickle
import attrs
from nas_surgery.executors import ExecutorSettings
from nas_surgery.executors.travel import arrived, carry_out
from nas_surgery.training.state_bytes import state_to_bytes

SEEN = []

@attrs.frozen
class Backwards(ExecutorSettings):
    note: str = "none"
    often: int = 1

    def open(self, work):
        SEEN.append((self.note, work.workers, work.seconds))
        return Executor(work)

class Executor:
    def __init__(self, work):
        self.work, self.bench = work, pickle.loads(pickle.dumps(work.elsewhere)).bench()

    def run(self, jobs, states, listener):
        found = {}
        for job in reversed(jobs):
            listener.started(job)
            parent = states.get(job.parent)
            content = None if parent is None else state_to_bytes(parent)
            found[job.id] = carry_out(self.bench, job.to_json(), content)
        for job in jobs:
            yield arrived(found[job.id], self.work.operations)

    def begin(self, job):
        SEEN.append(job.purpose)

    def close(self):
        SEEN.append("closed")

def nas_surgery_executors():
    return {"backwards": Backwards}
"""
BASE = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [5, 4]},
    "search": {
        "strategy": "paper",
        "max_epochs": 3,
        "initial_epochs": 1,
        "epoch_step": 1,
        "retraining_batches": 2,
    },
}


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "backwards.py"
    file.write_text(BACKWARDS)
    return str(file)


def without_header(result):
    return [record for record in result.history if record["record"] != "run"]


def test_an_executor_of_ones_own_gives_the_journal_of_local(plugin):
    """In whatever order it does the jobs of a round; its settings are those of its table."""
    run = {"executor": "backwards", "baseline": True, "workers": 3}
    own = ns.run({**BASE, "plugins": [plugin], "run": {**run, "backwards": {"note": "mine"}}})
    local = ns.run({**BASE, "run": {"baseline": True}})
    assert without_header(own) == without_header(local)
    assert own.network.equals(local.network)
    assert own.summary["baseline"] == local.summary["baseline"]


def test_an_executor_is_told_what_the_spec_says_and_closed(plugin):
    """Workers and seconds are of all executors; a baseline is foreseen where there are workers."""
    from nas_surgery.runs.preparation import prepare

    run = {"executor": "backwards", "workers": 3, "job_seconds": 9, "backwards": {"note": "a"}}
    made = prepare(Spec.from_dict({**BASE, "plugins": [plugin], "run": run}))
    assert (made.executor.note, made.executor.often) == ("a", 1)


REFUSED = [
    ({"executor": "locl"}, r"^run.executor: unknown executor 'locl'; did you mean 'local'\?"),
    ({"executor": "zzz"}, "^run.executor: unknown executor 'zzz'; known: local, processes, "),
    ({"executor": "backwards", "backwards": {"nte": 1}}, r"unknown key 'run.backwards.nte'; did you mean 'run.backwards.note'\?"),
    ({"executor": "backwards", "backwards": {"often": "x"}}, "run.backwards.often must be a whole number, got 'x'"),
    ({"backwards": {"note": 3}, "executor": "backwards"}, "run.backwards.note must be a string"),
    ({"bckwards": {"note": "a"}}, "^run.bckwards: unknown executor 'bckwards'; did you mean 'backwards'"),
    ({"local": {"workers": 2}}, "unknown key 'run.local.workers'"),
    ({"settings": {"a": 1}}, "unknown executor 'settings'"),
]  # fmt: skip


@pytest.mark.parametrize(("run", "rule"), REFUSED)
def test_what_is_wrong_is_said_before_anything_is_written(plugin, tmp_path, run, rule):
    """In one line that names the key, and what is installed."""
    spec = {**BASE, "plugins": [plugin], "run": run}
    with pytest.raises(NasSurgeryError, match=rule) as refusal:
        ns.run(spec, out=tmp_path / "out")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_settings_of_several_executors_stand_side_by_side(plugin):
    """So that one word chooses; those of the others are said to be idle, and a spec keeps them all."""
    spec = Spec.from_dict({**BASE, "plugins": [plugin], "run": {"backwards": {"note": "a"}}})
    assert Spec.from_dict(spec.to_dict()) == spec
    assert 'note = "a"' in spec.to_toml().partition("[run.backwards]")[2]
    (said,) = ns.run(spec).summary["warnings"]
    assert said == 'run.backwards is set and not used: run.executor = "local"'


NETWORK = build(3, 5, "tanh", 4)
PARTS = labelled(NETWORK, 10, seed=1), labelled(NETWORK, 7, seed=2)
RECIPE = Recipe(SGD(0.1), batch_size=4, seed=3)


def test_a_planned_workbench_is_bound_to_its_threads_and_gives_the_same():
    """As the one that is built in place, on the numbers and on every library that computes."""
    names = tuple(OPERATIONS)
    start = state_to_bytes(TrainState(NETWORK))
    plan = WorkbenchPlan("numpy", "cpu", RECIPE, start, *PARTS, names, (), threads=1)
    with threadpool_limits(2):
        bench = plan.bench()
        assert {library["num_threads"] for library in threadpool_info()} == {1}
    here = Workbench(NumpyBackend(), "cpu", RECIPE, NETWORK, *PARTS, OPERATIONS)
    job = Job(0, None, steps=5)
    assert bench.perform(job, None).digest == here.perform(job, None).digest
