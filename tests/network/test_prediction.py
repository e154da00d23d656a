"""What `Network.predict` says: labels in the user's own kind, or values."""

import attrs
import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import DataError, ModelFileError, NetworkError
from nas_surgery.formats.safetensors import described, from_description, named_arrays
from nas_surgery.network import prediction
from nas_surgery.network.prediction import probabilities

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
PLACE = np.arange(200).reshape(50, 4) == 9
NETWORK = ns.Network.dense(4, (6,), 3, seed=2)
KINDS = [(7, -1, 3), (0.0, 1.0, 2.5), ("oak", "Ulme", ""), (2**64 - 1, 0, 5)]


def telling(*classes):
    """A network whose outputs have those labels."""
    return attrs.evolve(ns.Network.dense(4, (6,), len(classes), seed=2), classes=classes)


@pytest.mark.parametrize("classes", [*KINDS, (False, True)], ids=str)
def test_labels_come_back_in_their_own_kind(classes):
    """The label of the largest output, one for each sample."""
    network = telling(*classes)
    found = network.predict(X)
    assert found.tolist() == [classes[i] for i in network.forward(X).argmax(axis=1)]
    assert {type(label) for label in found.tolist()} == {type(classes[0])}


def test_without_classes_the_outputs_come_back():
    """As `forward` gives them, and one output as a vector."""
    assert np.array_equal(NETWORK.predict(X), NETWORK.forward(X))
    single = ns.Network.dense(4, (6,), 1)
    assert np.array_equal(single.predict(X.tolist()), single.forward(X)[:, 0])
    assert NETWORK.predict(X[:0]).shape == (0, 3)


def test_many_samples_are_predicted_in_batches(monkeypatch):
    """To the same values, whatever is left over."""
    whole = NETWORK.predict(X)
    sizes, forward = [], ns.Network.forward
    monkeypatch.setattr(prediction, "BATCH_VALUES", 48)
    monkeypatch.setattr(
        ns.Network, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x)
    )
    assert np.allclose(NETWORK.predict(X), whole, atol=1e-6)
    assert sizes == [8] * 6 + [2]


def test_probabilities_are_the_softmax_of_the_outputs():
    """Also of large ones."""
    steep = NETWORK.replace({2: (ns.Dense(NETWORK.layers[2].kernel * 1e4),)})
    for network in (NETWORK, steep):
        found, logits = probabilities(network.outputs(X)), network.forward(X).astype(np.float64)
        assert np.allclose(found.sum(axis=1), 1)
        assert np.array_equal(found.argmax(axis=1), logits.argmax(axis=1))
    ratios = np.exp(np.diff(NETWORK.forward(X).astype(np.float64)))
    found = probabilities(NETWORK.outputs(X))
    assert np.allclose(found[:, 1:] / found[:, :-1], ratios)


@pytest.mark.parametrize(
    ("x", "rule"),
    [
        (X[:, :3], r"inputs of shape \(N, 4\) are needed, got \(50, 3\)"),
        (X[0], r"got \(4,\)"),
        (1.0, r"got \(\)"),
        ([[1, 2, 3, "four"]], "got text .'four' in row 0, column 3"),
        (np.where(PLACE, np.nan, X), "1 of the inputs is NaN .* row 2, column 1"),
        (np.ma.masked_where(PLACE, X), "1 of the inputs is masked.* row 2, column 1"),
    ],
)
def test_what_cannot_be_predicted_is_refused(x, rule):
    """In one line that says where."""
    with pytest.raises(DataError, match=rule) as refusal:
        NETWORK.predict(x)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("classes", "rule"),
    [
        ((1, 2), "3 outputs cannot tell 2 classes apart"),
        ((1, 2, "3"), "got int, str"),
        ((1, 2, True), "got bool, int"),
        ((1, 2, None), "got NoneType, int"),
        ((1, 2, 1), "same label"),
        ((-1, 0, 2**63), "64 bits"),
        ((0, 1, 2**64), "64 bits"),
        ((1.0, 2.0, np.inf), "NaN or infinite"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes, rule):
    """When the network is made."""
    with pytest.raises(NetworkError, match=rule):
        attrs.evolve(NETWORK, classes=classes)


def test_classes_go_along_with_every_edit():
    """Surgery, new weights and another precision."""
    network = telling("a", "b", "c")
    wider = ns.operation("add_neurons", layer=0, count=2)(network)
    assert wider.classes == network.classes
    assert network.astype(np.float64).classes == network.classes
    assert network.with_parameters(network.parameters()).classes == network.classes
    assert network.equals(NETWORK), "classes are names; the structure is the same"


@pytest.mark.parametrize("suffix", ["safetensors", "onnx"])
@pytest.mark.parametrize("classes", [*KINDS, None], ids=str)
def test_files_hold_the_classes(tmp_path, suffix, classes):
    """In their own kind; without any, files are as they were before there were classes."""
    network = attrs.evolve(NETWORK, classes=classes)
    ns.save(network, tmp_path / f"a.{suffix}")
    found = ns.load(tmp_path / f"a.{suffix}")
    assert found.classes == classes
    assert list(map(type, found.classes or ())) == list(map(type, classes or ()))
    assert found.equals(network)
    assert ("classes" in described(network)) == (classes is not None)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('["a", "b", "d"]', "SHA-256 of classes"),
        ('["a", "b"]', "3 outputs cannot tell 2"),
        ('["a", "b", ["c"]]', "got list, str"),
        ('["a", "b", 1]', "got int, str"),
        ('{"a": 1}', "not a list"),
        ("null", "SHA-256 of classes"),
    ],
)
def test_damaged_classes_are_refused(text, rule):
    """Whether they could be classes or not."""
    network = telling("a", "b", "c")
    damaged = described(network).replace('"classes": ["a", "b", "c"]', f'"classes": {text}')
    with pytest.raises(ModelFileError, match=rule):
        from_description(damaged, named_arrays(network))
