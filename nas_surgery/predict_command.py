"""`nas-surgery predict`: what a network says of the samples in a file."""

import csv
import io
import json
import sys
from os.path import lexists
from pathlib import Path

import click
import numpy as np

from nas_surgery.errors import DataError, NasSurgeryError
from nas_surgery.files import load, write_atomically
from nas_surgery.network import Array, Network
from nas_surgery.network.prediction import predictions, probabilities
from nas_surgery.samples_file import read_samples

SUFFIXES = (".npy", ".csv", ".txt")
PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=PATH)
@click.option("--data", type=PATH, required=True, help="Samples: .npy, or .npz with x or x_test.")
@click.option("-o", "--output", type=PATH, help="File to write: .npy, .csv or .txt.")
@click.option("--probabilities", "shares", is_flag=True, help="A column for each class instead.")
@click.option("--force", is_flag=True, help="Overwrite the output.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
    model: Path, data: Path, output: Path | None, shares: bool, force: bool, as_json: bool
) -> None:
    """Print what the network of MODEL (a file or a run directory) says of each sample: its class, or its
    values."""
    if output is not None:
        _check_output(output, force)
    network = load(model)
    found = _predicted(network, model, data, shares)
    if output is not None:
        write_atomically(
            output, npy_bytes(found) if output.suffix == ".npy" else table(found).encode()
        )
    if as_json:
        click.echo(json.dumps(_account(network, found, output)))
    elif output is None:
        click.echo(harmless(table(found)) if sys.stdout.isatty() else table(found), nl=False)
    else:
        click.echo(f"{output}: {len(found)} predictions")


def _check_output(output: Path, force: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise NasSurgeryError(f"{output}: the suffix must be one of {', '.join(SUFFIXES)}")
    if lexists(output) and not force:
        raise NasSurgeryError(f"{output}: is there already; --force overwrites it")


def _predicted(network: Network, model: Path, data: Path, shares: bool) -> Array:
    if shares and network.classes is None:
        raise NasSurgeryError(f"{model}: its outputs are values; only classes have probabilities")
    samples = read_samples(data)
    try:
        return probabilities(network, samples) if shares else predictions(network, samples)
    except DataError as error:
        raise DataError(f"{data}: {error}") from None


def _account(network: Network, found: Array, output: Path | None) -> dict[str, object]:
    classes = None if network.classes is None else list(network.classes)
    where = {"predictions": found.tolist()} if output is None else {"output": str(output)}
    return {"samples": len(found), "classes": classes, **where}


def table(values: Array) -> str:
    """Values (N,) or (N, columns) as CSV, one line for each sample."""
    text = io.StringIO()
    rows = values[:, None] if values.ndim == 1 else values
    csv.writer(text, lineterminator="\n").writerows([str(value) for value in row] for row in rows)
    return text.getvalue()


def harmless(text: str) -> str:
    """Text for a terminal: what could command it is escaped."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def npy_bytes(values: Array) -> bytes:
    """The content of an .npy file."""
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()
