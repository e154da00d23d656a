"""`run` and `resume`: a spec in, one better network out. Prepare, search, settle, write, in this order."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nas_surgery.data.tables.file import read_encoding
from nas_surgery.errors import RunError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.models import load
from nas_surgery.network import as_functions, as_mapping, as_path, expect_network
from nas_surgery.network.text import one_line
from nas_surgery.plugins.natives import network_and_data
from nas_surgery.runs.callers import SpecLike, as_spec, followed, given_keys
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.engine import engine
from nas_surgery.runs.overrides import blaming
from nas_surgery.runs.preparation import Preparation, prepare
from nas_surgery.runs.result import Result
from nas_surgery.runs.searching import search
from nas_surgery.runs.settling import settle
from nas_surgery.runs.spec import Spec
from nas_surgery.runs.unused import unused
from nas_surgery.runs.writing import write
from nas_surgery.search.audience import Audience, Observer
from nas_surgery.search.driver import Driver
from nas_surgery.search.interrupts import InterruptedRunError


def run(
    spec: SpecLike,
    *,
    network: Any = None,
    data: Any = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
    verbose: bool = False,
) -> Result:
    """Search for a better network while training it.

    spec: a Spec, the path of a TOML file, or nested values. network: a start topology with weights,
    used as it is: a Network, or a model of a framework, whose samples come as that takes them. data: a Dataset, (x, y[, x_test, y_test]), or a mapping with x_train, y_train and
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
    network, data = network_and_data(network, data)
    if network is not None:
        expect_network("network", network)
    with followed(told, verbose) as audience:
        resolved = as_spec(spec, given)
        with blaming(given, spec if isinstance(spec, str | Path) else None):
            made = prepare(resolved, network, data)
        warnings = unused(made, given_keys(spec, given), network is not None)
        if folder is None:
            return _carry_out(made, None, audience, warnings)
        with RunDirectory(folder).begin(made.spec, made.network, made.encoding) as directory:
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
        start = load(directory.start) if directory.start.is_file() else None
        encoding = read_encoding(directory.table) if directory.table.is_file() else None
        made = prepare(Spec.from_toml(directory.spec), start, data, begun=True, encoding=encoding)
        directory.prepare(made.spec, made.network, made.encoding)
        return _carry_out(made, directory, audience, allow_changes=allow_changes)


def _carry_out(
    made: Preparation,
    directory: RunDirectory | None,
    observers: Sequence[Observer],
    warnings: Sequence[str] = (),
    allow_changes: bool = False,
) -> Result:
    """One run, or one stretch of a run that is resumed."""
    path = None if directory is None else directory.path
    audience = Audience(observers, made.registry)
    with (
        _explained(audience, directory),
        engine(made, directory, audience) as driver,
        _failure_told(driver),
    ):
        found = search(driver, made, directory, warnings, allow_changes)
        failpoint("export.started")
        settled = settle(made, found, directory)
        records = driver.journal.records
        summary = write(settled, made.splits.validation.x, directory, records)
        result = Result(settled.network, records, summary, settled.points, path)
        driver.tell("run_finished", summary, result)
        failpoint("export.finished")
        error = found.error or audience.error
        if isinstance(error, InterruptedRunError):
            error.saved, error.result = True, result
        if error is not None:
            raise error
        return result


@contextmanager
def _failure_told(driver: Driver) -> Iterator[None]:
    """Who listens is told of a run that ends without a result."""
    try:
        yield
    except BaseException as error:
        if not driver.audience.finished:
            reason = one_line(f"{type(error).__name__}: {error}")
            with suppress(OSError):  # of an event log on a disk that is full, say
                driver.tell("run_failed", {"reason": reason})
        raise


@contextmanager
def _explained(audience: Audience, directory: RunDirectory | None) -> Iterator[None]:
    """Signals say where the run lies, and errors of the system what to do; observers' own stay as they are."""
    try:
        yield
    except InterruptedRunError as stop:
        if directory is not None:
            stop.directory = directory.path
            stop.saved = stop.saved or directory.winner.is_file()
        raise
    except OSError as error:
        if error is audience.error:
            raise
        where = "" if directory is None else f"{directory.path}: "
        raise RunError(
            f"{where}{error.strerror or error}; resume the run once that is mended"
        ) from None


__all__ = ["resume", "run"]
