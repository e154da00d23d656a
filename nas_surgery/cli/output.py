"""What commands print, and where they write: text for people or one JSON object, and no file twice."""

import json
from collections.abc import Iterable, Mapping
from os.path import lexists
from pathlib import Path
from typing import Any

import click

from nas_surgery.errors import NasSurgeryError
from nas_surgery.network import Network
from nas_surgery.reports.printing import complain, say
from nas_surgery.search.journal import plain

PATH = click.Path(path_type=Path)

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, and no text."
)
quietly = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
overwriting = click.option("--force", is_flag=True, help="Overwrite the output if it is there.")
output_file = click.option(
    "-o", "--output", type=PATH, required=True, help="File to write: .onnx or .safetensors."
)


def show(text: str, value: Mapping[str, Any], as_json: bool) -> None:
    """Print the text, or the value as one JSON object."""
    say(json.dumps(plain(value), indent=2) if as_json else text)


def warn(lines: Iterable[str]) -> None:
    """Say what should be known, beside what is printed."""
    for line in lines:
        complain(f"warning: {line}")


def check_free(file: Path, force: bool) -> None:
    """NasSurgeryError where something is that nobody asked to overwrite."""
    if lexists(file) and not force:
        raise NasSurgeryError(f"{file}: is there already; --force overwrites it")


def network_account(network: Network) -> dict[str, Any]:
    """Shape and size of a network as JSON values."""
    shape = network.output_shape
    return {
        "input_shape": list(network.input_shape),
        "outputs": shape[0] if len(shape) == 1 else list(shape),
        "hidden": list(network.hidden),
        "parameters": network.parameter_count,
        "macs": network.macs,
        "dtype": str(network.dtype),
    }
