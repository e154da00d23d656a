"""`study` and `resume_study`: a plan in, one table out. Plan, carry out, sum up, in this order."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from nas_surgery.errors import RunError, SpecError, StudyError
from nas_surgery.failpoints import failpoint
from nas_surgery.network import as_functions, as_items, as_mapping, as_path, refusal
from nas_surgery.plugins.events import Event
from nas_surgery.reports.study_progress import watched
from nas_surgery.runs.callers import SpecLike, as_spec
from nas_surgery.runs.forecast import forecast
from nas_surgery.runs.preparation import naming
from nas_surgery.runs.spec import MAX_WORKERS, Spec
from nas_surgery.search.audience import Observer
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.studies.crew import carried_out
from nas_surgery.studies.directory import StudyDirectory
from nas_surgery.studies.performing import Ended, Performer, finished
from nas_surgery.studies.plan import Plan, Task, check_names
from nas_surgery.studies.writing import Study, sum_up, write

SEEDS = (0, 1, 2, 3, 4)

Specs = str | Path | Sequence[str | Path] | Mapping[str, SpecLike]


def study(
    specs: Specs,
    *,
    out: str | Path,
    seeds: Collection[int] = SEEDS,
    repeats: int = 1,
    controls: Collection[str] = (),
    workers: int = 1,
    overrides: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
    verbose: bool = False,
) -> Study:
    """Search from each spec with each seed, train the baselines and controls beside, and compare.

    specs: paths of TOML files, which are called by their stems, or specs by name. out: a new directory, or
    that of this study: what is finished there is kept, what was interrupted goes on, and seeds, repeats,
    controls and specs may have come to it. repeats: of each seed; all but the first run on seeds drawn from it.
    controls: "whole-budget", "random-edits", "redrawn-weights", "final-from-scratch". workers: processes
    with a run each. overrides: of all specs, by dotted key. observers: told of "study_started" and
    "study_run", and of "warning"; what one raises ends the study, and what is finished is kept.
    verbose: show progress on standard error.

    Raises a NasSurgeryError before anything is written if something is wrong; StudyError where runs could
    not be carried out, once all others are; InterruptedRunError (a KeyboardInterrupt) for a signal, once
    every run has saved what it had.
    """
    directory = StudyDirectory(as_path("out", out))
    told, given = as_functions("observers", observers), as_mapping("overrides", overrides)
    _check_workers(workers)
    sources = _sources(specs)
    check_names(sources)
    made = {name: _spec(name, source, given) for name, source in sources.items()}
    plan = Plan.of(made, as_items("seeds", seeds, "a list of whole numbers"), repeats, controls)
    former = directory.read()
    if former is not None:
        directory.check_continued(plan, former)
    new = {
        name: spec for name, spec in sources.items() if former is None or name not in former.specs
    }
    warnings = _checked(new, given)
    with watched(told, verbose) as audience, directory:
        directory.begin(plan)
        return _carry_out(directory, Performer(directory.path, plan), workers, audience, warnings)


def resume_study(
    path: str | Path,
    *,
    workers: int = 1,
    allow_changes: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool = False,
) -> Study:
    """Go on with the study in a directory, as its plan says; RunError if there is none.

    allow_changes: as for `resume`, of each run that goes on.
    """
    directory, told = StudyDirectory(as_path("path", path)), as_functions("observers", observers)
    _check_workers(workers)
    plan = directory.read()
    if plan is None:
        raise RunError(f"{directory.path}: holds no study; there is no {directory.plan.name}")
    with watched(told, verbose) as audience, directory:
        performer = Performer(directory.path, directory.read() or plan, allow_changes)
        return _carry_out(directory, performer, workers, audience)


def _carry_out(
    directory: StudyDirectory,
    performer: Performer,
    workers: int,
    observers: Sequence[Observer],
    warnings: Iterable[str] = (),
) -> Study:
    """What is left of a study, searches before the controls that follow from them; then its table."""
    plan, tell = performer.plan, _Teller(observers)
    for text in warnings:
        tell("warning", text=text)
    phases = [list(plan.searches), list(plan.control_runs)]
    left = [[task for task in phase if not _done(performer, task)] for phase in phases]
    total = sum(map(len, phases))
    tell("study_started", runs=total, finished=total - sum(map(len, left)))
    with _resumable(directory.path):
        ended = _ended(left, performer, workers, tell)
    _check_errors(directory, ended)
    found = sum_up(directory, plan, {each.task: each.failure for each in ended if each.failure})
    write(found, directory)
    failpoint("study.written")
    return found


def _ended(
    phases: Iterable[Sequence[Task]], performer: Performer, workers: int, tell: "_Teller"
) -> list[Ended]:
    """What became of all these runs; a phase begins when the one before it is over."""
    found = []
    with Interrupts() as interrupts:
        for phase in phases:
            for each in carried_out(phase, performer, workers, interrupts):
                failpoint("study.run_ended")
                found.append(each)
                tell("study_run", run=str(each.task.path), failure=each.failure or each.error)
            failpoint("study.searched")
    return found


def _done(performer: Performer, task: Task) -> bool:
    return finished(performer.folder / task.path)


def _check_errors(directory: StudyDirectory, ended: Sequence[Ended]) -> None:
    """StudyError if runs could not be carried out; there is no table without them."""
    errors = [each for each in ended if each.error]
    if errors:
        what = "1 run" if len(errors) == 1 else f"{len(errors)} runs, the first of them"
        raise StudyError(
            f"{directory.path}: {what} could not be carried out: {errors[0].task.path}: {errors[0].error};"
            f" once that is mended, go on with: nas-surgery resume {directory.path}"
        )


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """A signal says where the study lies."""
    try:
        yield
    except InterruptedRunError as stop:
        stop.directory, stop.result = path, None
        raise


def _sources(specs: Specs) -> dict[str, SpecLike]:
    """Specs by name; SpecError where two files have the same."""
    if isinstance(specs, Mapping):
        return dict(as_mapping("specs", specs))
    if isinstance(specs, str | Path):
        specs = [specs]
    found: dict[str, SpecLike] = {}
    for each in as_items("specs", specs, "paths of specs, or specs by name"):
        path = as_path("each of specs", each)
        if path.stem in found:
            raise SpecError(
                f"{path}: {found[path.stem]} is called {path.stem} too; rename one of them"
            )
        found[path.stem] = path
    return found


def _checked(specs: Mapping[str, SpecLike], overrides: Mapping[str, Any]) -> list[str]:
    """What runs of these specs would be warned of; raises what they would raise before they begin."""
    baseline, warnings = {**overrides, "run.baseline": True}, []
    for name, spec in specs.items():
        with naming(_place(name, spec)):
            plan = forecast(spec, baseline)
        warnings += [f"{name}: {text}" for text in plan["warnings"]]
    return warnings


def _spec(name: str, source: SpecLike, overrides: Mapping[str, Any]) -> Spec:
    with naming(_place(name, source)):
        return as_spec(source, overrides)


def _place(name: str, source: SpecLike) -> str | None:
    """What errors of a spec that is no file begin with; those of files name these themselves."""
    return None if isinstance(source, str | Path) else f"specs[{name!r}]"


def _check_workers(workers: int) -> None:
    whole = isinstance(workers, int) and not isinstance(workers, bool)
    if not whole or not 1 <= workers <= MAX_WORKERS:
        raise refusal("workers", workers, f"a whole number from 1 to {MAX_WORKERS}")


class _Teller:
    """Tells observers what happens, with the seconds since the study began or went on."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers, self._began = observers, perf_counter()

    def __call__(self, kind: str, **data: Any) -> None:
        for observer in self._observers:
            observer(Event(kind, perf_counter() - self._began, data))
