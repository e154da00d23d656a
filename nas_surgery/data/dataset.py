"""Datasets: what they must be, and how a source that is named gives one."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from numpy.typing import ArrayLike

from nas_surgery.data.tables.table import Table
from nas_surgery.errors import DataError
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
        reason = f"{type(error).__name__}: {first_line(error)}"
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
        return from_mapping(data)
    if isinstance(data, tuple) and len(data) in (2, 4):
        return Dataset(*data)
    raise DataError(
        "data must be a Dataset, a tuple (x, y) or (x, y, x_test, y_test), or a mapping with"
        f" {', '.join(KEYS)}; got {type(data).__name__}"
    )


def from_mapping(arrays: Mapping[str, ArrayLike]) -> Dataset:
    """A Dataset from the arrays of an npz source; DataError where one is missing."""
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


def first_line(error: BaseException) -> str:
    """What an exception says, or else what it is."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
