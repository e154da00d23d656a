"""`nas-surgery predict`."""

import csv
import io
from pathlib import Path
from typing import Any

import click
import numpy as np

from nas_surgery.cli.output import PATH, as_json, check_free, overwriting, show
from nas_surgery.errors import DataError, NasSurgeryError
from nas_surgery.network import Array, Network

SUFFIXES = (".npy", ".csv", ".txt")


@click.command("predict")
@click.argument("model", type=PATH)
@click.option("--data", type=PATH, required=True, help="Samples: .npy, or .npz with x or x_test.")
@click.option("-o", "--output", type=PATH, help="File to write: .npy, .csv or .txt.")
@click.option("--probabilities", "shares", is_flag=True, help="A column for each class instead.")
@overwriting
@as_json
def command(
    model: Path, data: Path, output: Path | None, shares: bool, force: bool, as_json: bool
) -> None:
    """Print what the network of MODEL (a file or a run directory) says of each sample: its class, or its
    values."""
    from nas_surgery.formats.atomic import write_atomically
    from nas_surgery.formats.models import load

    if output is not None:
        _check_output(output, force)
    network = load(model)
    found = _predicted(network, model, data, shares)
    if output is not None:
        write_atomically(output, _content(output, found))
    text = table(found) if output is None else f"{output}: {len(found)} predictions"
    show(text.removesuffix("\n"), _account(network, found, output), as_json)


def _check_output(output: Path, force: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise NasSurgeryError(f"{output}: the suffix must be one of {', '.join(SUFFIXES)}")
    check_free(output, force)


def _predicted(network: Network, model: Path, data: Path, shares: bool) -> Array:
    from nas_surgery.data.samples_file import read_samples
    from nas_surgery.network.prediction import answers, probabilities

    if shares and network.classes is None:
        raise NasSurgeryError(f"{model}: its outputs are values; only classes have probabilities")
    samples = read_samples(data)
    try:
        outputs = network.outputs(samples)
    except DataError as error:
        raise DataError(f"{data}: {error}") from None
    return probabilities(outputs) if shares else answers(outputs, network.classes)


def _account(network: Network, found: Array, output: Path | None) -> dict[str, Any]:
    classes = None if network.classes is None else list(network.classes)
    where = {"predictions": found.tolist()} if output is None else {"output": str(output)}
    return {"samples": len(found), "classes": classes, **where}


def _content(output: Path, values: Array) -> bytes:
    return npy_bytes(values) if output.suffix == ".npy" else table(values).encode()


def table(values: Array) -> str:
    """Values (N,) or (N, columns) as CSV, one line for each sample."""
    text = io.StringIO()
    rows = values[:, None] if values.ndim == 1 else values
    csv.writer(text, lineterminator="\n").writerows([str(value) for value in row] for row in rows)
    return text.getvalue()


def npy_bytes(values: Array) -> bytes:
    """The content of an .npy file."""
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()
