"""`run` and `resume`: a spec in, one better network out."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
from threadpoolctl import threadpool_limits

import nas_surgery.accounts as accounts
from nas_surgery.errors import NasSurgeryError, RunError
from nas_surgery.event_log import EventLog, seconds_spent
from nas_surgery.failpoints import failpoint
from nas_surgery.files import load, save, unused, write_atomically
from nas_surgery.network import Network
from nas_surgery.network.storage import to_bytes
from nas_surgery.onnx_io import check_onnx, export_onnx
from nas_surgery.preparation import Preparation, naming, prepare
from nas_surgery.result import ParetoPoint, Result, in_target_units
from nas_surgery.rundir import RunDirectory
from nas_surgery.search.driver import Driver, Observer
from nas_surgery.search.endings import SearchResult
from nas_surgery.search.executors import Executor, LocalExecutor
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.search.jobs import Job
from nas_surgery.search.journal import Journal, plain
from nas_surgery.search.processes import ProcessExecutor, WorkerPlan, begin_imports
from nas_surgery.search.states import StateStore, digest, state_to_bytes
from nas_surgery.search.workbench import Workbench
from nas_surgery.spec import Spec
from nas_surgery.training import TrainState

CHECK_SAMPLES = 64
ENDED = ("finished", "target_accuracy")
BASELINE = -1  # id of its job, which is no part of the search


def run(
    spec: Spec | str | Path | Mapping[str, Any],
    *,
    network: Network | None = None,
    data: Any = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
) -> Result:
    """Search for a better network while training it.

    spec: a Spec, the path of a TOML file, or nested values. network: a start topology with weights,
    used as it is. data: a Dataset, (x, y[, x_test, y_test]), or a mapping with the keys of an npz
    source. out: a new run directory, or None to keep everything in memory. overrides: values by
    dotted key. observers: functions that are told every Event. Raises a NasSurgeryError before
    anything is written if something is wrong, and an InterruptedRunError (a KeyboardInterrupt) after
    a signal, when the best network so far is saved.
    """
    resolved = as_spec(spec, overrides)
    _begin_workers(resolved)
    with naming(spec if isinstance(spec, str | Path) else None):
        made = prepare(resolved, network, data)
    if out is None:
        return _carry_out(made, None, observers)
    directory = RunDirectory(Path(out))
    if directory.strangers() and not directory.begun:
        raise RunError(f"{out}: is not empty; choose a new directory")
    with directory:
        if directory.begun:
            raise RunError(f"{out}: holds a run already; resume it, or choose another directory")
        directory.prepare(made.spec, made.network)
        return _carry_out(made, directory, observers)


def resume(
    path: str | Path,
    *,
    data: Any = None,
    allow_changes: bool = False,
    observers: Sequence[Observer] = (),
) -> Result:
    """Go on with the run in a directory; what it recorded is not trained again.

    data: as it was given to `run`, where it was. allow_changes: accept that spec, data, versions,
    plugins, device or threads differ from before; it is recorded, and what no longer fits is made anew.
    Raises RunError if the directory holds no run or the journal is damaged.
    """
    folder = Path(path)
    if not (folder / "spec.toml").is_file():
        raise RunError(f"{folder}: holds no run; there is no spec.toml")
    with RunDirectory(folder) as directory:
        spec = Spec.from_toml(directory.spec)
        _begin_workers(spec)
        start = load(directory.start) if directory.start.is_file() else None
        made = prepare(spec, start, data)
        directory.prepare(made.spec, made.network)
        return _carry_out(made, directory, observers, allow_changes)


def as_spec(
    spec: Spec | str | Path | Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> Spec:
    """A Spec from what callers give."""
    if isinstance(spec, Spec):
        return Spec.from_dict(spec.to_dict(), overrides).with_paths(Path())
    if isinstance(spec, Mapping):
        return Spec.from_dict(spec, overrides).with_paths(Path())
    return Spec.from_toml(spec, overrides)


def _begin_workers(spec: Spec) -> None:
    """Let worker processes import while the data load."""
    if spec.run.executor == "processes":
        begin_imports()


def _carry_out(
    made: Preparation,
    directory: RunDirectory | None,
    observers: Sequence[Observer],
    allow_changes: bool = False,
) -> Result:
    try:
        with ExitStack() as stack:
            stack.enter_context(threadpool_limits(limits=made.spec.run.threads))
            run = _Run(made, directory, observers, stack)
            return run.carry_out(allow_changes)
    except InterruptedRunError as stop:
        stop.directory = None if directory is None else directory.path
        raise
    except OSError as error:
        where = "" if directory is None else f"{directory.path}: "
        raise RunError(
            f"{where}{error.strerror or error}; resume the run once that is mended"
        ) from None


class _Run:
    """One run, or one stretch of a run that is resumed."""

    def __init__(
        self,
        made: Preparation,
        directory: RunDirectory | None,
        observers: Sequence[Observer],
        stack: ExitStack,
    ) -> None:
        self.made, self.directory = made, directory
        self.journal = Journal(None if directory is None else directory.journal)
        stack.callback(self.journal.close)
        self.journal.forget_failures()
        self.bench = Workbench(
            made.backend,
            made.device,
            made.recipe,
            made.network,
            made.splits.train,
            made.splits.validation,
            made.operations,
            made.registry.origin_of_operation,
        )
        executor = self._executor()
        stack.callback(executor.close)
        self.seconds_before = 0.0 if directory is None else seconds_spent(directory.events)
        log = [] if directory is None else [stack.enter_context(EventLog(directory.events))]
        self.driver = Driver(
            made,
            executor,
            self.journal,
            StateStore(None if directory is None else directory.weights),
            stack.enter_context(Interrupts()),
            [*observers, *log],
        )

    def carry_out(self, allow_changes: bool) -> Result:
        """From the header to the files of the winner."""
        self._write_header(allow_changes)
        failpoint("run.header")
        if self._baseline_may_run_beside():
            self.driver.foresee(self._baseline_job())
        found, baseline = self.driver.search(), None
        if self.made.spec.run.baseline and found.stopped in ENDED:
            try:
                baseline = self._baseline()
            except InterruptedRunError as signal:
                found = attrs.evolve(found, stopped=str(signal), signum=signal.signum)
        ended = found.stopped in ENDED
        seconds = self.driver.seconds
        if ended:
            seconds = 0.0 if self.journal.upcoming("result") else seconds
            self.journal.write("result", winner=found.winner.job, operations=found.operations)
        result = self._finish(found, baseline, self.seconds_before + seconds)
        if found.signum is not None:
            stop = InterruptedRunError(found.signum)
            stop.saved = True
            raise stop
        return result

    def _write_header(self, allow_changes: bool) -> None:
        """Write down what the run depends on, or see that it is as it was."""
        start = digest(state_to_bytes(TrainState(self.made.network)))
        now = plain(accounts.header(self.made, start))
        self.driver.tell("run_started", now)
        for reason in self.made.refused:
            self.driver.tell("plugin_failed", {"reason": reason})
        before = self.journal.upcoming("run") or {"record": "run", **now}
        was = {key: value for key, value in before.items() if key != "record"}
        changes = accounts.differences(was, now)
        if any(change.startswith("spec.network.") for change in changes):
            raise RunError(
                f"the start network was made when the run began: {'; '.join(changes)}; begin a new run"
            )
        if changes and not allow_changes:
            raise RunError(
                f"the run was begun differently: {'; '.join(changes)};"
                " --allow-changes goes on all the same"
            )
        if changes:
            self._set_aside_results()
            self.journal.begin_again(now, changes)
        else:
            self.journal.write("run", **now)
            known = self.journal.upcoming("changes")
            if known is not None:
                self.journal.write("changes", changes=known["changes"])
        self.driver.changed = any(r["record"] == "changes" for r in self.journal.records)

    def _set_aside_results(self) -> None:
        """Keep what a run has found before it goes on changed."""
        assert self.directory is not None, "only a run on disk is resumed"
        for file in (self.directory.path / "winner.safetensors", self.directory.summary):
            if file.is_file():
                shutil.copyfile(file, unused(file, "before-changes"))

    def _baseline_may_run_beside(self) -> bool:
        """Whether the baseline takes no time from the search: a worker of its own, and no limit on seconds."""
        spec = self.made.spec
        return spec.run.baseline and spec.run.workers > 1 and spec.search.max_seconds is None

    def _baseline_job(self) -> Job:
        steps = self.made.max_epochs * self.made.steps_per_epoch
        return Job(BASELINE, None, (), steps, "baseline")

    def _baseline(self) -> dict[str, Any]:
        """The start topology, trained like the winner but without surgery."""
        outcome = self.driver.beside(self._baseline_job())
        if outcome.failed:
            reason = outcome.failure.reason if outcome.failure else ""
            return {"accuracy": {"validation": None, "test": None}, "failure": reason}
        network = self.driver.network(BASELINE)
        return accounts.figures(outcome, network, self.made, self.bench.evaluate)

    def _finish(
        self, found: SearchResult, baseline: dict[str, Any] | None, seconds: float
    ) -> Result:
        """Export the winner, checked under onnxruntime before the run is called done."""
        failpoint("export.started")
        made, network = self.made, self._final(found.network)
        winner = accounts.figures(found.winner, found.network, made, self.bench.evaluate)
        summary = accounts.summary(made, found, winner, baseline, seconds)
        content = export_onnx(network, plain(accounts.onnx_metadata(made, found)))
        sample = made.splits.validation.x[:CHECK_SAMPLES]
        summary["onnx_difference"] = check_onnx(content, network, sample)
        points = tuple(
            ParetoPoint(self._final(each), o.parameters, o.loss, o.accuracy, o.job)
            for o, each in found.front
        )
        if self.directory is not None:
            _write_results(self.directory, network, content, points, summary)
        self.driver.tell("run_finished", summary)
        failpoint("export.finished")
        path = None if self.directory is None else self.directory.path
        return Result(network, self.journal.records, summary, points, path)

    def _final(self, network: Network) -> Network:
        splits = self.made.splits
        return in_target_units(network, splits.target_mean, splits.target_scale)

    def _executor(self) -> Executor:
        made, settings = self.made, self.made.spec.run
        if settings.executor == "local":
            return LocalExecutor(self.bench)
        plan = WorkerPlan.make(
            made.network,
            backend=made.spec.training.backend,
            device=made.device,
            recipe=made.recipe,
            train=made.splits.train,
            validation=made.splits.validation,
            operations=tuple(made.operations),
            plugins=made.spec.plugins,
            threads=settings.threads,
        )
        return ProcessExecutor(plan, made.operations, settings.workers, settings.job_seconds)


def _write_results(
    directory: RunDirectory,
    network: Network,
    content: bytes,
    points: Sequence[ParetoPoint],
    summary: dict[str, Any],
) -> None:
    directory.pareto.mkdir(exist_ok=True)
    wanted = {directory.pareto / f"{point.parameters}.safetensors": point for point in points}
    for file, point in wanted.items():
        save(point.network, file)
    for file in set(directory.pareto.iterdir()) - wanted.keys():
        file.unlink()
    write_atomically(directory.path / "winner.safetensors", to_bytes(network))
    write_atomically(directory.path / "winner.onnx", content)
    text = json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"
    write_atomically(directory.summary, text.encode())


__all__ = ["InterruptedRunError", "NasSurgeryError", "as_spec", "resume", "run"]
