"""`nas-surgery resume`."""

from pathlib import Path

import click

from nas_surgery.cli.ending import finish, stoppable
from nas_surgery.cli.output import PATH, as_json, quietly


@click.command("resume")
@click.argument("directory", type=PATH)
@click.option(
    "--allow-changes",
    is_flag=True,
    help="Accept that spec, data, versions or device differ from before.",
)
@as_json
@quietly
def command(directory: Path, allow_changes: bool, as_json: bool, quiet: bool) -> None:
    """Go on with the run in DIRECTORY; what it recorded is not trained again."""
    from nas_surgery.reports.progress import following
    from nas_surgery.runs.runner import resume

    with stoppable(), following(quiet) as observers:
        result = resume(directory, allow_changes=allow_changes, observers=observers)
    finish(result.summary, directory, as_json, quiet)
