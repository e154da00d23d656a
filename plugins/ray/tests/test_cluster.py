"""On two nodes a run gives what it gives in one process, whoever is killed on the way."""

import json
import os
import signal
from pathlib import Path

import pytest

from nas_surgery.testing.runs import CommandProcess, finish, same_results, sets, wait_until

SPEC = """
plugins = ["{trap}"]
[data]
source = "sklearn:iris"
[network]
hidden = [4, 4]
[training]
optimizer = "sgd"
momentum = 0.9
[search]
strategy = "paper"
operations = ["identity", "trap", "remove_neurons", "remove_layer"]
initial_epochs = 1
epoch_step = 1
max_epochs = 4
retraining_batches = 2
[run]
baseline = true
"""

TRAP = """
import os, time
import attrs
from nas_surgery.operations import AddNeurons

@attrs.frozen
class Trap(AddNeurons):
    name = "trap"
    def apply(self, network, context=None):
        if network.hidden != (6, 5):  # the trial before the run
            wait_once()
        return super().apply(network, context)

def wait_once():
    try:
        file = os.open("{caught}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.write(file, f"{{os.getpid()}} {{os.getppid()}} .".encode())
    time.sleep(60)

def nas_surgery_operations():
    return {{"trap": Trap}}
"""


class Trap:
    """The first job that runs into it waits for a minute, and says who it is."""

    def __init__(self, caught):
        self.caught = caught

    def set(self):
        self.caught.unlink(missing_ok=True)

    def wait(self):
        """Process ids of the worker that is caught and of its node."""
        wait_until(lambda: self.caught.exists() and self.caught.read_text().endswith("."))
        return [int(word) for word in self.caught.read_text().split()[:2]]


@pytest.fixture(scope="session")
def trap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trap")
    made = Trap(folder / "caught")
    made.caught.touch()
    (folder / "trap.py").write_text(TRAP.format(caught=made.caught))
    return made


@pytest.fixture(scope="session")
def spec(trap):
    file = trap.caught.with_name("spec.toml")
    file.write_text(SPEC.format(trap=trap.caught.with_name("trap.py")))
    return file


@pytest.fixture(scope="session")
def undisturbed(spec):
    """By the local executor."""
    directory = spec.with_name("undisturbed")
    done = finish(["run", str(spec), "--out", str(directory)])
    assert done.code == 0, done.error
    return directory


@pytest.fixture
def command(spec, undisturbed, nodes, tmp_path):
    settings = ["run.executor=ray", f'run.ray.address="{nodes.address}"']
    return ["run", str(spec), "--out", str(tmp_path / "run"), *sets(settings)]


@pytest.fixture
def check(undisturbed, tmp_path):
    """See that a run ended well, with the results of one process."""

    def same(done):
        assert done.code == 0, done.error
        assert same_results(undisturbed, tmp_path / "run")

    return same


def outcomes(directory: Path):
    """The journal's outcomes."""
    lines = (directory / "journal.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["record"] == "outcome"]


def test_two_nodes_give_the_journal_of_one_process(command, check):
    """And the winner: byte for byte."""
    check(finish(command))


def test_states_may_go_by_files(command, check, tmp_path):
    """Those above a size, through a folder that holds nothing when the run has ended."""
    shared = tmp_path / "shared"
    shared.mkdir()
    check(finish([*command, *sets([f'run.ray.shared="{shared}"', "run.ray.large=0"])]))
    assert list(shared.iterdir()) == []


def test_a_worker_is_killed(command, check, trap):
    """In the middle of a job, which another one does again."""
    trap.set()
    run = CommandProcess(command)
    worker, _ = trap.wait()
    os.kill(worker, signal.SIGKILL)
    check(run.wait())


def test_a_node_is_killed(command, check, trap, nodes):
    """In mid-round, with the job that it was at."""
    trap.set()
    run = CommandProcess(command)
    _, raylet = trap.wait()
    nodes.kill(raylet)
    check(run.wait())


def test_the_driver_is_killed(command, check, tmp_path):
    """And resumed on the same cluster."""
    assert finish(command, failpoint="job.finished:6").code == -signal.SIGKILL
    check(finish(["resume", str(tmp_path / "run")]))


def test_a_signal_ends_a_run_in_order(command, check, trap, tmp_path):
    """While a job goes on; the best network so far is saved, and a resume ends in the same one."""
    trap.set()
    run = CommandProcess(command)
    trap.wait()
    os.kill(run.process.pid, signal.SIGTERM)
    assert run.wait().code == 128 + signal.SIGTERM
    assert (tmp_path / "run" / "winner.onnx").exists()
    check(finish(["resume", str(tmp_path / "run")]))


def test_a_job_that_takes_too_long_is_stopped(command, trap, tmp_path):
    """It alone fails, with the words of the process pool."""
    trap.set()
    done = finish([*command, *sets(["run.job_seconds=3"])])
    assert done.code == 0, done.error
    failed = [o["failure"]["reason"] for o in outcomes(tmp_path / "run") if "failure" in o]
    assert "took longer than 3.0 s and was stopped" in failed


def test_a_job_whose_workers_all_die_fails(command, trap, tmp_path):
    """After as many attempts as the spec allows."""
    trap.set()
    run = CommandProcess([*command, *sets(["run.ray.attempts=1"])])
    worker, _ = trap.wait()
    os.kill(worker, signal.SIGKILL)
    done = run.wait()
    assert done.code == 0, done.error
    failed = [o["failure"]["reason"] for o in outcomes(tmp_path / "run") if "failure" in o]
    assert any(reason.startswith("its worker died 1 times: The worker died") for reason in failed)


UNFIT = """
import os
if "RAY_RAYLET_PID" in os.environ:
    raise ImportError("not on this machine")
def nas_surgery_scores():
    return {}
"""


def test_a_worker_that_cannot_begin_ends_the_run_in_one_line(command, tmp_path):
    """It says why; the run is there to be resumed."""
    plugin = tmp_path / "unfit.py"
    plugin.write_text(UNFIT)
    done = finish([*command, *sets([f'plugins=["{plugin}"]', "search.operations=[]"])])
    assert done.code == 2
    assert "a worker of the cluster cannot begin: PluginError: plugin" in done.error
    assert "ImportError: not on this machine" in done.error
    assert "Traceback" not in done.error
