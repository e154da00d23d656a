"""Calibration data, in whatever form they are at hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.labels import numbered
from nas_surgery.data.samples_file import read_pair, read_samples
from nas_surgery.errors import DataError
from nas_surgery.network import Array, Label, Network
from nas_surgery.plugins.registry import default_registry
from nas_surgery.shrinking.models import Model

PAIRS = (("x", "y"), ("x_train", "y_train"))


@attrs.frozen(eq=False)
class Calibration:
    """Samples as the network takes them (N, *input_shape), and labels as numbers of its outputs (N,) or None."""

    x: Array
    y: Array | None


def calibration(data: Any, model: Model) -> Calibration:
    """Samples, (samples, labels), a mapping, or the path of a file or source; DataError for others."""
    x, y = _pair(data)
    samples = model.arrange(_plain(x))
    if len(samples) == 0:
        raise DataError("calibration needs samples, got none")
    if y is not None and len(y) != len(samples):
        raise DataError(f"{len(samples)} samples, but {len(y)} labels")
    if not np.isfinite(samples).all():
        raise DataError("calibration samples must not hold NaN or infinite values")
    numbers = None if y is None else _numbers(model.network, np.asarray(y))
    return Calibration(samples.astype(model.network.dtype, copy=False), numbers)


def _numbers(network: Network, y: Array) -> Array:
    """Labels as numbers of outputs; DataError for those that the network has no output for."""
    outputs = network.output_shape[-1]
    if y.ndim == 2 and y.shape[1] == outputs:
        return np.asarray(y.argmax(axis=1))
    classes: tuple[Label, ...] = network.classes or tuple(range(outputs))
    if y.ndim != 1:
        raise DataError(f"labels of shape (N,) are needed, got {y.shape}")
    return np.asarray(numbered(y, classes, "label"))


def _pair(data: Any) -> tuple[Any, Any]:
    if isinstance(data, str | Path):
        return _from_path(str(data))
    if isinstance(data, Mapping):
        found = next(((data[a], data.get(b)) for a, b in PAIRS if a in data), None)
        if found is None:
            raise DataError(f"data need x or x_train, got {', '.join(map(str, data)) or 'nothing'}")
        return found
    if isinstance(data, tuple | list) and len(data) == 2 and np.ndim(data[0]) > 1:
        return data[0], data[1]
    return data, None


def _from_path(source: str) -> tuple[Any, Any]:
    file = Path(source)
    if file.suffix == ".npy":
        return read_samples(file), None
    if file.suffix == ".npz" and ":" not in source:
        pair = read_pair(file)
        if pair is not None:
            return pair.x, pair.y
        return _npz(file)
    dataset = load_dataset(source, default_registry().all("datasets"))
    return dataset.x, dataset.y


def _npz(file: Path) -> tuple[Any, Any]:
    """Training samples with labels where the file has them, else whatever samples there are."""
    from nas_surgery.formats.npz import array_names, read_arrays

    if {"x_train", "y_train"} <= set(array_names(file)):
        held = read_arrays(file, ("x_train", "y_train"))
        return held["x_train"], held["y_train"]
    return read_samples(file), None


def _plain(x: Any) -> Array:
    """An array of numbers; tensors of frameworks too."""
    values = x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)
    if values.dtype.kind not in "fiub" or values.ndim < 2:
        raise DataError(
            f"samples (N, ...) of numbers are needed, got {values.dtype} {values.shape}"
        )
    return values
