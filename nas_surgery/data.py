"""Datasets: where they come from, and what they must be."""

from collections.abc import Callable, Mapping
from os.path import expanduser
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.network import Array
from nas_surgery.npz import read_arrays

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def _array(values: Any) -> Array:
    """An array without Python objects; DataError where there is none that means the same."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError("arrays must be rectangular, got rows of different lengths") from None
    if array.dtype.kind != "O":
        return array
    kinds = {type(value) for value in array.ravel().tolist()}
    if kinds == {str} or kinds <= {bool} or kinds <= {int, float}:
        return np.array(array.tolist())
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"values must be numbers, bools or strings throughout, got {names}")


def _optional(values: Any) -> Array | None:
    return None if values is None else _array(values)


@attrs.frozen(eq=False)
class Dataset:
    """Inputs and labels as they come, with or without a test part.

    x: (N, ...) numbers. y: (N,) class labels (whole numbers from 0, strings or bools), or float
    targets (N,) or (N, outputs) for regression. Raises DataError where they cannot be used.
    """

    x: Array = attrs.field(converter=_array)
    y: Array = attrs.field(converter=_array)
    x_test: Array | None = attrs.field(converter=_optional, default=None)
    y_test: Array | None = attrs.field(converter=_optional, default=None)

    def __attrs_post_init__(self) -> None:
        _check_part("training part", self.x, self.y)
        if (self.x_test is None) != (self.y_test is None):
            raise DataError("x_test and y_test come together or not at all")
        if self.x_test is not None and self.y_test is not None:
            _check_part("test part", self.x_test, self.y_test)
            if self.x_test.shape[1:] != self.x.shape[1:]:
                raise DataError(
                    f"test samples of shape {self.x_test.shape[1:]} do not match"
                    f" training samples of shape {self.x.shape[1:]}"
                )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])


def load_dataset(source: str, sources: Mapping[str, Callable[[str], Dataset]]) -> Dataset:
    """The dataset that `scheme:rest` names; DataError names the source and what is wrong."""
    scheme, separator, rest = source.partition(":")
    if not separator or scheme not in sources:
        known = ", ".join(f"{name}:…" for name in sources)
        raise DataError(f"data source {source!r}: unknown; sources are {known}")
    try:
        return sources[scheme](rest)
    except DataError as error:
        raise type(error)(f"data source {source!r}: {error}") from None


def as_dataset(data: Any) -> Dataset:
    """A Dataset from what Python callers give: one, a tuple (x, y[, x_test, y_test]), or a mapping
    with the keys of an npz source."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, Mapping):
        return _from_mapping(data)
    if isinstance(data, tuple) and len(data) in (2, 4):
        return Dataset(*data)
    raise DataError(
        "data must be a Dataset, a tuple (x, y) or (x, y, x_test, y_test), or a mapping with"
        f" {', '.join(NPZ_KEYS)}; got {type(data).__name__}"
    )


def read_npz(path: str) -> Dataset:
    """`npz:PATH`: a NumPy archive with x_train, y_train and optionally x_test, y_test."""
    file = Path(expanduser(path))
    try:
        return _from_mapping(read_arrays(file, NPZ_KEYS[:2], NPZ_KEYS[2:]))
    except (DataError, ModelFileError) as error:
        raise DataFileError(f"{file}: {error}") from None


def read_sklearn(name: str) -> Dataset:
    """`sklearn:NAME`: a set that scikit-learn bundles (digits, iris, wine, breast_cancer, diabetes)."""
    bundled = ("breast_cancer", "diabetes", "digits", "iris", "wine")
    if name not in bundled:
        raise DataError(f"not bundled with scikit-learn; those are {', '.join(bundled)}")
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Dataset(x, y)


def read_openml(name: str) -> Dataset:
    """`openml:NAME` or `openml:NAME@VERSION` or `openml:ID`: fetched by scikit-learn and cached in its data home."""
    from sklearn.datasets import fetch_openml

    title, _, version = name.partition("@")
    which: dict[str, Any] = {"data_id": int(title)} if title.isdigit() else {"name": title}
    if version:
        which["version"] = int(version) if version.isdigit() else version
    try:
        bunch = fetch_openml(**which, as_frame=False, parser="liac-arff")
    except Exception as error:  # scikit-learn raises many kinds, of network, cache and parsing
        raise DataError(f"OpenML did not give it: {_first_line(error)}") from None
    return Dataset(bunch.data, bunch.target)


SOURCES: dict[str, Callable[[str], Dataset]] = {
    "sklearn": read_sklearn,
    "npz": read_npz,
    "openml": read_openml,
}


def _from_mapping(arrays: Mapping[str, ArrayLike]) -> Dataset:
    missing = [key for key in NPZ_KEYS[:2] if key not in arrays]
    if missing:
        raise DataError(
            f"{' and '.join(missing)} missing; it holds {', '.join(arrays) or 'nothing'}"
        )
    return Dataset(arrays["x_train"], arrays["y_train"], arrays.get("x_test"), arrays.get("y_test"))


def _check_part(part: str, x: Array, y: Array) -> None:
    if x.dtype.kind not in "fiub":
        raise DataError(f"{part}: inputs must be numbers, got dtype {x.dtype}")
    if x.ndim < 2 or 0 in x.shape:
        raise DataError(
            f"{part}: inputs must have shape (samples, …) and hold something, got {x.shape}"
        )
    if y.ndim not in (1, 2) or len(y) != len(x) or 0 in y.shape:
        raise DataError(f"{part}: {len(x)} inputs but labels of shape {y.shape}")
    for name, values in (("inputs", x), ("labels", y)):
        if values.dtype.kind == "f":
            _check_floats(f"{part}: ", name, values)


def _check_floats(part: str, name: str, values: Array) -> None:
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise DataError(f"{part}{bad} of the {name} are NaN or infinite")
    largest = np.abs(values).max()
    if largest > np.finfo(np.float32).max:
        raise DataError(f"{part}{name} up to {largest:.3g} are beyond the range of float32")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
