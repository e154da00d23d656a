import json
import shutil

import pytest

from nas_surgery.errors import RunError
from nas_surgery.reports.charts.front import front_of
from nas_surgery.reports.ledger import ledger, total
from nas_surgery.reports.record import read_record, record_of


def test_a_result_and_its_directory_say_the_same(done):
    """What is drawn of either is one thing."""
    there, here = read_record(done.directory), record_of(done.result)
    assert [t.id for t in there.lineage] == [t.id for t in here.lineage]
    assert [t.points for t in there.trials.values()] == [t.points for t in here.trials.values()]
    assert there.baseline.points == here.baseline.points
    assert there.summary == here.summary


def test_the_lineage_is_the_summary_s(done):
    """From the start to the winner, whose figures are those of the summary."""
    summary = done.result.summary
    assert [trial.id for trial in done.record.lineage] == summary["parents"]
    assert done.record.winner.accuracy == summary["accuracy"]["validation"]
    assert done.record.winner.parameters == summary["parameters"]["end"]
    assert done.record.baseline.accuracy == summary["baseline"]["accuracy"]["validation"]


def test_the_front_is_the_summary_s(done):
    """The same networks in the same order."""
    assert [trial.id for trial in front_of(done.record)] == [
        point["job"] for point in done.result.summary["pareto"]
    ]


def test_the_ledger_adds_up_to_the_summary_s_cost(done):
    """Samples, MACs, epochs and the price relative to the winner's; the baseline is not in it."""
    cost, whole = done.result.summary["cost"], total(done.record)
    assert whole.cost.training_samples == cost["samples"]
    assert whole.cost.macs == cost["macs"]
    assert whole.epochs == pytest.approx(cost["epoch_equivalents"])
    assert whole.relative == pytest.approx(cost["relative"])
    parts = [entry for entry in ledger(done.record) if not entry.name.startswith("baseline")]
    assert sum(entry.cost.macs for entry in parts) == cost["macs"]
    assert sum(entry.jobs for entry in parts) == len(done.record.trials)


def test_scores_and_fates_are_the_decisions(done):
    """Every candidate that a decision compared has its score, and went on if it was selected."""
    compared = 0
    for decision in done.journal:
        for job, score in decision.get("scores", {}).items():
            trial = done.record.trials[int(job)]
            assert trial.score == score
            compared += 1
        for job, loss in decision.get("losses", {}).items():
            price = decision["size_prices"][job]
            assert done.record.trials[int(job)].score == pytest.approx(loss + price)
            compared += 1
        if "selected" in decision:
            assert all(done.record.trials[job].selected for job in decision["selected"])
    assert compared > 1


def test_a_curve_is_drawn_where_there_is_one(done, journal):
    """Its epochs before the end, then the end itself; without one only the end."""
    records = [dict(record) for record in done.journal if record["record"] != "curve"]
    first = next(r for r in records if r["record"] == "outcome")
    end = first["step"] / -(
        -records[0]["data"]["train"] // records[0]["spec"]["training"]["batch_size"]
    )
    first["curve"] = [
        {
            "epoch": epoch,
            "training_loss": 2.0,
            "validation_loss": 1.5,
            "validation_accuracy": 0.25,
            "parameters": 7,
        }
        for epoch in (end / 2, end)
    ]
    points = read_record(journal(records, "with")).trials[0].points
    assert [(p.epoch, p.accuracy, p.loss) for p in points] == [
        (end / 2, 0.25, 1.5),
        (end, first["accuracy"], first["loss"]),
    ]
    del first["curve"]
    assert len(read_record(journal(records, "without")).trials[0].points) == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_run_that_goes_on_is_read_as_far_as_it_has_come(done, journal, share):
    """The lineage ends at the best network so far; a torn line does not count."""
    records = done.journal[: 1 + int(share * len(done.journal))]
    directory = journal(records)
    with (directory / "journal.jsonl").open("a") as file:
        file.write('{"record":"job","id"')
    record = read_record(directory)
    assert len(record.trials) == sum(r["record"] == "outcome" for r in records)
    assert record.summary is None
    bests = [r["best"] for r in records if r["record"] == "decision" and r["best"] is not None]
    assert (record.winner.id if record.winner else None) == (bests[-1] if bests else None)


@pytest.mark.parametrize(
    "change",
    [
        {"cost": [1, 2, 3, 4, 5]},
        {"cost": None},
        {"job": 99999},
        {"step": "many"},
        {"topology": 3},
        {"curve": [{"epoch": None}]},
        {"hidden": ["<script>"]},
    ],
)
def test_foreign_values_end_in_one_line_that_names_the_journal(done, journal, change):
    """No traceback, whatever a record holds."""
    records = [{**r, **change} if r["record"] == "outcome" else r for r in done.journal]
    with pytest.raises(RunError, match=r"journal\.jsonl: not the journal of a run: [^\n]*$"):
        read_record(journal(records))


def test_what_is_no_run_says_so(tmp_path):
    """A missing directory, an empty one, and one with a file in the journal's place."""
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(RunError, match=r"holds no run; there is no journal\.jsonl"):
            read_record(place)
    (tmp_path / "journal.jsonl").write_text("")
    with pytest.raises(RunError, match="does not begin with the header"):
        read_record(tmp_path)


def test_a_summary_of_another_kind_is_refused(done, tmp_path):
    """It names the file."""
    directory = tmp_path / "copy"
    shutil.copytree(done.directory, directory)
    (directory / "summary.json").write_text(json.dumps([1])[:-1])
    with pytest.raises(RunError, match=r"summary\.json"):
        read_record(directory)
