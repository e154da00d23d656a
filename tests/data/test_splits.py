import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.data.dataset import Dataset
from nas_surgery.data.labels import meaning
from nas_surgery.data.splits import SplitPlan, scaling_layer, split, stratified_order
from nas_surgery.errors import DataError
from nas_surgery.network import Normalize, keyed_generator


def dataset(count=100, classes=4, test=0, features=2):
    """Sample i holds the number i, so that every sample can be told where it went."""

    def part(first, size):
        numbers = np.arange(first, first + size)
        return np.tile(numbers[:, None], features) + 0.5, numbers % classes

    return Dataset(*part(0, count), *(part(count, test) if test else (None, None)))


def numbers(samples):
    """Which samples a part holds, in order."""
    return samples.x[:, 0].astype(int).tolist()


def parts(splits):
    """All three parts by number; an absent one is empty."""
    held = (splits.train, splits.validation, splits.test)
    return [[] if part is None else numbers(part) for part in held]


@pytest.mark.parametrize(
    ("plan", "test", "sizes"),
    [
        (SplitPlan(), 0, (64, 16, 20)),  # a fifth for the test part first, then of the rest
        (SplitPlan(test=0.5, validation=0.1), 0, (45, 5, 50)),
        (SplitPlan(validation=7), 0, (73, 7, 20)),
        (SplitPlan(validation=7), 30, (93, 7, 30)),  # the official test part
        (SplitPlan(validation=0.25), 30, (75, 25, 30)),
        (SplitPlan(train_limit=40), 30, (40, 8, 30)),  # a fraction of the limit
        (SplitPlan(train_limit=40, validation=60), 30, (40, 60, 30)),
        (SplitPlan(train_limit=40, validation=10), 0, (40, 10, 20)),
        (SplitPlan(validation="test"), 30, (100, 30, 0)),
        (SplitPlan(train_limit=40, validation="test"), 30, (40, 30, 0)),
    ],
)
def test_the_parts_have_the_sizes_asked_for(plan, test, sizes):
    """Whatever is left over is not used, and no sample is used twice."""
    held = parts(split(dataset(test=test), plan))
    assert tuple(map(len, held)) == sizes
    used = [number for part in held for number in part]
    assert len(set(used)) == len(used)
    if test:
        official = held[1] if plan.validation == "test" else held[2]
        assert official == list(range(100, 100 + test))
        assert max(held[0]) < 100


def test_without_shuffling_the_file_order_is_kept():
    """The first train, those after them validate, and a test part is cut off the end."""
    held = parts(split(dataset(), SplitPlan(train_limit=30, validation=10, shuffle=False)))
    assert held == [list(range(30)), list(range(30, 40)), list(range(80, 100))]
    held = parts(split(dataset(), SplitPlan(validation=10, shuffle=False)))
    assert held == [list(range(70)), list(range(70, 80)), list(range(80, 100))]


def test_the_split_depends_on_its_seed_alone():
    """The same seed gives the same parts in the same order; another one gives others."""
    first, again = (parts(split(dataset(), SplitPlan(seed=3))) for _ in range(2))
    assert first == again
    assert first != parts(split(dataset(), SplitPlan(seed=4)))


def test_a_smaller_limit_takes_the_first_of_the_same_permutation():
    """So that studies over `train_limit` are nested, and the test part never changes."""
    small, large = (split(dataset(), SplitPlan(train_limit=n, validation=5)) for n in (20, 50))
    assert numbers(large.train)[:20] == numbers(small.train)
    assert numbers(large.test) == numbers(small.test)


