"""What labels mean: classes by number, or the targets of a regression.

Strings, bools, one-hot rows and whole numbers are classes, as long as numbers are few: at most
MANY, each of them shared by two samples on average. Floats are targets, but for whole ones that are
fewer still: two, or ten samples to each. What is neither is refused, never guessed; the loss of a
spec decides where it is given.
"""

import attrs
import numpy as np

from nas_surgery.data.dataset import Dataset
from nas_surgery.errors import DataError
from nas_surgery.network import Array, Label
from nas_surgery.network.arrays import label_array

MANY = 100
SHARED, SHARED_BY_FLOATS = 2, 10  # samples that a class needs on average
CHOOSE = 'give training.loss = "cross_entropy" for classes, "mean_squared_error" for quantities'


@attrs.frozen(eq=False)
class Meaning:
    """Labels as they are trained on: class indices (N,) or targets (N, outputs) in float64.

    classes: the labels by index, in the kind they came in; empty for a regression.
    """

    loss: str
    classes: tuple[Label, ...]
    train: Array
    test: Array | None
    validation: Array | None


def meaning(dataset: Dataset, loss: str = "auto") -> Meaning:
    """Decide what the labels of all parts are, and number them; DataError where that is not possible."""
    y, others = dataset.y, {"test": dataset.y_test, "validation": dataset.y_validation}
    for part, more in others.items():
        if more is not None and _flat(more).shape[1:] != _flat(y).shape[1:]:
            raise DataError(f"labels of shape {y.shape}, but {part} labels of {more.shape}")
    loss = decide(y) if loss == "auto" else loss
    if loss == "mean_squared_error":
        rest = (None if more is None else targets(more) for more in others.values())
        return Meaning(loss, (), targets(y), *rest)
    classes = classes_of(y)
    rest = (None if m is None else numbered(m, classes, f"{p} label") for p, m in others.items())
    return Meaning(loss, classes, numbered(y, classes), *rest)


def decide(y: Array) -> str:
    """The loss for labels whose spec names none; DataError where they could be either."""
    y = _flat(y)
    if y.ndim == 2:
        return _decide_rows(y)
    if y.dtype.kind not in "iuf":
        return "cross_entropy"
    count = len(np.unique(y))
    if y.dtype.kind == "f":
        few = count == 2 or 2 < count <= min(MANY, len(y) // SHARED_BY_FLOATS)
        return "cross_entropy" if few and _whole(y) else "mean_squared_error"
    if count > max(1, min(MANY, len(y) // SHARED)):
        raise DataError(f"{count} different whole numbers as labels of {len(y)} samples: {CHOOSE}")
    return "cross_entropy"


def classes_of(y: Array) -> tuple[Label, ...]:
    """The classes among labels, in their order; DataError for fewer than two."""
    columns = range(y.shape[1]) if is_one_hot(y) else _class_labels(y, "class labels")
    found = np.unique(columns)
    if len(found) < 2:
        raise DataError(f"classification needs at least two classes, got {len(found)}")
    return tuple(found.tolist())


def numbered(y: Array, classes: tuple[Label, ...], what: str = "class label") -> Array:
    """The index (N,) of each label among the classes; DataError for one that is not there."""
    found, known = _class_labels(y, f"{what}s"), label_array(classes)
    if _family(found) != _family(known):
        raise DataError(f"the classes are {_family(known)}, but {what}s {_family(found)}")
    unknown = np.setdiff1d(found, known)
    if unknown.size:
        raise DataError(f"{what} {unknown[0]} is not one of the {len(classes)} classes")
    order = np.argsort(known, kind="stable")
    places: Array = order[np.searchsorted(known[order], found)]
    return places


def targets(y: Array) -> Array:
    """Targets (N, outputs) of a regression in float64."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"regression needs numbers as targets, got dtype {y.dtype}")
    wide = y.astype(np.float64)
    return wide[:, None] if wide.ndim == 1 else wide


def label_name(label: Label) -> str:
    """A label as text; whole floats without their point."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def is_one_hot(y: Array) -> bool:
    """Whether every row of labels is 0 but for one 1."""
    if y.ndim != 2 or y.shape[1] < 2 or not _is_binary(y):
        return False
    return bool((np.count_nonzero(y, axis=1) == 1).all())


def _decide_rows(y: Array) -> str:
    if is_one_hot(y):
        return "cross_entropy"
    if _is_binary(y):
        raise DataError(
            f"labels of shape {y.shape} are 0 and 1, but not one 1 in each row, as in one-hot labels;"
            ' several labels to a sample need training.loss = "mean_squared_error"'
        )
    if y.dtype.kind == "f":
        return "mean_squared_error"
    raise DataError(
        f"{y.dtype} labels of shape {y.shape}: classes need shape (samples,) or one-hot rows;"
        ' for targets of a regression give training.loss = "mean_squared_error"'
    )


def _class_labels(y: Array, what: str) -> Array:
    """Labels (N,) as bools, strings or whole numbers; one-hot rows by their column."""
    flat = _flat(y)
    if is_one_hot(flat):
        return np.asarray(flat.argmax(axis=1))
    if flat.ndim != 1:
        raise DataError(f"{what} must have shape (samples,) or be one-hot, got {y.shape}")
    if flat.dtype.kind == "S":
        text: Array = np.char.decode(flat, "utf-8", "backslashreplace")
        return text
    if flat.dtype.kind in "bUiu" or (flat.dtype.kind == "f" and _whole(flat)):
        return flat
    raise DataError(f"{what} must be whole numbers, strings or bools, got dtype {y.dtype}")


def _flat(y: Array) -> Array:
    """A column (N, 1) as (N,)."""
    return y[:, 0] if y.shape[1:] == (1,) else y


def _whole(y: Array) -> bool:
    return bool(np.all(y == np.floor(y)))


def _family(values: Array) -> str:
    return {"b": "bools", "U": "strings"}.get(values.dtype.kind, "numbers")


def _is_binary(y: Array) -> bool:
    return y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all())
