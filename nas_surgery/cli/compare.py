"""`nas-surgery compare`."""

from pathlib import Path

import attrs
import click

from nas_surgery.cli.output import PATH, as_json, overwriting, show


@click.command("compare")
@click.argument("directories", metavar="DIR…", type=PATH, nargs=-1, required=True)
@click.option("-o", "--output", type=PATH, help="Also write a page.")
@overwriting
@as_json
def command(directories: tuple[Path, ...], output: Path | None, force: bool, as_json: bool) -> None:
    """Show runs and studies side by side, in one table and, with -o, on one page."""
    from nas_surgery.reports.comparison import comparison_table, lines_of, table_text

    lines = [line for directory in directories for line in lines_of(directory)]
    if output is not None:
        from nas_surgery.reports.files import check_free, write_page
        from nas_surgery.reports.page import comparison_page

        check_free(output, force)
        write_page(comparison_page(lines), output)
    value = {"lines": [attrs.asdict(line) for line in lines], "output": output and str(output)}
    show(table_text(comparison_table(lines)), value, as_json)
