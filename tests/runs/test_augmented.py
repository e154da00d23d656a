"""Runs whose training samples are varied, and whose images come from a folder."""

import numpy as np
import pytest
from PIL import Image

import nas_surgery as ns
from nas_surgery.errors import NasSurgeryError
from nas_surgery.runs.spec import Spec
from nas_surgery.testing.agreement import read_journal

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.integers(0, 256, (120, 6, 5, 1), dtype=np.uint8), np.arange(120) % 3
AUGMENT = {"flip": "horizontal", "translate": 2}
SPEC = {
    "data": {"augment": AUGMENT},
    "network": {"hidden": [8]},
    "search": {"strategy": "paper", "initial_epochs": 2, "epoch_step": 1, "max_epochs": 3},
}


def first_curve(directory):
    """Training losses after each epoch of the first job that trains."""
    outcomes = [r for r in read_journal(directory) if r.get("curve")]
    return [point["training_loss"] for point in outcomes[0]["curve"]]


@pytest.fixture(scope="module")
def numpy_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("augmented") / "run"
    ns.run(SPEC, data=(X, Y), out=directory)
    return directory


@pytest.mark.parametrize("backend", [b for b in ("torch", "tensorflow") if b in ns.backends()])
def test_every_backend_sees_the_same_pictures(backend, numpy_run, tmp_path):
    """Losses agree to float32, and are not those of the samples as they came."""
    ns.run(SPEC, overrides={"training.backend": backend}, data=(X, Y), out=tmp_path / "run")
    assert first_curve(tmp_path / "run") == pytest.approx(first_curve(numpy_run), rel=1e-4)
    ns.run({**SPEC, "data": {}}, data=(X, Y), out=tmp_path / "plain")
    assert first_curve(tmp_path / "plain") != pytest.approx(first_curve(numpy_run), rel=1e-3)


def test_worker_processes_draw_the_same(numpy_run, tmp_path):
    """Byte for byte."""
    workers = {"run.executor": "processes", "run.workers": 2}
    ns.run(SPEC, overrides=workers, data=(X, Y), out=tmp_path / "run")
    mine, theirs = (
        (folder / "journal.jsonl").read_bytes() for folder in (tmp_path / "run", numpy_run)
    )
    assert mine == theirs


def test_copies_are_made_of_training_samples_alone():
    """The validation and the test part stay as they are; the summary counts what is trained on."""
    copies = {"data.augment": {**AUGMENT, "mode": "copies"}}
    data = ns.run(SPEC, overrides=copies, data=(X, Y, X[:30], Y[:30])).summary["data"]
    assert (data["train"], data["validation"], data["test"]) == (6 * 96, 24, 30)


@pytest.mark.parametrize(
    ("augment", "rule"),
    [
        ({}, "data.augment: flip or translate is needed"),
        ("both", "data.augment must be a table"),
        ({"flip": "sideways"}, "data.augment.flip must be one of 'horizontal'"),
        ({"translate": -1}, "data.augment.translate must be a whole number"),
        ({"flop": "both"}, "did you mean 'data.augment.flip'?"),
        ({"translate": 5}, "shifts samples of shape (6, 5, 1) out of view"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(augment, rule):
    """By key and rule, before anything is trained."""
    with pytest.raises(NasSurgeryError) as refusal:
        ns.run({**SPEC, "data": {"augment": augment}}, data=(X, Y))
    assert rule in str(refusal.value)


def test_vectors_and_tables_are_no_pictures(tmp_path):
    """The error names the source and the key."""
    (tmp_path / "a.csv").write_text("a,b,c\n" + "1,2,x\n3,4,y\n" * 30)
    for source in ("sklearn:digits", f"csv:{tmp_path}/a.csv"):
        with pytest.raises(
            ns.NasSurgeryError, match=r"data\.augment needs pictures of shape"
        ) as refusal:
            ns.run({"data": {"source": source, "augment": AUGMENT}})
        assert source in str(refusal.value)


def test_a_spec_finds_pictures_beside_it(tmp_path, monkeypatch):
    """Relative to its folder, with a size or without; the network takes their shape."""
    for label in ("ant", "bee"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for i in range(10):
            image = Image.fromarray(GENERATOR.integers(0, 256, (6, 5, 3), dtype=np.uint8))
            image.save(tmp_path / "mine" / label / f"{i}.png")
    monkeypatch.chdir("/")
    for size, shape in (("", (6, 5, 3)), ("@4x4", (4, 4, 3))):
        (tmp_path / "a.toml").write_text(f'[data]\nsource = "images:mine{size}"\n')
        spec = Spec.from_toml(tmp_path / "a.toml")
        assert spec.data.source == f"images:{tmp_path}/mine{size}"
        result = ns.run(tmp_path / "a.toml", overrides={"search.max_epochs": 1})
        assert result.network.input_shape == shape
        assert result.summary["classes"] == ["ant", "bee"]
