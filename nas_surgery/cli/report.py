"""`nas-surgery report`."""

from pathlib import Path
from typing import Any

import click

from nas_surgery.cli.output import PATH, as_json, overwriting, show


@click.command("report")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("-o", "--output", type=PATH, help="File to write. Default: report.html in DIR.")
@click.option("--figures", type=PATH, help="Folder for every chart as SVG and PNG.")
@overwriting
@as_json
def command(
    directory: Path, output: Path | None, figures: Path | None, force: bool, as_json: bool
) -> None:
    """Write one page on a run or a study: what was gained at what size and price, and how."""
    from nas_surgery.reports.files import PAGE, check_free, write_page
    from nas_surgery.reports.making import report

    file = directory / PAGE if output is None else output
    check_free(file, force)
    made = report(directory)
    write_page(made.page, file)
    value: dict[str, Any] = {"output": str(file), "bytes": len(made.page.encode()), "figures": []}
    if figures is not None:
        from nas_surgery.reports.figures import write_figures

        value["figures"] = [str(each) for each in write_figures(made.charts, figures)]
    show("\n".join([str(file), *value["figures"]]), value, as_json)