def test_the_digest_names_the_samples_and_their_order():
    """Two runs on the same digest saw the same data."""
    digests = {
        split(dataset(), plan).digest
        for plan in (SplitPlan(), SplitPlan(), SplitPlan(seed=1), SplitPlan(validation=5))
    }
    assert len(digests) == 3


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 999), st.data())
def test_every_stretch_holds_the_classes_in_their_proportions(counts, seed, data):
    """In the first m of N samples, class k of n_k differs from n_k·m/N by at most 1 + K·n_k/N.

    Each class is spread evenly over [0, 1) with one sample in each of its n_k cells, so that a cut at
    t holds n_k·t ± 1 of it, and the cut that holds m samples lies at m/N ± K/N.
    """
    labels = np.repeat(np.arange(len(counts)), counts)
    order = stratified_order(keyed_generator(seed, "test"), labels)
    assert sorted(order) == list(range(len(labels)))
    m = data.draw(st.integers(0, len(labels)))
    for k, n in enumerate(counts):
        found = np.sum(labels[order[:m]] == k)
        assert abs(found - n * m / len(labels)) <= 1 + len(counts) * n / len(labels)


def test_members_of_a_class_are_drawn_evenly():
    """Stratifying shuffles within each class: every sample is in the first half half of the time."""
    labels = np.arange(40) % 2
    first = np.zeros(40)
    for seed in range(400):
        first[stratified_order(keyed_generator(seed, "test"), labels)[:20]] += 1
    assert np.all(np.abs(first / 400 - 0.5) < 0.11)  # 4.4 standard deviations


@pytest.mark.parametrize(
    ("plan", "test", "rule"),
    [
        (SplitPlan(validation=0.001), 0, "validation = 0.001 leaves the validation part empty"),
        (SplitPlan(test=0.001), 0, "test = 0.001 leaves the test part empty, of 100 samples"),
        (SplitPlan(validation=80), 0, "80 validation samples leave none of 80 to train on"),
        (SplitPlan(validation=999), 0, "leave none"),
        (SplitPlan(train_limit=81), 0, "more than the 80 samples of the training part"),
        (SplitPlan(train_limit=70, validation=11), 0, "train_limit 70 and 11 validation samples"),
        (SplitPlan(validation="test"), 0, "needs a source with a test part"),
        (SplitPlan(validation="test", train_limit=101), 9, "more than the 100 samples there are"),
        (SplitPlan(test=0, validation=100), 0, "leave none of 100"),
    ],
)
def test_parts_that_do_not_fit_are_refused(plan, test, rule):
    """Before anything is trained on the wrong number of samples."""
    with pytest.raises(DataError, match=rule):
        split(dataset(test=test), plan)


def test_two_parts_to_validate_on_are_refused():
    """Which one is meant is not guessed."""
    with pytest.raises(DataError, match='"test", but the data have a validation part'):
        split(with_validation(9), SplitPlan(validation="test"))
    with pytest.raises(DataError, match="train_limit 101 is more than the 100 samples"):
        split(with_validation(9), SplitPlan(train_limit=101))


X = np.random.default_rng(0).normal(size=(30, 3))
THREE = np.arange(30) % 3


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (THREE, ("0", "1", "2")),
        (THREE.astype(np.uint8), ("0", "1", "2")),
        (THREE[:, None], ("0", "1", "2")),  # a column, as some archives hold them
        (np.array(["oak", "elm", "ash"])[THREE], ("ash", "elm", "oak")),
        (np.array([b"oak", b"elm", b"ash"])[THREE], ("ash", "elm", "oak")),
        (THREE > 0, ("False", "True")),
        (THREE * 2 - 1, ("-1", "1", "3")),
        (THREE + 1000, ("1000", "1001", "1002")),
        (np.array([2**64 - 1, 5], np.uint64)[THREE % 2], ("5", "18446744073709551615")),
        (THREE.astype(np.float32) + 1, ("1", "2", "3")),
        ((THREE % 2).astype(object), ("0", "1")),
    ],
)
def test_classes_are_numbered_in_their_order(labels, names):
    """Whatever they are called, and the test part by the same numbers; the labels stay what they are."""
    splits = split(Dataset(X, labels, X, labels), SplitPlan())
    assert splits.class_names == names
    assert splits.outputs == len(names)
    assert (splits.loss, splits.metric) == ("cross_entropy", "accuracy")
    given = [v.decode() if isinstance(v, bytes) else v for v in labels.ravel().tolist()]
    assert [splits.classes[index] for index in splits.test.y] == given
    assert list(map(type, splits.classes)) == [type(given[0])] * len(names)
    assert splits.task == "classification"


