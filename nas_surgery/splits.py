"""From a dataset to training, validation and test samples, and the scaling that the network holds."""

import hashlib
from functools import cached_property
from math import floor

import attrs
import numpy as np

from nas_surgery.data import Dataset
from nas_surgery.errors import DataError
from nas_surgery.network import Array, Normalize, keyed_generator
from nas_surgery.training import Samples

_Parts = tuple[Samples, Samples, Samples | None]

SCALINGS = ("unit", "standard", "none")
MOST_LIGHT = 255
LEAST_PIXELS = 64  # values of a flattened image; tables of whole numbers have fewer columns
SHARED = (
    0.5  # of the whole range: what half of the pixels reach, and columns of their own units do not
)


@attrs.frozen
class SplitPlan:
    """How to split; the fields are the keys of `[data]`.

    validation: a count, a fraction of `train_limit` (or of the training part), or "test" to
    validate on the official test part. test: fraction of a source without a test part.
    """

    train_limit: int | None = None
    validation: float | int | str = 0.2
    test: float = 0.2
    shuffle: bool = True
    seed: int = 0
    scaling: str | None = "unit"


@attrs.frozen(eq=False)
class Splits:
    """Samples ready for a run; inputs are raw, labels are class indices or standardised targets.

    class_names: by index; empty for regression. target_mean, target_scale: (outputs,), what
    standardised the targets of a regression.
    """

    train: Samples
    validation: Samples
    test: Samples | None
    normalize: Normalize | None
    loss: str
    outputs: int
    class_names: tuple[str, ...] = ()
    target_mean: Array | None = None
    target_scale: Array | None = None

    @property
    def metric(self) -> str:
        return "accuracy" if self.class_names else "r2"

    @cached_property
    def chance(self) -> float:
        """What always answering the most frequent class, or the mean, is worth on the validation part."""
        if not self.class_names:
            return 0.0
        return float(np.bincount(self.validation.y).max() / len(self.validation))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every sample and label, in order."""
        content = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            if part is not None:
                content.update(np.ascontiguousarray(part.x).data)
                content.update(np.ascontiguousarray(part.y).data)
        return content.hexdigest()


def split(dataset: Dataset, plan: SplitPlan, loss: str = "auto") -> Splits:
    """Split, number the classes or standardise the targets, and measure the scaling.

    Every figure is measured on the training samples alone. Raises DataError for an empty part,
    labels outside the range, or a part that is larger than the data.
    """
    kind = _loss(dataset, loss)
    y, y_test, names = _labels(dataset, kind)
    x, x_test = dataset.x, dataset.x_test
    strata = y if kind == "cross_entropy" else None
    order = _order(len(x), strata, plan)
    if x_test is None and plan.validation != "test":
        order, held = _cut(order, _count(plan.test, len(order), "test"), "test")
        x_test, y_test = x[held], y[held]
    train, validation = _train_and_validation(order, plan)
    if validation is None:
        if x_test is None or y_test is None:
            raise DataError(
                'validation = "test" needs a source with a test part; this one has none'
            )
        parts: _Parts = (Samples(x[train], y[train]), Samples(x_test, y_test), None)
    else:
        test = None if x_test is None or y_test is None else Samples(x_test, y_test)
        parts = Samples(x[train], y[train]), Samples(x[validation], y[validation]), test
    return _finish(parts, plan, kind, names)


def stratified_order(generator: np.random.Generator, labels: Array) -> Array:
    """A permutation in which every stretch holds the classes in about their overall proportions."""
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranks = generator.permutation(len(members))
        places[members] = (ranks + generator.random(len(members))) / len(members)
    return np.argsort(places, kind="stable")


def _order(count: int, strata: Array | None, plan: SplitPlan) -> Array:
    if not plan.shuffle:
        return np.arange(count)
    generator = keyed_generator(plan.seed, "split")
    return generator.permutation(count) if strata is None else stratified_order(generator, strata)


def _train_and_validation(order: Array, plan: SplitPlan) -> tuple[Array, Array | None]:
    limit = plan.train_limit
    if plan.validation == "test":
        if limit is not None and limit > len(order):
            raise DataError(f"train_limit {limit} is more than the {len(order)} samples there are")
        return order[:limit], None
    base = len(order) if limit is None else limit
    count = _count(plan.validation, base, "validation")
    if limit is None:
        train, validation = _cut(order, count, "validation")
        return train, validation
    if limit + count > len(order):
        raise DataError(
            f"train_limit {limit} and {count} validation samples are more than the"
            f" {len(order)} samples of the training part"
        )
    return order[:limit], order[limit : limit + count]


def _cut(order: Array, count: int, name: str) -> tuple[Array, Array]:
    """Split `count` off the end."""
    if count >= len(order):
        raise DataError(f"{count} {name} samples leave none of {len(order)} to train on")
    return order[: len(order) - count], order[len(order) - count :]


def _count(size: float | int | str, base: int, name: str) -> int:
    count = size if isinstance(size, int) else floor(float(size) * base + 1e-9)
    if count < 1:
        raise DataError(f"{name} = {size} leaves the {name} part empty, of {base} samples")
    return count


def _loss(dataset: Dataset, loss: str) -> str:
    if loss != "auto":
        return loss
    if dataset.y.ndim == 2 and dataset.y.shape[1] > 1 and dataset.y.dtype.kind in "iub":
        raise DataError(
            f"whole numbers of shape {dataset.y.shape} as labels: classes need shape (samples,),"
            " targets of a regression need floats"
        )
    regression = dataset.y.dtype.kind == "f" or dataset.y.shape[1:] not in ((), (1,))
    return "mean_squared_error" if regression else "cross_entropy"


def _labels(dataset: Dataset, loss: str) -> tuple[Array, Array | None, tuple[str, ...]]:
    if loss == "cross_entropy":
        return _class_labels(dataset.y, dataset.y_test)
    for y in (dataset.y, dataset.y_test):
        if y is not None and y.dtype.kind not in "fiub":
            raise DataError(f"regression needs numbers as targets, got dtype {y.dtype}")
    y, y_test = _columns(dataset.y), None
    if dataset.y_test is not None:
        y_test = _columns(dataset.y_test)
        if y_test.shape[1] != y.shape[1]:
            raise DataError(f"targets have {y.shape[1]} outputs, test targets {y_test.shape[1]}")
    return y, y_test, ()


def _class_labels(y: Array, y_test: Array | None) -> tuple[Array, Array | None, tuple[str, ...]]:
    labels = _names_or_numbers(y, "class labels")
    classes = np.unique(labels)
    if labels.dtype.kind == "i":
        _check_range(classes)
    if len(classes) < 2:
        raise DataError(f"classification needs at least two classes, got {len(classes)}")
    names = tuple(str(label) for label in classes.tolist())
    numbered = np.searchsorted(classes, labels)
    if y_test is None:
        return numbered, None, names
    test_labels = _names_or_numbers(y_test, "test labels")
    if test_labels.dtype.kind != labels.dtype.kind:
        raise DataError(f"class labels are {y.dtype}, but test labels {y_test.dtype}")
    _check_known(classes, test_labels)
    return numbered, np.searchsorted(classes, test_labels), names


def _names_or_numbers(y: Array, what: str) -> Array:
    """Labels (N,) as int64, bool or str; whole numbers may come as floats, and (N, 1) is (N,)."""
    if y.shape[1:] == (1,):
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{what} must have shape (samples,), got {y.shape}")
    if y.dtype.kind in "bU":
        return y
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "backslashreplace")
    if y.dtype.kind in "iu" or (y.dtype.kind == "f" and np.all(y == np.floor(y))):
        return y.astype(np.int64)
    raise DataError(f"{what} must be whole numbers, strings or bools, got dtype {y.dtype}")


def _check_range(classes: Array) -> None:
    count = len(classes)
    outside = [int(label) for label in classes if not 0 <= label < count]
    if outside:
        raise DataError(
            f"label {outside[0]} is outside the range 0…{count - 1} of {count} classes; labels that are"
            ' only names should be strings, and quantities need loss = "mean_squared_error"'
        )


def _check_known(classes: Array, y_test: Array) -> None:
    unknown = np.setdiff1d(y_test, classes)
    if unknown.size:
        raise DataError(
            f"test label {unknown[0]} is outside the range of the {len(classes)} classes"
            " in the training part"
        )


def _columns(y: Array) -> Array:
    wide = y.astype(np.float64)
    return wide[:, None] if wide.ndim == 1 else wide


def _finish(
    parts: _Parts,
    plan: SplitPlan,
    loss: str,
    names: tuple[str, ...],
) -> Splits:
    normalize = scaling_layer(parts[0].x, plan.scaling)
    if loss == "cross_entropy":
        return Splits(*parts, normalize, loss, len(names), names)
    mean, scale = parts[0].y.mean(axis=0), parts[0].y.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    train, validation, test = (
        None if part is None else attrs.evolve(part, y=(part.y - mean) / scale) for part in parts
    )
    assert train is not None
    assert validation is not None
    return Splits(train, validation, test, normalize, loss, len(mean), (), mean, scale)


def scaling_layer(x: Array, scaling: str | None) -> Normalize | None:
    """The layer that scales raw inputs like `x` (N, ...), measured on them.

    "unit": to [0, 1]; "standard": to mean 0 and variance 1; "none": no layer. Vectors of measurements
    are scaled feature by feature. Pixels share one scale, or one per channel with "standard".
    """
    if scaling in ("none", None):
        return None
    pixels = are_pixels(x)
    axes: int | tuple[int, ...] | None = None if pixels else 0
    if scaling == "unit":
        low, high = x.min(axis=axes), x.max(axis=axes)
        return _normalize(low, np.asarray(high, np.float64) - low)
    if x.ndim == 4:
        axes = (0, 1, 2)
    return _normalize(x.mean(axis=axes, dtype=np.float64), x.std(axis=axes, dtype=np.float64))


def _normalize(shift: Array, scale: Array) -> Normalize:
    """Features that do not vary, as far as float32 can tell, are shifted only."""
    safe = np.where(scale > np.finfo(np.float32).tiny, scale, 1.0)
    return Normalize(np.asarray(shift, np.float32), np.asarray(safe, np.float32))


def are_pixels(x: Array) -> bool:
    """Whether the values of samples (N, ...) share one range: samples with several axes or of bytes, and
    many columns from 0 to at most 255 that reach about as far."""
    if x.ndim > 2 or x.dtype == np.uint8:
        return True
    if x.shape[1] < LEAST_PIXELS or x.min() != 0 or x.max() > MOST_LIGHT:
        return False
    highest = x.max(axis=0)
    return bool(highest.any() and np.median(highest[highest > 0]) >= SHARED * highest.max())
