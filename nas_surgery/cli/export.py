"""`nas-surgery export`."""

import re
from os.path import isdir, isfile  # unlike Path's, no errors of paths that cannot be read
from pathlib import Path
from typing import Any

import click

from nas_surgery.cli.output import (
    PATH,
    as_json,
    check_free,
    network_account,
    output_file,
    overwriting,
    show,
)
from nas_surgery.errors import NasSurgeryError


@click.command("export")
@click.argument("model", type=PATH)
@output_file
@click.option(
    "--parameters", type=int, help="Of a run directory: its best network of at most this size."
)
@overwriting
@as_json
def command(model: Path, output: Path, parameters: int | None, force: bool, as_json: bool) -> None:
    """Write the network of MODEL (a file or a run directory) to another file."""
    from nas_surgery.formats.models import load_model, save

    check_free(output, force)
    source = model if parameters is None else _pareto_file(model, parameters)
    held = load_model(source)
    metadata = None if parameters is not None else _metadata(model)
    save(held.network, output, metadata, interface=held.interface)
    value = {"output": str(output), "network": network_account(held.network)}
    show(f"{output}: {held.network!r}", value, as_json)


def _pareto_file(model: Path, parameters: int) -> Path:
    """The largest network of a run's front that is not larger; it is the best of that size."""
    files = (model / "pareto").glob("*.safetensors")
    sizes = sorted(int(file.stem) for file in files if re.fullmatch("[0-9]+", file.stem))
    if not sizes:
        raise NasSurgeryError(f"{model}: no pareto networks in it; is it a run that has ended?")
    fitting = [size for size in sizes if size <= parameters]
    if not fitting:
        raise NasSurgeryError(f"{model}: its smallest network has {sizes[0]} parameters")
    return model / "pareto" / f"{fitting[-1]}.safetensors"


def _metadata(model: Path) -> dict[str, Any] | None:
    """What the ONNX file of a run, or the ONNX file itself, says beside the network."""
    from nas_surgery.formats.onnx.importing import read_metadata

    file = model / "winner.onnx" if isdir(model) else model
    return read_metadata(file) if file.suffix == ".onnx" and isfile(file) else None