def test_a_test_part_need_not_hold_every_class():
    """Its labels keep the numbers of the training part."""
    labels = np.array(["a", "b", "c"])[THREE]
    assert split(Dataset(X, labels, X[:2], ["c", "a"]), SplitPlan()).test.y.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("labels", "test_labels", "rule"),
    [
        (
            np.arange(30),
            None,
            "30 different whole numbers as labels of 30 samples: give training.loss",
        ),
        (np.arange(30) // 2 + THREE // 2, None, "different whole numbers as labels"),
        (THREE * 0, None, "at least two classes, got 1"),
        (THREE, THREE + 1, "test label 3 is not one of the 3 classes"),
        (THREE.astype(str), np.full(30, "x"), "test label x is not one of"),
        (THREE, THREE.astype(str), "the classes are numbers, but test labels strings"),
        (THREE, THREE + 0.5, "test labels must be whole numbers"),
        (np.array(["2020-01-01"] * 30, "M8[D]"), None, "must be whole numbers, strings or bools"),
    ],
)
def test_labels_that_no_class_follows_from_are_refused(labels, test_labels, rule):
    """They would be trained as something else."""
    x_test = None if test_labels is None else X
    with pytest.raises(DataError, match=rule):
        split(Dataset(X, labels, x_test, test_labels), SplitPlan())


def test_the_loss_can_be_chosen():
    """What labels look like decides only where it is not."""
    floats = np.arange(30.0) // 4
    assert split(Dataset(X, floats), SplitPlan()).loss == "mean_squared_error"
    assert split(Dataset(X, floats), SplitPlan(), "cross_entropy").classes == tuple(range(8))
    many = np.arange(30) // 2 + THREE // 2
    assert split(Dataset(X, many), SplitPlan(), "mean_squared_error").task == "regression"
    assert split(Dataset(X, many), SplitPlan(), "cross_entropy").task == "classification"
    assert split(Dataset(X, THREE), SplitPlan(), "mean_squared_error").metric == "r2"
    with pytest.raises(DataError, match="class labels must be whole numbers"):
        split(Dataset(X, floats + 0.5), SplitPlan(), "cross_entropy")
    with pytest.raises(DataError, match="regression needs numbers as targets"):
        split(Dataset(X, floats.astype(str)), SplitPlan(), "mean_squared_error")


N = np.arange(1000)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (N % 100, 100),
        (N % 101, None),  # more than a table of classes has
        (N % 100.0, 100),
        (N % 101.0, 0),
        (N[:100] % 11.0, 0),  # fewer than ten samples to each
        (N[:9] % 2.0, 2),
        (N[:9] * 0.0, 0),  # constant
        (N[:100] % 3 + 0.5, 0),  # not whole
        (N[:12] % 6, 6),
        (N[:11] % 6, None),
        (np.eye(3)[N % 3], 3),
        (np.eye(3, dtype=bool)[N % 3], 3),
        (np.eye(4, dtype=int)[N % 3], 4),  # a class that no sample has
        (np.eye(3)[N % 3] * 2, 0),
        (np.eye(3)[N % 3] + np.eye(3)[N % 2], 0),
        (np.eye(3)[N % 3].clip(0, N[:, None] % 2), None),  # rows of zeros
        (np.eye(3, dtype=int)[N % 3] * 7, None),
        (np.array([["a", "b"]] * 9), None),
    ],
)
def test_what_labels_are_follows_from_a_rule(labels, classes):
    """So many classes, 0 for a regression, None for a refusal that says what to give."""
    data = Dataset(np.zeros((len(labels), 2)), labels)
    if classes is None:
        with pytest.raises(DataError, match=r"training\.loss"):
            meaning(data)
    else:
        found = meaning(data)
        assert len(found.classes) == classes
        assert found.loss == ("cross_entropy" if classes else "mean_squared_error")


