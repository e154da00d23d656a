import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from nas_surgery.cli import main
from nas_surgery.errors import RunError
from nas_surgery.reports.damage import candidates, damage_report, damage_table, label
from nas_surgery.runs.runner import run
from nas_surgery.search.journal import to_line


def record(name="a", predicted=0.1, outputs=0.2, loss=0.3, accuracy=-0.4):
    return {
        "label": name,
        "predicted": predicted,
        "outputs": outputs,
        "loss": loss,
        "accuracy": accuracy,
    }


def cells(line):
    return line.split()


def test_a_line_holds_medians_the_typical_factor_and_the_rank_correlation():
    """Against NumPy's median and SciPy's Spearman correlation."""
    predicted, outputs = [0.1, 0.2, 0.4, 0.3], [0.2, 0.1, 0.5, 0.6]
    records = [record(predicted=p, outputs=o) for p, o in zip(predicted, outputs, strict=True)]
    (line,) = damage_table(records)[1:]
    rho = stats.spearmanr(predicted, outputs).statistic
    assert cells(line) == [
        "a", "4", "0.250", "0.350", "×2.00", f"{rho:.2f}", "+0.3000", "-0.4000"
    ]  # fmt: skip
    factors = np.exp(np.abs(np.log(np.array(predicted) / outputs)))
    assert np.median(np.log(factors)) == pytest.approx(np.log(2.0))


def test_operations_without_an_estimate_have_none_to_compare():
    """A dash, not a zero; and they do not count among the predictions of all."""
    lines = damage_table([record("a", None), record("b", 0.2, 0.2), record("b", 0.2, 0.2)])
    assert cells(lines[1]) == ["a", "1", "–", "0.200", "–", "–", "+0.3000", "-0.4000"]
    assert cells(lines[-1])[:5] == ["all", "3", "0.200", "0.200", "×1.00"]


def test_rounding_is_no_damage():
    """An exact surgery that moves float32 outputs by 1e-7 was predicted rightly."""
    (line,) = damage_table([record(predicted=0.0, outputs=1e-7)])[1:]
    assert cells(line)[4] == "×1.00"


def test_labels_name_each_operation_with_its_method_once():
    """Two widenings of one kind are one label."""
    pairs = {"name": "add_neurons", "layer": 0, "method": "pairs"}
    assert label([pairs, {**pairs, "layer": 2}]) == "add_neurons pairs"
    assert label([pairs, {"name": "add_layer", "layer": 0}]) == "add_neurons pairs + add_layer"


def journal(folder: Path, *damages):
    folder.mkdir()
    lines = []
    for i, damage in enumerate(damages):
        job = {"record": "job", "id": i, "operations": [{"name": f"op{i}", "layer": 0}]}
        outcome = {"record": "outcome", "job": i, **({"damage": damage} if damage else {})}
        lines += [to_line(job), to_line(outcome)]
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "journal.jsonl"


def test_candidates_are_read_from_every_journal_below(tmp_path):
    """Jobs without surgery have no damage and are left out."""
    damage = {key: value for key, value in record().items() if key != "label"}
    first = journal(tmp_path / "one", damage, None)
    journal(tmp_path / "two", damage)
    assert candidates(first) == [record("op0")]
    assert "2 candidates of 2 runs" in damage_report(tmp_path)


def test_a_torn_last_line_is_left_out_and_other_damage_refused(tmp_path):
    """A run may be writing; a journal that was tampered with is another matter."""
    damage = {key: value for key, value in record().items() if key != "label"}
    path = journal(tmp_path / "run", damage, damage)
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert len(candidates(path)) == 1
    path.write_text(whole.replace("op0", "opX"))
    with pytest.raises(RunError, match="line 1 is damaged"):
        candidates(path)


def test_inspect_shows_predictions_beside_measurements(tmp_path):
    """Of a real run: the candidates of its first decision, exact ones with no damage at all."""
    spec = {"data": {"source": "sklearn:digits"}, "network": {"hidden": [6]}}
    spec |= {"search": {"max_epochs": 11, "strategy": "paper"}}
    run(spec, out=tmp_path / "run")
    lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    outcomes = [json.loads(line) for line in lines]
    held = [o["damage"] for o in outcomes if o["record"] == "outcome" and o.get("damage")]
    assert held
    assert all(set(d) == {"predicted", "outputs", "loss", "accuracy"} for d in held)
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / "run")])
    assert shown.exit_code == 0, shown.output
    assert f"{len(held)} candidates of 1 run" in shown.output
    (split,) = [line for line in shown.output.splitlines() if "add_neurons split" in line]
    assert cells(split)[3:5] == ["0.000", "0.000"]
