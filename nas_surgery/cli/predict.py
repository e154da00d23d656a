"""`nas-surgery predict`."""

import csv
import io
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import click
import numpy as np

from nas_surgery.cli.output import PATH, as_json, check_free, overwriting, show, warn
from nas_surgery.errors import DataError, NasSurgeryError
from nas_surgery.network import Array, Network

SUFFIXES = (".npy", ".csv", ".txt")


@click.command("predict")
@click.argument("model", type=PATH)
@click.option(
    "--data",
    type=PATH,
    required=True,
    help="Samples: .npy, .npz with x or x_test, or of a run on a table .csv or .parquet.",
)
@click.option("-o", "--output", type=PATH, help="File to write: .npy, .csv or .txt.")
@click.option("--probabilities", "shares", is_flag=True, help="A column for each class instead.")
@overwriting
@as_json
def command(
    model: Path, data: Path, output: Path | None, shares: bool, force: bool, as_json: bool
) -> None:
    """Print what the network of MODEL (a file or a run directory) says of each sample: its class, or its
    values. Of a table, a .csv file gets a line of names."""
    from nas_surgery.formats.atomic import write_atomically
    from nas_surgery.formats.models import load

    if output is not None:
        _check_output(output, force)
    network = load(model)
    samples, target = _samples(model, data)
    found = _predicted(network, model, data, samples, shares)
    if output is not None:
        names = None if target is None else _names(network, target, found)
        write_atomically(output, _content(output, found, names))
    text = table(found) if output is None else f"{output}: {len(found)} predictions"
    show(text.removesuffix("\n"), _account(network, found, output), as_json)


def _check_output(output: Path, force: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise NasSurgeryError(f"{output}: the suffix must be one of {', '.join(SUFFIXES)}")
    check_free(output, force)


def _samples(model: Path, data: Path) -> tuple[Array, str | None]:
    """The inputs in a file, and of a table the name of what is predicted."""
    from nas_surgery.data.samples_file import read_samples
    from nas_surgery.runs.raw_tables import RawTable

    raw = RawTable.read(model, str(data))
    if raw is None:
        return read_samples(data), None
    samples = raw.samples()
    warn(raw.warnings)
    return samples, raw.encoding.target


def _names(network: Network, target: str, found: Array) -> list[str]:
    """Names of the columns of predictions: the target's, or of probabilities those of the classes."""
    if found.ndim == 1 or network.classes is None:
        return [target]
    return [str(label) for label in network.classes]


def _predicted(network: Network, model: Path, data: Path, samples: Array, shares: bool) -> Array:
    from nas_surgery.network.prediction import answers, probabilities

    if shares and network.classes is None:
        raise NasSurgeryError(f"{model}: its outputs are values; only classes have probabilities")
    try:
        outputs = network.outputs(samples)
    except DataError as error:
        raise DataError(f"{data}: {error}") from None
    return probabilities(outputs) if shares else answers(outputs, network.classes)


def _account(network: Network, found: Array, output: Path | None) -> dict[str, Any]:
    classes = None if network.classes is None else list(network.classes)
    where = {"predictions": found.tolist()} if output is None else {"output": str(output)}
    return {"samples": len(found), "classes": classes, **where}


def _content(output: Path, values: Array, names: Sequence[str] | None) -> bytes:
    """names: of the columns, on top of a .csv file; None for none."""
    head = names if output.suffix == ".csv" else None
    return npy_bytes(values) if output.suffix == ".npy" else table(values, head).encode()


def table(values: Array, names: Sequence[str] | None = None) -> str:
    """Values (N, ...) as CSV, one line for each sample, under a line of names if there are any."""
    text = io.StringIO()
    rows = values.reshape(len(values), prod(values.shape[1:]))
    head = [] if names is None else [list(names)]
    lines = [*head, *([str(value) for value in row] for row in rows)]
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def npy_bytes(values: Array) -> bytes:
    """The content of an .npy file."""
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()
