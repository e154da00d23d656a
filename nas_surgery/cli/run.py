"""`nas-surgery run`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import exists  # unlike Path's, no errors of paths that cannot be read
from pathlib import Path
from typing import Any

import click

from nas_surgery.cli.ending import finish, stoppable, write_report
from nas_surgery.cli.options import Options, blaming, options_of
from nas_surgery.cli.output import PATH, as_json, quietly, show


@click.command("run")
@click.argument("spec", type=PATH)
@click.option("--backend", help="Train with this backend, such as numpy, torch or tensorflow.")
@click.option("--device", help='Train on this device: cpu, cuda, cuda:1, mps, or "auto".')
@click.option("--seed", type=int, help="Seed of everything random but the split of the data.")
@click.option("--out", type=PATH, help="New directory for the run. Default: runs/SPEC-N.")
@click.option("--baseline", is_flag=True, help="Also train the start topology for as many epochs.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the spec; repeatable.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the plan, and neither train nor write anything."
)
@click.option("--report", is_flag=True, help="Also write a page on the run: report.html.")
@as_json
@quietly
def command(
    spec: Path,
    backend: str | None,
    device: str | None,
    seed: int | None,
    out: Path | None,
    baseline: bool,
    settings: tuple[str, ...],
    dry_run: bool,
    report: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search for a better network as SPEC says, and keep it in a run directory."""
    from nas_surgery.reports.progress import following
    from nas_surgery.runs.runner import run

    options = options_of(settings)
    given = {"training.backend": backend, "training.device": device, "seed": seed}
    for key, value in given.items():
        if value is not None:
            options[key] = f"--{key.rpartition('.')[2]} {value}", value
    if baseline:
        options["run.baseline"] = "--baseline", True
    overrides = {key: value for key, (_, value) in options.items()}
    if dry_run:
        _check_free(out)
        _show_plan(spec, options, overrides, as_json, quiet)
        return
    if report:
        from nas_surgery.reports.rendering import check_installed

        check_installed()
    with (
        _directory(out, spec) as directory,
        stoppable(),
        following(quiet) as observers,
        blaming(options),
    ):
        result = run(spec, out=directory, overrides=overrides, observers=observers)
        page = write_report(directory) if report else None
    finish(result.summary, directory, as_json, quiet, page)


def _check_free(out: Path | None) -> None:
    """RunError if a run could not begin there."""
    from nas_surgery.runs.directory import RunDirectory

    if out is not None:
        RunDirectory(out).check_free()


def _show_plan(
    spec: Path, options: Options, overrides: dict[str, Any], as_json: bool, quiet: bool
) -> None:
    """Print what the run would do; what is wrong with it is found all the same."""
    from nas_surgery.reports.plan import plan_text
    from nas_surgery.runs.forecast import forecast

    with blaming(options):
        plan = forecast(spec, overrides)
    if as_json or not quiet:
        show(plan_text(plan), plan, as_json)


@contextmanager
def _directory(out: Path | None, spec: Path) -> Iterator[Path]:
    """Where the run goes. A folder that is chosen is made at once, so that no other run can choose it,
    and taken away again if nothing came into it."""
    if out is not None:
        yield out
        return
    from nas_surgery.runs.directory import claim

    made = [folder for folder in (Path("runs"),) if not exists(folder)]
    directory = claim(Path("runs"), spec.stem)
    try:
        yield directory
    finally:
        for folder in (directory, *made):
            with suppress(OSError):  # it holds the run
                folder.rmdir()
