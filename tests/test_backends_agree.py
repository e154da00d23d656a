"""The backends are equal: the same outcomes lead to the same decisions, and so do their own outcomes."""

from pathlib import Path

import pytest

import nas_surgery as ns
from nas_surgery.testing.agreement import parting, read_journal
from nas_surgery.testing.runs import finish

SPEC = {
    "data": {"source": "sklearn:digits", "train_limit": 400, "validation": 200},
    "network": {"hidden": [12, 8]},
    "training": {"learning_rate": 0.02},
    "search": {"strategy": "paper", "initial_epochs": 2, "epoch_step": 2, "max_epochs": 8},
}
OTHERS = [name for name in ("torch", "tensorflow") if name in ns.backends()]


@pytest.fixture(scope="module")
def numpy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agree") / "numpy"
    ns.run(SPEC, out=directory)
    return directory


@pytest.mark.parametrize("backend", OTHERS)
def test_the_outcomes_of_one_backend_lead_another_to_the_same_decisions(
    backend: str, numpy_run: Path, tmp_path: Path
) -> None:
    """A NumPy journal is replayed under the other backend to its end, without one job being trained."""
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(numpy_run, copy)
    spec = (copy / "spec.toml").read_text()
    assert 'backend = "numpy"' in spec
    (copy / "spec.toml").write_text(spec.replace('backend = "numpy"', f'backend = "{backend}"'))
    done = finish(["resume", str(copy), "--allow-changes"], failpoint="job.started")
    assert done.code == 0, done.error
    mine = [r for r in read_journal(copy) if r["record"] not in ("run", "changes")]
    theirs = [r for r in read_journal(numpy_run) if r["record"] != "run"]
    assert mine == theirs


@pytest.mark.parametrize("backend", OTHERS)
def test_independent_runs_decide_alike_until_a_margin_is_too_small(
    backend: str, numpy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Either all decisions are the same, or the first that differs hung on less than one prediction."""
    directory = tmp_path / "run"
    ns.run(SPEC, out=directory, overrides={"training.backend": backend})
    found = parting(read_journal(numpy_run), read_journal(directory))
    with capsys.disabled():
        print(f"\nnumpy and {backend}: {found or 'all decisions are the same'}")
    if found is not None:
        one_prediction = 1 / SPEC["data"]["validation"]
        assert found.margin <= 2 * one_prediction


def test_parting_names_the_first_decision_that_differs() -> None:
    """A swapped selection is found, with the gap of the scores that decided it."""
    shared = {"record": "decision", "epoch": 2, "try": 0, "best": 0}
    left = {**shared, "scores": {"1": 1.5, "2": 1.4999}, "selected": [1]}
    right = {**shared, "scores": {"1": 1.5, "2": 1.50001}, "selected": [2]}
    found = parting([left], [right])
    assert found is not None
    assert found.place == "epoch 2, try 0"
    assert found.margin == pytest.approx(1e-5)
    assert parting([left], [left]) is None
