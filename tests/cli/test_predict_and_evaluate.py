"""`nas-surgery predict` and `evaluate`: on arrays, and on any data source."""

import csv
import json

import attrs
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, log_loss, r2_score

import nas_surgery as ns
from nas_surgery.network.prediction import probabilities
from nas_surgery.testing.command import call

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", 'with "quotes"', "with, comma"])
NETWORK = ns.Network.dense(4, (6,), 3, seed=3)
NAMED = attrs.evolve(NETWORK, classes=tuple(NAMES.tolist()))
VALUES = ns.Network.dense(4, (5,), 1, seed=3)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Models and data in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, network in {"plain": NETWORK, "named": NAMED, "values": VALUES}.items():
        ns.save(network, f"{name}.safetensors")
    np.save("x.npy", X)
    np.save("names.npy", NAMES[Y])
    np.save("y.npy", Y)
    np.savez("only.npz", samples=X)
    np.savez("pair.npz", x=X, y=NAMES[Y])
    np.savez("parts.npz", x_train=X[:9], y_train=Y[:9] // 3, x_test=X, y_test=Y)
    return tmp_path


@pytest.mark.parametrize("data", ["x.npy", "only.npz", "pair.npz", "parts.npz"])
def test_predictions_are_printed_one_to_a_line(data):
    """By the names of the classes, as CSV, from every kind of file."""
    code, out, err = call("predict", "named.safetensors", "--data", data)
    assert (code, err) == (0, "")
    assert [row[0] for row in csv.reader(out.splitlines())] == NAMED.predict(X).tolist()


def test_values_and_probabilities_are_printed_in_columns():
    """Those of a regression in one; of a network without names every output."""
    rows = call("predict", "values.safetensors", "--data", "x.npy")[1].splitlines()
    assert np.array_equal(np.array(rows, np.float32), VALUES.predict(X))
    rows = call("predict", "plain.safetensors", "--data", "x.npy")[1].splitlines()
    assert np.array_equal(np.array([r.split(",") for r in rows], np.float32), NETWORK.forward(X))
    rows = call("predict", "named.safetensors", "--data", "x.npy", "--probabilities")[
        1
    ].splitlines()
    assert np.array_equal(
        np.array([r.split(",") for r in rows], float), probabilities(NAMED.outputs(X))
    )


def test_outputs_with_positions_are_printed_too(here):
    """All values of a sample in one line; what needs one vector for each sample refuses them in one line."""
    network = ns.Network((2, 2), [ns.Dense(np.eye(2, 3, dtype=np.float32))])
    x = np.arange(12.0).reshape(3, 2, 2)
    ns.save(network, "positions.onnx")
    np.save("x.npy", x)
    np.savez("pair.npz", x=x, y=[0, 1, 0])
    rows = call("predict", "positions.onnx", "--data", "x.npy")[1].splitlines()
    found = np.array([row.split(",") for row in rows], np.float32)
    assert np.array_equal(found, network.forward(x).reshape(3, 6))
    code, _, err = call("evaluate", "positions.onnx", "--data", "pair.npz")
    assert code == 2
    assert "one vector of outputs is needed for each sample, got shape (2, 3)" in err
    assert call("inspect", "positions.onnx")[0] == 0
    message = "one vector of outputs is needed for each sample"
    with pytest.raises(ns.NasSurgeryError, match=message):
        ns.run({}, network=network, data=(np.tile(x, (9, 1, 1)), [0, 1, 0] * 9), out=here / "run")


@pytest.mark.parametrize("name", ["out.npy", "out.csv", "out.txt"])
def test_predictions_are_written_to_a_file(here, name):
    """Which is not overwritten unless it is asked for."""
    command = ("predict", "named.safetensors", "--data", "x.npy", "-o", name)
    assert call(*command)[:2] == (0, f"{name}: 150 predictions\n")
    if name.endswith(".npy"):
        found = np.load(name).tolist()
    else:
        found = [row[0] for row in csv.reader((here / name).read_text().splitlines())]
    assert found == NAMED.predict(X).tolist()
    code, _, err = call(*command)
    assert (code, "--force overwrites it" in err) == (2, True)
    assert call(*command, "--force")[0] == 0


def test_labels_command_no_terminal():
    """A model file of unknown origin may call a class anything."""
    odd = attrs.evolve(NAMED, classes=("oak", "élm \x1b[2J", "\x07"))
    ns.save(odd, "odd.safetensors")
    said = call("predict", "odd.safetensors", "--data", "x.npy")[1]
    assert "\x1b" not in said
    assert set(said.split("\n")) <= {"oak", "élm \\x1b[2J", "\\x07", ""}


def test_predictions_as_json():
    """One object with the classes in the order of the outputs."""
    held = json.loads(call("predict", "named.safetensors", "--data", "x.npy", "--json")[1])
    wanted = {"samples": 150, "classes": NAMES.tolist(), "predictions": NAMED.predict(X).tolist()}
    assert held == wanted


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("predict", "named.safetensors", "--data", "missing.npy"), "missing.npy: No such file"),
        (("predict", "named.safetensors", "--data", "named.safetensors"), "must be .npy or .npz"),
        (("predict", "named.safetensors", "--data", "two.npz"), "Call it x; there are a, b"),
        (("predict", "named.safetensors", "--data", "none.npz"), "none.npz: x missing; it holds nothing"),
        (("predict", "named.safetensors", "--data", "y.npy"), "y.npy: inputs of shape (N, 4) are needed"),
        (("predict", "named.safetensors", "--data", "nan.npy"), "nan.npy: 600 of the inputs are NaN"),
        (("predict", "named.safetensors", "--data", "cut.npy"), "cut.npy: it declares shape"),
        (("predict", "named.safetensors", "--data", "x.npy", "-o", "x.pdf"), "must be one of .npy, .csv"),
        (("predict", "values.safetensors", "--data", "x.npy", "--probabilities"), "outputs are values"),
        (("evaluate", "named.safetensors", "--data", "x.npy"), "--labels FILE.npy"),
        (("evaluate", "named.safetensors", "--data", "x.npy", "--labels", "y.npy"), "the classes are strings"),
        (("evaluate", "named.safetensors", "--data", "x.npy", "--labels", "x.npz"), "x.npz: the suffix must be .npy"),
        (("evaluate", "named.safetensors", "--data", "sklearn:wine"), "sklearn:wine: inputs of shape (N, 4)"),
        (("evaluate", "plain.safetensors", "--data", "x.npy", "--labels", "many.npy"), "3 outputs, the data 150 classes"),
        (("evaluate", "values.safetensors", "--data", "pair.npz"), "regression needs numbers"),
        (("evaluate", "named.safetensors", "--data", "nowhere:x"), "unknown; sources are"),
    ],
)  # fmt: skip
def test_what_does_not_fit_ends_in_one_line(here, arguments, rule):
    """And exit code 2; nothing is written."""
    np.savez("two.npz", a=X, b=X)
    np.savez("none.npz")
    np.save("nan.npy", X * np.nan)
    np.save("many.npy", np.arange(150))
    (here / "cut.npy").write_bytes((here / "x.npy").read_bytes()[:-8])
    before = sorted(here.iterdir())
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert rule in err
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("model", "data", "labels"),
    [
        ("named", ("pair.npz",), NAMES),
        ("named", ("x.npy", "--labels", "names.npy"), NAMES),
        ("plain", ("sklearn:iris",), range(3)),
        ("plain", ("x.npy", "--labels", "y.npy"), range(3)),
        ("plain", ("parts.npz",), range(3)),
        ("plain", ("npz:parts.npz",), range(3)),
        ("plain", ("pair.npz",), NAMES),  # sorted as they are
    ],
)
def test_classifications_are_measured(model, data, labels):
    """Accuracy and loss as scikit-learn has them, on the test part where there is one."""
    code, out, _ = call("evaluate", f"{model}.safetensors", "--data", *data, "--json")
    held = json.loads(out)
    shares = probabilities(NETWORK.outputs(X))
    assert (code, held["samples"], held["task"]) == (0, 150, "classification")
    assert held["part"] == ("test" if "parts" in data[0] else "all")
    assert held["accuracy"] == pytest.approx(accuracy_score(Y, shares.argmax(axis=1)))
    assert held["loss"] == pytest.approx(log_loss(Y, shares), rel=1e-6)


def test_regressions_are_measured():
    """R² on the targets as they are."""
    np.savez("pair.npz", x=X, y=X[:, 0])
    code, out, _ = call("evaluate", "values.safetensors", "--data", "pair.npz")
    quality, loss, samples = out.splitlines()
    assert code == 0
    assert quality == f"R²        {r2_score(X[:, 0], VALUES.predict(X)):.4f}"
    assert loss == f"loss      {np.mean((X[:, 0] - VALUES.predict(X)) ** 2):.4f}"
    assert samples == "samples   150 (all there are, as the data have no test part)"