def test_one_hot_labels_train_as_their_columns():
    """As classes 0, 1, …; where the test part comes otherwise, it is refused."""
    hot = np.eye(3)[THREE]
    splits = split(Dataset(X, hot, X, hot), SplitPlan())
    assert splits.classes == (0, 1, 2)
    assert np.array_equal(splits.test.y, THREE)
    with pytest.raises(DataError, match=r"labels of shape \(30, 3\), but test labels of \(30,\)"):
        split(Dataset(X, hot, X, THREE), SplitPlan())
    assert split(Dataset(X, hot), SplitPlan(), "mean_squared_error").outputs == 3


def test_whole_numbers_are_equal_whatever_their_type():
    """Float labels of a test part name the classes of whole ones."""
    assert split(Dataset(X, THREE, X, THREE + 0.0), SplitPlan()).test.y.tolist() == THREE.tolist()


def with_validation(test=0):
    """100 samples to train on, 10 to validate on, from 500."""
    made = dataset(test=test)
    more = dataset(10)
    return attrs.evolve(made, x_validation=more.x + 500, y_validation=more.y)


@pytest.mark.parametrize(
    ("plan", "test", "sizes"),
    [
        (SplitPlan(), 30, (100, 10, 30)),
        (SplitPlan(), 0, (80, 10, 20)),
        (SplitPlan(test=0), 0, (100, 10, 0)),
        (SplitPlan(train_limit=40), 30, (40, 10, 30)),
    ],
)
def test_a_validation_part_is_used_as_it_is(plan, test, sizes):
    """And nothing is held out beside it."""
    held = parts(split(with_validation(test), plan))
    assert tuple(map(len, held)) == sizes
    assert held[1] == list(range(500, 510))


def test_a_test_part_is_not_needed():
    """With `test = 0` there is none, and its samples train and validate; an official one stays."""
    splits = split(dataset(), SplitPlan(test=0))
    assert splits.test is None
    assert (len(splits.train), len(splits.validation)) == (80, 20)
    assert len(split(dataset(test=9), SplitPlan(test=0)).test) == 9


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 2)])
def test_targets_are_standardised_by_the_training_samples(shape):
    """Mean 0 and variance 1 there, the same shift and scale everywhere, and back again."""
    targets = 5 + 3 * np.random.default_rng(1).normal(size=shape)
    splits = split(Dataset(X, targets), SplitPlan(shuffle=False))
    outputs = 1 if len(shape) == 1 else shape[1]
    assert splits.train.y.shape == (20, outputs)
    assert splits.outputs == outputs
    assert np.allclose(splits.train.y.mean(axis=0), 0)
    assert np.allclose(splits.train.y.std(axis=0), 1)
    raw = np.concatenate([splits.train.y, splits.validation.y, splits.test.y])
    restored = raw * splits.target_scale + splits.target_mean
    assert np.allclose(restored, targets.reshape(30, outputs))


def test_a_constant_target_is_only_shifted():
    """Nothing is divided by zero."""
    splits = split(Dataset(X, np.full(30, 7.5)), SplitPlan())
    assert splits.target_scale.tolist() == [1]
    assert not splits.train.y.any()


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_scaling_is_measured_on_the_training_samples_alone(scaling):
    """What validation and test samples hold cannot leak into the network."""
    x = np.random.default_rng(2).normal(size=(100, 3))
    plan = SplitPlan(scaling=scaling, shuffle=False, validation=20)
    before = split(Dataset(x, np.arange(100) % 2), plan).normalize
    x[60:] *= 1000  # validation and test samples
    after = split(Dataset(x, np.arange(100) % 2), plan).normalize
    for name in ("mean", "scale"):
        assert np.array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_a_constant_column_is_only_shifted(scaling, dtype):
    """Also where its mean is rounded, or its values differ by less than float32 can tell."""
    x = np.random.default_rng(7).normal(size=(1001, 3))
    x[:, 1], x[:, 2] = 0.1, 1e6 + 1e-3 * x[:, 2]
    layer = scaling_layer(x.astype(dtype), scaling)
    assert layer.scale[1:].tolist() == [1, 1]
    assert np.abs(layer.forward(x[:, :].astype(np.float32))[:, 1:]).max() < 1


