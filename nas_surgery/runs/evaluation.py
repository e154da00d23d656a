"""How good a network is on labelled data."""

from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.data.dataset import Dataset, load_dataset
from nas_surgery.data.labels import classes_of, is_one_hot, numbered, targets
from nas_surgery.data.samples_file import read_labelled, read_pair
from nas_surgery.errors import DataError
from nas_surgery.network import Array, Label, Network
from nas_surgery.plugins.registry import default_registry
from nas_surgery.training.evaluation import evaluate


def evaluation(network: Network, dataset: Dataset) -> dict[str, Any]:
    """Accuracy or R², loss and number of samples; DataError where data and network do not fit."""
    x, y, part = dataset.x, dataset.y, "all"
    if dataset.x_test is not None and dataset.y_test is not None:
        x, y, part = dataset.x_test, dataset.y_test, "test"
    outputs = network.outputs(x)
    loss, wanted = _wanted(network, dataset.y, y)
    found = evaluate(outputs, wanted, loss)
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
    outputs = network.output_count
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


def labelled(source: str, labels: Path | None = None) -> Dataset:
    """The data of a source, of an .npz file, or of an .npy file with its labels in another.

    Raises DataError, which names the source.
    """
    file = Path(source)
    if labels is not None:
        return read_labelled(file, labels)
    if file.suffix == ".npy":
        raise DataError(f"{source}: labels are needed too: --labels FILE.npy")
    if file.suffix != ".npz" or source.startswith("npz:"):
        return load_dataset(source, default_registry().all("datasets"))
    return read_pair(file) or load_dataset(f"npz:{source}", default_registry().all("datasets"))
