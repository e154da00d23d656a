"""`nas-surgery evaluate`."""

from pathlib import Path
from typing import Any

import click

from nas_surgery.cli.output import PATH, as_json, show, warn
from nas_surgery.errors import DataError


@click.command("evaluate")
@click.argument("model", type=PATH)
@click.option(
    "--data",
    "source",
    required=True,
    help="Data source, a table as .csv or .parquet (of a run on one), an .npz file with x and y or with the"
    " parts of a source, or samples as .npy.",
)
@click.option(
    "--labels", type=PATH, help="Labels of samples that are in a file of their own: .npy."
)
@as_json
def command(model: Path, source: str, labels: Path | None, as_json: bool) -> None:
    """Measure the network of MODEL (a file or a run directory): on the test part of the data, or on all
    of them where they have none."""
    from nas_surgery.formats.models import load
    from nas_surgery.runs.evaluation import evaluation, labelled
    from nas_surgery.runs.raw_tables import RawTable

    network = load(model)
    raw = None if labels is not None else RawTable.read(model, source)
    dataset = labelled(source, labels) if raw is None else raw.dataset()
    warn([] if raw is None else raw.warnings)
    try:
        found = evaluation(network, dataset)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    show(_report(found), found, as_json)


def _report(found: dict[str, Any]) -> str:
    name = {"accuracy": "accuracy", "r2": "R²"}[found["metric"]]
    part = {"test": "the test part", "all": "all there are, as the data have no test part"}
    return "\n".join(
        [
            f"{name:<9} {found['accuracy']:.4f}",
            f"loss      {found['loss']:.4f}",
            f"samples   {found['samples']:,} ({part[found['part']]})",
        ]
    )
