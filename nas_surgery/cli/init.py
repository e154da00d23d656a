"""`nas-surgery init`."""

from pathlib import Path

import click

from nas_surgery.cli.output import PATH, as_json, check_free, overwriting, show


@click.command("init")
@click.argument("data")
@click.option("-o", "--output", type=PATH, default=Path("spec.toml"), help="Default: spec.toml.")
@click.option("--target", help="Column of the labels, of a table. Default: the last one.")
@overwriting
@as_json
def command(data: str, output: Path, target: str | None, force: bool, as_json: bool) -> None:
    """Write a spec for DATA (a .csv, .parquet or .npz file, or a data source), with what it found as
    comments."""
    from nas_surgery.formats.atomic import write_atomically
    from nas_surgery.runs.drafts import draft
    from nas_surgery.runs.findings import findings

    check_free(output, force)
    found = findings(data, target)
    text = draft(found)
    write_atomically(output, text.encode())
    said = [line.removeprefix("# ") for line in text.split("\n\n")[0].splitlines()]
    said += [f"written: {output}; go on with: nas-surgery run {output}"]
    show("\n".join(said), {**found.to_json(), "output": str(output)}, as_json)
