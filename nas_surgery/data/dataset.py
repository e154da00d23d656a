"""Datasets: where they come from, and what they must be."""

from collections.abc import Callable, Mapping
from os.path import expanduser
from pathlib import Path
from typing import Any

import attrs
from numpy.typing import ArrayLike

from nas_surgery.data.tables.reading import read_csv, read_parquet
from nas_surgery.data.tables.table import Table
from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.formats.npz import array_names, read_arrays
from nas_surgery.formats.structuring import unknown_key
from nas_surgery.network import Array, as_mapping
from nas_surgery.network.tables import Names, column_names, labels, numbers

REQUIRED = ("x_train", "y_train")
KEYS = (*REQUIRED, "x_test", "y_test", "x_validation", "y_validation")


@attrs.frozen(eq=False, init=False)
class Dataset:
    """Inputs and labels as they come, with or without parts to test and to validate on.

    x: (N, ...) numbers, as arrays, lists or frames. y: (N,) class labels (whole numbers, strings or
    bools), one-hot rows (N, classes), or targets (N,) or (N, outputs) of a regression. Raises
    DataError where they cannot be used, with the row and the column.
    """

    x: Array
    y: Array
    x_test: Array | None
    y_test: Array | None
    x_validation: Array | None
    y_validation: Array | None

    def __init__(
        self,
        x: Any,
        y: Any,
        x_test: Any = None,
        y_test: Any = None,
        x_validation: Any = None,
        y_validation: Any = None,
    ) -> None:
        train = _part("training", x, y)
        others = {"test": (x_test, y_test), "validation": (x_validation, y_validation)}
        test, validation = (_other_part(name, *pair, train[0]) for name, pair in others.items())
        for name, (inputs, _) in others.items():
            _check_columns(name, column_names(x), column_names(inputs))
        self.__attrs_init__(*train, *test, *validation)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])


Sources = Mapping[str, Callable[[str], Any]]


def load_dataset(source: str, sources: Sources) -> Dataset:
    """The dataset that `scheme:rest` names; DataError as of `load_source`, also for a table."""
    found = load_source(source, sources)
    if isinstance(found, Table):
        raise DataError(
            f"data source {source!r}: a table, whose columns only a run that was begun with one knows"
        )
    return found


def load_source(source: str, sources: Sources) -> Dataset | Table:
    """What `scheme:rest` names; DataError names the source and what is wrong, also where a plugin's
    source raises, or gives neither a table nor what `as_dataset` takes."""
    scheme, separator, rest = source.partition(":")
    if not separator or scheme not in sources:
        known = ", ".join(f"{name}:…" for name in sources)
        meant = f"; did you mean 'npz:{source}'?" if source.endswith(".npz") else ""
        raise DataError(f"data source {source!r}: unknown; sources are {known}{meant}")
    try:
        found = sources[scheme](rest)
        return found if isinstance(found, Table) else as_dataset(found)
    except DataError as error:
        raise type(error)(f"data source {source!r}: {error}") from None
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {_first_line(error)}"
        raise DataError(f"data source {source!r}: {reason}") from error


def as_dataset(data: Any) -> Dataset:
    """A Dataset from what Python callers give: one, a tuple (x, y[, x_test, y_test]), or a mapping
    with the keys of an npz source."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, Mapping):
        for key in as_mapping("data", data):
            if key not in KEYS:
                raise DataError(unknown_key(key, KEYS, []))
        return _from_mapping(data)
    if isinstance(data, tuple) and len(data) in (2, 4):
        return Dataset(*data)
    raise DataError(
        "data must be a Dataset, a tuple (x, y) or (x, y, x_test, y_test), or a mapping with"
        f" {', '.join(KEYS)}; got {type(data).__name__}"
    )


def read_npz(path: str) -> Dataset:
    """`npz:PATH`: a NumPy archive with x_train, y_train and optionally parts to test and validate on.

    Other arrays are left alone, but not those that could be meant as a part: x_val, y_tst.
    """
    file = Path(expanduser(path))
    try:
        for name in array_names(file):
            if name not in KEYS and name.startswith(("x_", "y_")):
                raise DataError(unknown_key(name, KEYS, []))
        return _from_mapping(read_arrays(file, REQUIRED, KEYS[2:]))
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


SOURCES: dict[str, Callable[[str], Dataset | Table]] = {
    "sklearn": read_sklearn,
    "npz": read_npz,
    "openml": read_openml,
    "csv": read_csv,
    "parquet": read_parquet,
}


def _from_mapping(arrays: Mapping[str, ArrayLike]) -> Dataset:
    missing = [key for key in REQUIRED if key not in arrays]
    if missing:
        raise DataError(
            f"{' and '.join(missing)} missing; it holds {', '.join(arrays) or 'nothing'}"
        )
    return Dataset(*(arrays.get(key) for key in KEYS))


def _part(name: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs and labels of one part as arrays; DataError, which names the part, where they are none."""
    try:
        inputs, targets = numbers(x), labels(y)
        if inputs.ndim < 2 or 0 in inputs.shape:
            raise DataError(
                f"inputs must have shape (samples, …) and hold something, got {inputs.shape}"
            )
        if targets.ndim not in (1, 2) or len(targets) != len(inputs) or 0 in targets.shape:
            raise DataError(f"{len(inputs)} inputs but labels of shape {targets.shape}")
    except DataError as error:
        raise DataError(f"{name} part: {error}") from None
    return inputs, targets


def _check_columns(part: str, known: Names, found: Names) -> None:
    """DataError where two frames have other columns, or the same in another order."""
    if known is not None and found is not None and known != found:
        raise DataError(
            f"{part} part: its columns are {', '.join(found)}, those of the training part"
            f" {', '.join(known)}"
        )


def _other_part(name: str, x: Any, y: Any, train: Array) -> tuple[Array, Array] | tuple[None, None]:
    if (x is None) != (y is None):
        raise DataError(f"x_{name} and y_{name} come together or not at all")
    if x is None:
        return None, None
    inputs, targets = _part(name, x, y)
    if inputs.shape[1:] != train.shape[1:]:
        raise DataError(
            f"{name} samples of shape {inputs.shape[1:]} do not match"
            f" training samples of shape {train.shape[1:]}"
        )
    return inputs, targets


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
