"""`nas-surgery study`."""

from pathlib import Path

import click

from nas_surgery.cli.ending import finish_study, stoppable_study, write_report
from nas_surgery.cli.options import blaming, options_of
from nas_surgery.cli.output import PATH, as_json, quietly
from nas_surgery.errors import SpecError

CONTROLS = ("whole-budget", "random-edits", "redrawn-weights", "final-from-scratch")


@click.command("study")
@click.argument("specs", nargs=-1, required=True, type=PATH, metavar="SPEC…")
@click.option(
    "--seeds",
    default="0,1,2,3,4",
    show_default=True,
    metavar="N,N,…",
    help="Seeds, instead of those of the specs.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Runs for each seed; all but the first on seeds drawn from it.",
)
@click.option(
    "--controls",
    default="",
    metavar="NAME,…",
    help=f"Also run, for each search: {', '.join(CONTROLS)}; or all.",
)
@click.option(
    "--out", type=PATH, required=True, help="Directory of the study: new, or to go on with."
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Runs at a time."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of all specs; repeatable.",
)
@click.option("--report", is_flag=True, help="Also write a page on the study: report.html.")
@as_json
@quietly
def command(
    specs: tuple[Path, ...],
    seeds: str,
    repeats: int,
    controls: str,
    out: Path,
    workers: int,
    settings: tuple[str, ...],
    report: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search from each SPEC with each seed, train the baselines beside, and print one table."""
    from nas_surgery.reports.study_progress import following_study
    from nas_surgery.studies.study import study

    if report:
        from nas_surgery.reports.rendering import check_installed

        check_installed()
    options = options_of(settings)
    with stoppable_study(out), following_study(quiet) as observers, blaming(options):
        found = study(
            specs,
            out=out,
            seeds=_seeds(seeds),
            repeats=repeats,
            controls=_controls(controls),
            workers=workers,
            overrides={key: value for key, (_, value) in options.items()},
            observers=observers,
        )
    finish_study(found, as_json, quiet, write_report(out) if report else None)


def _seeds(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not word.isdecimal():
            raise SpecError(f"--seeds {text}: {word!r} is not a whole number ≥ 0")
    return [int(word) for word in words]


def _controls(text: str) -> list[str]:
    if text.strip() == "all":
        return list(CONTROLS)
    return [word.strip() for word in text.split(",") if word.strip()]
