"""`nas-surgery resume`."""

from pathlib import Path

import click

from nas_surgery.cli.ending import finish, finish_study, stoppable, stoppable_study
from nas_surgery.cli.output import PATH, as_json, quietly


@click.command("resume")
@click.argument("directory", type=PATH)
@click.option(
    "--allow-changes",
    is_flag=True,
    help="Accept that spec, data, versions or device differ from before.",
)
@click.option("--workers", type=click.IntRange(1, 1024), help="Of a study: runs at a time.")
@as_json
@quietly
def command(
    directory: Path, allow_changes: bool, workers: int | None, as_json: bool, quiet: bool
) -> None:
    """Go on with the run or the study in DIRECTORY; what it recorded is not trained again."""
    from nas_surgery.reports.progress import following
    from nas_surgery.runs.runner import resume
    from nas_surgery.studies.directory import holds_study

    if holds_study(directory):
        _resume_study(directory, allow_changes, workers or 1, as_json, quiet)
        return
    if workers is not None:
        raise click.UsageError("--workers is for studies; a run has run.workers in its spec")
    with stoppable(), following(quiet) as observers:
        result = resume(directory, allow_changes=allow_changes, observers=observers)
    finish(result.summary, directory, as_json, quiet)


def _resume_study(
    directory: Path, allow_changes: bool, workers: int, as_json: bool, quiet: bool
) -> None:
    from nas_surgery.reports.study_progress import following_study
    from nas_surgery.studies.study import resume_study

    with stoppable_study(directory), following_study(quiet) as observers:
        found = resume_study(
            directory, workers=workers, allow_changes=allow_changes, observers=observers
        )
    finish_study(found, as_json, quiet)
