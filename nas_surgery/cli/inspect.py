"""`nas-surgery inspect`."""

import sys
from os.path import isdir, isfile  # unlike Path's, no errors of paths that cannot be read
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas_surgery.cli.output import PATH, as_json, network_account, show

if TYPE_CHECKING:
    from nas_surgery.formats.onnx.interface import Imported


@click.command("inspect")
@click.argument("model", type=PATH)
@as_json
def command(model: Path, as_json: bool) -> None:
    """Show what the weights of MODEL (a file or a run directory) say, and which surgeries are proposed and
    why; of a run how it ended, its front and how it came to its shape; of a run, or a directory of runs, how well damage was
    predicted."""
    from nas_surgery.plugins.registry import default_registry
    from nas_surgery.reports.damage import candidates, damage_report, journals_of
    from nas_surgery.reports.inspection import account, inspection
    from nas_surgery.reports.record import read_record
    from nas_surgery.reports.run import run_report, summary_of
    from nas_surgery.reports.timeline import timeline_json, timeline_text

    runs = journals_of(model) if isdir(model) else []
    blocks, value = [], dict[str, Any]()
    if not runs or isfile(model / "winner.safetensors"):
        held = _held(model, as_json)
        network, operations = held.network, default_registry().all("operations")
        blocks.append(inspection(network, operations))
        value |= {"network": network_account(network), **account(network, operations)}
        if held.interface is not None:
            blocks.insert(0, f"Imported: {held.interface.describe()}")
            value["interface"] = held.interface.to_json()
    if runs and runs[0].parent == model:
        blocks.append(run_report(model))
        value["run"] = summary_of(model)
        if runs[0].stat().st_size:
            record = read_record(model)
            blocks.append(timeline_text(record))
            value["timeline"] = timeline_json(record)
    if runs:
        blocks.append(damage_report(model))
        value["damage"] = [record for path in runs for record in candidates(path)]
    show("\n\n".join(blocks), value, as_json)


def _held(model: Path, as_json: bool) -> "Imported":
    """The network; of a file that holds what no network can, all that is so, and exit code 2."""
    from nas_surgery.errors import UnsupportedModelError
    from nas_surgery.formats.models import load_model

    try:
        return load_model(model)
    except UnsupportedModelError as error:
        lines = [f"{model} cannot be imported:", *(f"  {reason}" for reason in error.reasons)]
        show("\n".join(lines), {"unsupported": list(error.reasons)}, as_json)
        sys.exit(error.exit_code)