def test_a_target_that_is_constant_but_for_rounding_is_only_shifted():
    """Its deviation is not zero, and nothing is divided by that."""
    splits = split(Dataset(X[:30], np.full(30, 0.1)), SplitPlan())
    assert splits.target_scale.tolist() == [1]


def scaled(x, scaling):
    """The inputs behind the layer that was measured on them."""
    return scaling_layer(x, scaling).forward(x.astype(np.float64))


def test_measurements_are_scaled_feature_by_feature():
    """To [0, 1], or to mean 0 and variance 1; what does not vary is only shifted."""
    x = np.random.default_rng(3).normal(size=(50, 4)) * [1, 10, 1e-3, 0] + [0, 5, 5, 7]
    unit = scaled(x, "unit")
    assert np.allclose(unit.min(axis=0), 0, atol=1e-3)
    assert np.allclose(unit.max(axis=0), [1, 1, 1, 0], atol=1e-3)
    standard = scaled(x, "standard")
    assert np.allclose(standard.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(standard.std(axis=0), [1, 1, 1, 0], atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 6), (20, 4, 5), (20, 4, 5, 3)])
def test_pixels_share_one_scale(shape):
    """A pixel that is always dark stays dark beside its neighbours."""
    x = np.random.default_rng(4).integers(0, 256, shape).astype(np.uint8)
    x.flat[0], x.flat[1] = 0, 255
    layer = scaling_layer(x, "unit")
    assert layer.mean.shape == layer.scale.shape == ()
    assert (float(layer.mean), float(layer.scale)) == (0, 255)
    standard = scaled(x, "standard")
    axes = (0, 1, 2) if x.ndim == 4 else None  # one scale per channel
    assert np.allclose(standard.mean(axis=axes), 0, atol=1e-6)
    assert np.allclose(standard.std(axis=axes), 1, atol=1e-6)


def test_images_of_fractions_are_pixels_too():
    """What has axes of its own is an image whatever its numbers are."""
    x = np.random.default_rng(6).normal(size=(20, 4, 5))
    assert scaling_layer(x, "unit").scale.shape == ()
    assert scaling_layer(x, "standard").scale.shape == ()


def test_digits_of_unit_range_are_pixels_and_fractions_are_not():
    """Many columns from 0 to about the same number are taken for pixels, in vectors too."""
    x = np.random.default_rng(5).integers(0, 17, (50, 64))
    assert scaling_layer(x, "unit").scale.shape == ()
    assert scaling_layer(x - 1, "unit").scale.shape == (64,)
    assert scaling_layer(x + 0.5, "unit").scale.shape == (64,)
    assert scaling_layer(x * 100, "unit").scale.shape == (64,)


def test_without_scaling_there_is_no_layer():
    """The network takes raw inputs as they are."""
    assert split(dataset(), SplitPlan(scaling="none")).normalize is None


@pytest.mark.parametrize("factor", [1e-60, 1e30, 1e-30])
@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_extreme_ranges_give_a_valid_layer(factor, scaling):
    """Finite in float32, and without zeros; what float32 cannot tell apart does not vary."""
    layer = scaling_layer(X * factor, scaling)
    assert isinstance(layer, Normalize)
    assert np.isfinite(layer.mean).all()
    assert np.isfinite(layer.scale).all()
    assert np.all(layer.scale > 0)


def test_the_plan_holds_the_keys_of_the_data_table():
    """One name for one thing; where data come from, and what their columns are, is no part of it."""
    from nas_surgery.runs.spec import DataSpec

    fields = {field.name for field in attrs.fields(SplitPlan)}
    others = {"source", "target", "missing"}
    assert fields == {field.name for field in attrs.fields(DataSpec)} - others
