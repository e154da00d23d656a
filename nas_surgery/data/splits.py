"""From a dataset to training, validation and test samples, and the scaling that the network holds."""

import hashlib
from functools import cached_property
from math import floor

import attrs
import numpy as np

from nas_surgery.data.dataset import Dataset
from nas_surgery.data.labels import Meaning, label_name, meaning
from nas_surgery.errors import DataError
from nas_surgery.formats.large import rows
from nas_surgery.network import Array, Label, Normalize, keyed_generator
from nas_surgery.training.augmentation import Augmentation
from nas_surgery.training.state import Samples

_Parts = tuple[Samples, Samples, Samples | None]

SCALINGS = ("unit", "standard", "none")
MOST_LIGHT = 255
LEAST_PIXELS = 64  # values of a flattened image; tables of whole numbers have fewer columns
SHARED = 0.5  # of the whole range: what half of the pixels reach; columns of their own units do not


@attrs.frozen
class SplitPlan:
    """How to split; the fields are the keys of `[data]`. Parts that the data bring along are used as
    they are.

    validation: a count, a fraction of `train_limit` (or of the training part), or "test" to
    validate on the official test part. test: fraction of a source without a test part; 0 for none.
    augment: how training samples are varied; copies are made before anything is measured.
    """

    train_limit: int | None = None
    validation: float | int | str = 0.2
    test: float = 0.2
    shuffle: bool = True
    seed: int = 0
    scaling: str | None = "unit"
    augment: Augmentation | None = None


@attrs.frozen(eq=False)
class Splits:
    """Samples ready for a run; inputs are raw, labels are class indices or standardised targets.

    classes: the labels by index, as they came; empty for regression. target_mean, target_scale:
    (outputs,), what standardised the targets of a regression. cut: whether the validation part was
    taken from the training part, and did not come as it is.
    """

    train: Samples
    validation: Samples
    test: Samples | None
    normalize: Normalize | None
    loss: str
    outputs: int
    classes: tuple[Label, ...] = ()
    target_mean: Array | None = None
    target_scale: Array | None = None
    cut: bool = True

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(map(label_name, self.classes))

    @property
    def task(self) -> str:
        return "classification" if self.classes else "regression"

    @property
    def metric(self) -> str:
        return "accuracy" if self.classes else "r2"

    @cached_property
    def chance(self) -> float:
        """What always answering the most frequent class, or the mean, is worth on the validation part."""
        if not self.classes:
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

    Every figure is measured on the training samples alone. Raises DataError for an empty part, labels
    that no class or target follows from, or a part that is larger than the data.
    """
    found = meaning(dataset, loss)
    everything = Samples(dataset.x, found.train)
    test = _given(dataset.x_test, found.test)
    validation = _given(dataset.x_validation, found.validation)
    order = _order(len(everything), found.train if found.classes else None, plan)
    if plan.validation == "test":
        validation, test = _test_to_validate_on(validation, test), None
    elif test is None and plan.test:
        order, held = _cut(order, _count(plan.test, len(order), "test"), "test")
        test = _take(everything, held)
    cut = validation is None
    if validation is None:
        order, held = _train_and_validation(order, plan)
        validation = _take(everything, held)
    else:
        order = _limited(order, plan.train_limit)
    train = _augmented(_take(everything, order), plan.augment)
    made = _finish((train, validation, test), plan, found)
    return attrs.evolve(made, cut=cut)


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


def _given(x: Array | None, y: Array | None) -> Samples | None:
    return None if x is None or y is None else Samples(x, y)


def _take(samples: Samples, which: Array) -> Samples:
    return Samples(rows(samples.x, which), samples.y[which])


def _augmented(samples: Samples, augment: Augmentation | None) -> Samples:
    """The samples with their copies, where such are asked for; DataError for what is no picture."""
    if augment is None:
        return samples
    augment.check(samples.x.shape[1:])
    return samples if augment.drawn else Samples(*augment.with_copies(samples.x, samples.y))


def _test_to_validate_on(validation: Samples | None, test: Samples | None) -> Samples:
    if validation is not None:
        raise DataError('validation = "test", but the data have a validation part')
    if test is None:
        raise DataError('validation = "test" needs a source with a test part; this one has none')
    return test


def _limited(order: Array, limit: int | None) -> Array:
    if limit is not None and limit > len(order):
        raise DataError(f"train_limit {limit} is more than the {len(order)} samples there are")
    return order[:limit]


def _train_and_validation(order: Array, plan: SplitPlan) -> tuple[Array, Array]:
    limit = plan.train_limit
    count = _count(plan.validation, len(order) if limit is None else limit, "validation")
    if limit is None:
        return _cut(order, count, "validation")
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


def _finish(parts: _Parts, plan: SplitPlan, found: Meaning) -> Splits:
    normalize = scaling_layer(parts[0].x, plan.scaling)
    if found.classes:
        return Splits(*parts, normalize, found.loss, len(found.classes), found.classes)
    mean, scale = parts[0].y.mean(axis=0), parts[0].y.std(axis=0)
    scale = np.where(varies(scale, np.abs(parts[0].y).max(axis=0)), scale, 1.0)
    train, validation, test = (
        None if part is None else attrs.evolve(part, y=(part.y - mean) / scale) for part in parts
    )
    assert train is not None
    assert validation is not None
    return Splits(train, validation, test, normalize, found.loss, len(mean), (), mean, scale)


def scaling_layer(x: Array, scaling: str | None) -> Normalize | None:
    """The layer that scales raw inputs like `x` (N, ...), measured on them.

    "unit": to [0, 1]; "standard": to mean 0 and variance 1; "none": no layer. Vectors of measurements
    are scaled feature by feature. Pixels share one scale, or one per channel with "standard".
    """
    if scaling in ("none", None):
        return None
    pixels = are_pixels(x)
    axes: int | tuple[int, ...] | None = None if pixels else 0
    if scaling == "standard" and x.ndim == 4:
        axes = (0, 1, 2)
    low, high = x.min(axis=axes).astype(np.float64), x.max(axis=axes).astype(np.float64)
    magnitude = np.maximum(abs(low), abs(high))
    if scaling == "unit":
        return _normalize(low, high - low, magnitude)
    mean, deviation = x.mean(axis=axes, dtype=np.float64), x.std(axis=axes, dtype=np.float64)
    return _normalize(mean, deviation, magnitude)


def _normalize(shift: Array, scale: Array, magnitude: Array) -> Normalize:
    """Features that do not vary are shifted only."""
    safe = np.where(varies(scale, magnitude), scale, 1.0)
    return Normalize(np.asarray(shift, np.float32), np.asarray(safe, np.float32))


def varies(spread: Array, magnitude: Array) -> Array:
    """Whether float32 can tell values of that spread apart; what is less is rounding."""
    float32 = np.finfo(np.float32)
    return spread > np.maximum(float32.eps * magnitude, float32.tiny)


def are_pixels(x: Array) -> bool:
    """Whether the values of samples (N, ...) share one range: samples with several axes or of bytes, and
    many columns from 0 to at most 255 that reach about as far."""
    if x.ndim > 2 or x.dtype == np.uint8:
        return True
    if x.shape[1] < LEAST_PIXELS or x.min() != 0 or x.max() > MOST_LIGHT:
        return False
    highest = x.max(axis=0)
    return bool(highest.any() and np.median(highest[highest > 0]) >= SHARED * highest.max())
