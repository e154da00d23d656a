"""`run` and `resume`: a spec in, one better network out."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
from threadpoolctl import threadpool_limits

import nas_surgery.runs.accounts as accounts
from nas_surgery.runs.callers import SpecLike, as_spec, followed, given_keys
from nas_surgery.errors import ModelFileError, NasSurgeryError, RunError
from nas_surgery.runs.event_log import EventLog, seconds_spent
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.models import load, write_atomically
from nas_surgery.formats.models import unused as unused_name
from nas_surgery.runs.former import former_summary, reads_of_test_part, write_front
from nas_surgery.network import Network, as_functions, as_mapping, as_path, expect_network
from nas_surgery.formats.safetensors import to_bytes
from nas_surgery.formats.onnx.export import compare_onnx, export_onnx
from nas_surgery.runs.overrides import blamed
from nas_surgery.runs.preparation import Preparation, prepare
from nas_surgery.runs.result import ParetoPoint, Result
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.search.audience import Audience, Observer
from nas_surgery.search.driver import Driver
from nas_surgery.search.endings import SearchResult
from nas_surgery.search.executors import Executor, LocalExecutor
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.strategies.jobs import Job
from nas_surgery.search.journal import Journal, plain
from nas_surgery.search.processes import ProcessExecutor, WorkerPlan, begin_imports
from nas_surgery.search.states import StateStore, digest, state_to_bytes
from nas_surgery.search.workbench import Workbench
from nas_surgery.runs.spec import Spec
from nas_surgery.training.plans import TrainState
from nas_surgery.data.units import in_target_units
from nas_surgery.runs.unused import unused, warnings_said

CHECK_SAMPLES = 64
ENDED = ("finished", "target_accuracy")
BASELINE = -1  # id of its job, which is no part of the search


def run(
    spec: SpecLike,
    *,
    network: Network | None = None,
    data: Any = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
    verbose: bool = False,
) -> Result:
    """Search for a better network while training it.

    spec: a Spec, the path of a TOML file, or nested values. network: a start topology with weights,
    used as it is. data: a Dataset, (x, y[, x_test, y_test]), or a mapping with x_train, y_train and
    optionally the same of `_test` and `_validation`; needed where the spec names no source. out: a new
    run directory, or None to keep everything in memory. overrides: values by dotted key. observers:
    functions that are told every Event; one that raises StopRun ends the run in order. verbose: show
    progress on standard error.

    Raises a NasSurgeryError before anything is written if something is wrong. Where a signal ends the
    run by an InterruptedRunError (a KeyboardInterrupt), or an observer by an exception of its own, the
    best network so far is saved first. A search whose jobs go on failing, or whose strategy fails, gives
    the best network so far, with `stopped` "failures" and the reason in its summary.
    """
    given, told = as_mapping("overrides", overrides), as_functions("observers", observers)
    folder = None if out is None else as_path("out", out)
    if network is not None:
        expect_network("network", network)
    with followed(told, verbose) as audience:
        resolved = as_spec(spec, given)
        _begin_workers(resolved)
        try:
            made = prepare(resolved, network, _as_data(data))
        except NasSurgeryError as error:
            place = spec if isinstance(spec, str | Path) else None
            raise blamed(error, given, place) from error.__cause__
        warnings = unused(made, given_keys(spec, given), network is not None)
        if folder is None:
            return _carry_out(made, None, audience, warnings)
        directory = RunDirectory(folder)
        directory.check_free()
        with directory:
            directory.check_free()  # what another process may have begun before this one had the lock
            directory.prepare(made.spec, made.network)
            return _carry_out(made, directory, audience, warnings)


def resume(
    path: str | Path,
    *,
    data: Any = None,
    allow_changes: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool = False,
) -> Result:
    """Go on with the run in a directory; what it recorded is not trained again.

    data: as it was given to `run`, where it was. allow_changes: accept that spec, data, versions,
    plugins, device or threads differ from before; it is recorded, and what no longer fits is made anew.
    observers, verbose: as for `run`. Raises RunError if the directory holds no run or the journal is
    damaged.
    """
    folder, told = as_path("path", path), as_functions("observers", observers)
    directory = RunDirectory(folder)
    directory.check_resumable()
    with followed(told, verbose) as audience, directory:
        spec = Spec.from_toml(directory.spec)
        _begin_workers(spec)
        start = load(directory.start) if directory.start.is_file() else None
        made = prepare(spec, start, _as_data(data))
        directory.prepare(made.spec, made.network)
        return _carry_out(made, directory, audience, allow_changes=allow_changes)


def _as_data(data: Any) -> Any:
    """Data as they are given; ArgumentError for a mapping with keys that are no strings."""
    return as_mapping("data", data) if isinstance(data, Mapping) else data


def _begin_workers(spec: Spec) -> None:
    """Let worker processes import while the data load."""
    if spec.run.executor == "processes":
        begin_imports()


def _carry_out(
    made: Preparation,
    directory: RunDirectory | None,
    observers: Sequence[Observer],
    warnings: Sequence[str] = (),
    allow_changes: bool = False,
) -> Result:
    audience = Audience(observers, made.registry)
    try:
        with ExitStack() as stack:
            stack.enter_context(threadpool_limits(limits=made.spec.run.threads))
            run = _Run(made, directory, audience, stack)
            return run.carry_out(warnings, allow_changes)
    except InterruptedRunError as stop:
        if directory is not None:
            stop.directory = directory.path
            stop.saved = stop.saved or (directory.path / "winner.safetensors").is_file()
        raise
    except OSError as error:
        if error is audience.error:
            raise
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
        audience: Audience,
        stack: ExitStack,
    ) -> None:
        self.made, self.directory, self.audience = made, directory, audience
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
        self.warnings = [] if directory is None else warnings_said(directory.events)
        if directory is not None:
            audience.log = stack.enter_context(EventLog(directory.events))
        self.driver = Driver(
            made,
            executor,
            self.journal,
            StateStore(None if directory is None else directory.weights),
            stack.enter_context(Interrupts()),
            audience,
        )

    def carry_out(self, warnings: Sequence[str], allow_changes: bool) -> Result:
        """From the header to the files of the winner."""
        self._write_header(allow_changes)
        for text in warnings:
            self.warnings.append(text)
            self.driver.tell("warning", {"text": text})
        failpoint("run.header")
        if self._baseline_may_run_beside():
            self.driver.foresee(self._baseline_job())
        found, baseline = self.driver.search(), None
        if self.made.spec.run.baseline and found.stopped in ENDED:
            try:
                baseline = self._baseline()
            except InterruptedRunError as signal:
                found = attrs.evolve(found, stopped=str(signal), error=signal)
        ended = found.stopped in ENDED
        seconds = self.driver.seconds
        if ended:
            seconds = 0.0 if self.journal.upcoming("result") else seconds
            self.journal.write("result", winner=found.winner.job, operations=found.operations)
        result = self._finish(found, baseline, self.seconds_before + seconds)
        error = found.error or self.audience.error
        if isinstance(error, InterruptedRunError):
            error.saved, error.result = True, result
        if error is not None:
            raise error
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
        for file in (self.directory.winner, self.directory.summary):
            if file.is_file():
                shutil.copyfile(file, unused_name(file, "before-changes"))

    def _baseline_may_run_beside(self) -> bool:
        """Whether the baseline takes no time from the search: a worker of its own, and no limit on seconds."""
        spec = self.made.spec
        return spec.run.baseline and spec.run.workers > 1 and spec.search.max_seconds is None

    def _baseline_job(self) -> Job:
        steps = self.made.spec.search.max_epochs * self.made.steps_per_epoch
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
        """Save everything, then check the exported winner: a finding is told and costs nothing."""
        failpoint("export.started")
        made, network = self.made, self._final(found.network)
        winner = accounts.figures(
            found.winner, found.network, made, self.bench.evaluate, found.error is None
        )
        summary = accounts.summary(made, found, winner, baseline, seconds, self.warnings)
        former = {} if self.directory is None else former_summary(self.directory.summary)
        summary["test_reads"] = reads_of_test_part(former, summary)
        summary |= {"onnx_difference": None, "onnx_warning": None}
        points = tuple(
            ParetoPoint(
                self._final(each), o.parameters, o.loss, o.accuracy, o.job, made.epochs_of(o)
            )
            for o, each in found.front
        )
        if self.directory is not None:
            write_front(self.directory.pareto, points, [former, *self.journal.records])
            _write_results(self.directory, network, summary)
        summary |= self._export(network, found)
        if self.directory is not None:
            _write_summary(self.directory, summary)
        self.driver.tell("run_finished", summary)
        failpoint("export.finished")
        path = None if self.directory is None else self.directory.path
        return Result(network, self.journal.records, summary, points, path)

    def _export(self, network: Network, found: SearchResult) -> dict[str, Any]:
        """Write the winner as ONNX and check it; what the summary says of it."""
        sample = self.made.splits.validation.x[:CHECK_SAMPLES]
        try:
            content = export_onnx(network, plain(accounts.onnx_metadata(self.made, found)))
            if self.directory is not None:
                write_atomically(self.directory.path / "winner.onnx", content)
            checked = compare_onnx(content, network, sample)
        except ModelFileError as error:
            return {"onnx_difference": None, "onnx_warning": f"winner.onnx: {error}"}
        warning = f"winner.onnx: {checked}" if checked.beyond else None
        return {"onnx_difference": checked.difference, "onnx_warning": warning}

    def _final(self, network: Network) -> Network:
        """A network as it leaves the run: in the units and with the names of the user's labels."""
        splits = self.made.splits
        network = in_target_units(network, splits.target_mean, splits.target_scale)
        return attrs.evolve(network, classes=splits.classes or None)

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


def _write_results(directory: RunDirectory, network: Network, summary: dict[str, Any]) -> None:
    write_atomically(directory.winner, to_bytes(network))
    _write_summary(directory, summary)


def _write_summary(directory: RunDirectory, summary: dict[str, Any]) -> None:
    text = json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"
    write_atomically(directory.summary, text.encode())


__all__ = ["InterruptedRunError", "NasSurgeryError", "as_spec", "resume", "run"]
