"""`nas-surgery evaluate`: how good a network is on labelled data."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from nas_surgery.data import Dataset, load_dataset
from nas_surgery.errors import DataError
from nas_surgery.files import load
from nas_surgery.labels import classes_of, is_one_hot, numbered, targets
from nas_surgery.network import Array, Label, Network
from nas_surgery.network.prediction import outputs_of
from nas_surgery.plugins import default_registry
from nas_surgery.samples_file import read_labelled, read_pair
from nas_surgery.training import evaluate as measure

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=PATH)
@click.option(
    "--data",
    "source",
    required=True,
    help="Data source, an .npz file with x and y or with the parts of a source, or samples as .npy.",
)
@click.option(
    "--labels", type=PATH, help="Labels of samples that are in a file of their own: .npy."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(model: Path, source: str, labels: Path | None, as_json: bool) -> None:
    """Measure the network of MODEL (a file or a run directory): on the test part of the data, or on all
    of them where they have none."""
    network = load(model)
    dataset = _dataset(source, labels)
    try:
        found = evaluation(network, dataset)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    click.echo(json.dumps(found) if as_json else _report(found))


def evaluation(network: Network, dataset: Dataset) -> dict[str, Any]:
    """Accuracy or R², loss and number of samples; DataError where data and network do not fit."""
    x, y, part = dataset.x, dataset.y, "all"
    if dataset.x_test is not None and dataset.y_test is not None:
        x, y, part = dataset.x_test, dataset.y_test, "test"
    outputs = outputs_of(network, x)
    loss, wanted = _wanted(network, dataset.y, y)
    found = measure(outputs, wanted, loss)
    classified = loss == "cross_entropy"
    return {
        "task": "classification" if classified else "regression",
        "metric": "accuracy" if classified else "r2",
        "accuracy": found.accuracy,
        "loss": found.loss,
        "samples": len(x),
        "part": part,
    }


def _wanted(network: Network, known: Array, y: Array) -> tuple[str, Array]:
    """The loss, and labels `y` as it takes them. known: those that nameless classes follow from."""
    outputs = network.output_shape[0]
    if network.classes is not None:
        return "cross_entropy", numbered(y, network.classes, "label")
    if outputs > 1 and (known.ndim == 1 or is_one_hot(known)):
        return "cross_entropy", numbered(y, _nameless(known, outputs), "label")
    wanted = targets(y)
    if wanted.shape[1] != outputs:
        raise DataError(f"the network has {outputs} outputs, the data {wanted.shape[1]} targets")
    return "mean_squared_error", wanted


def _nameless(known: Array, outputs: int) -> tuple[Label, ...]:
    """The classes of a network that does not name them: 0, 1, …, or those of the data in their order."""
    if known.ndim == 1 and known.dtype.kind in "iuf" and np.isin(known, range(outputs)).all():
        return tuple(range(outputs))
    classes = classes_of(known)
    if len(classes) != outputs:
        raise DataError(f"the network has {outputs} outputs, the data {len(classes)} classes")
    return classes


def _dataset(source: str, labels: Path | None) -> Dataset:
    file = Path(source)
    if labels is not None:
        return read_labelled(file, labels)
    if file.suffix == ".npy":
        raise DataError(f"{source}: labels are needed too: --labels FILE.npy")
    if file.suffix != ".npz" or source.startswith("npz:"):
        return load_dataset(source, default_registry().all("datasets"))
    return read_pair(file) or load_dataset(f"npz:{source}", default_registry().all("datasets"))


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
