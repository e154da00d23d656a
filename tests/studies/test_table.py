"""The figures of a study, against SciPy's and NumPy's own."""

import csv
import io
import json

import numpy as np
import pytest
from scipy import stats

from nas_surgery.errors import RunError
from nas_surgery.reports.study import study_markdown, table_csv
from nas_surgery.runs.spec import Spec
from nas_surgery.studies.plan import Plan, Task
from nas_surgery.studies.rows import row
from nas_surgery.studies.table import table, versions_of

SEEDS = (6, 63, 72, 77, 97)
SPEC = Spec.from_dict({"data": {"source": "sklearn:iris"}})
GENERATOR = np.random.default_rng(0)
SURGEON, BASELINE = GENERATOR.uniform(0.5, 0.9, 5), GENERATOR.uniform(0.4, 0.8, 5)


def summary(surgeon, baseline=0.5, end=150, **more):
    """Of a run, as far as a study reads it; test accuracies are .01 lower."""
    return {
        "strategy": "paper",
        "metric": "accuracy",
        "chance": 0.2,
        "accuracy": {"validation": surgeon, "test": surgeon - 0.01},
        "baseline": {"accuracy": {"validation": baseline, "test": baseline and baseline - 0.01}},
        "loss": {"validation": 0.4},
        "parameters": {"start": 100, "end": end},
        "macs": {"start": 90, "end": 140},
        "hidden": {"start": [10], "end": [15]},
        "cost": {
            "epoch_equivalents": 20.0,
            "macs": 1000,
            "training_macs": 900,
            "seconds": 3.5,
            "relative": 2.0,
        },
        "stopped": "finished",
        **more,
    }


def plan(seeds=SEEDS, repeats=1, controls=(), names=("a",)):
    return Plan.of(dict.fromkeys(names, SPEC), seeds, repeats, controls)


def rows(made, summaries):
    return [row(task, each, each) for task, each in zip(made.searches, summaries, strict=True)]


@pytest.fixture
def entry():
    made = plan()
    found = [
        summary(a, b, end=100 + i) for i, (a, b) in enumerate(zip(SURGEON, BASELINE, strict=True))
    ]
    (entry,) = table(made, rows(made, found), [])
    return entry


def test_means_and_deviations_are_numpys(entry):
    """With n − 1, of accuracies, test accuracies, sizes and costs."""
    wanted = {
        "baseline": BASELINE,
        "surgeon": SURGEON,
        "test": SURGEON - 0.01,
        "parameter_increase": np.arange(5.0),
    }
    for key, values in wanted.items():
        assert entry[key]["mean"] == pytest.approx(values.mean())
        assert entry[key]["std"] == pytest.approx(values.std(ddof=1))
    assert entry["cost"]["epochs"] == {"mean": 20.0, "std": 0.0}


def test_the_interval_is_that_of_a_paired_t_test(entry):
    """SciPy's, at 95 %, of the test accuracies."""
    wanted = stats.ttest_rel(SURGEON, BASELINE).confidence_interval(0.95)
    found = entry["difference"]
    assert found["of"] == "test"
    assert found["mean"] == pytest.approx((SURGEON - BASELINE).mean())
    assert (found["low"], found["high"]) == pytest.approx((wanted.low, wanted.high))


def test_the_relative_increase_is_the_papers():
    """Of the means, in per cent: SVHN small of Table 3, .20 to .29, is 45.00."""
    made = plan(seeds=(6, 63))
    (entry,) = table(made, rows(made, [summary(0.25, 0.15), summary(0.33, 0.25)]), [])
    assert entry["relative_increase"] == {"mean": pytest.approx(45.0), "std": None}


def test_without_a_test_part_the_validation_part_is_compared():
    """And it is said of which part the difference is."""
    made = plan(seeds=(0, 1))
    found = [summary(0.6), summary(0.7)]
    for each in found:
        each["accuracy"]["test"] = each["baseline"]["accuracy"]["test"] = None
    (entry,) = table(made, rows(made, found), [])
    assert entry["test"] == {"mean": None, "std": None}
    assert entry["difference"]["of"] == "validation"
    assert entry["difference"]["mean"] == pytest.approx(0.15)


def test_runs_that_learned_nothing_and_runs_that_were_rescued():
    """At chance; one whose baseline diverged has no figure and is rescued too."""
    made = plan(seeds=(0, 1, 2, 3))
    found = [summary(0.6, 0.2), summary(0.2, 0.2), summary(0.6, 0.7), summary(0.5, None)]
    (entry,) = table(made, rows(made, found), [])
    assert (entry["rescued"], entry["nothing_learned"]) == (2, 1)
    assert entry["baseline"]["mean"] == pytest.approx((0.2 + 0.2 + 0.7) / 3)
    assert entry["difference"]["mean"] == pytest.approx((0.4 + 0.0 - 0.1) / 3)


def test_a_control_is_held_against_its_search():
    """Seed by seed, also where one of them failed."""
    made = plan(seeds=(0, 1, 2), controls=("random-edits",))
    searches = [summary(0.6), summary(0.7), summary(0.9)]
    found = rows(made, searches)
    tasks = list(made.control_runs)
    for task, accuracy, search in zip(tasks[:2], (0.5, 0.65), searches, strict=False):
        found.append(row(task, summary(accuracy, baseline=None), search))
    failed = [{"spec": "a", "control": "random-edits", "seed": 2, "repeat": 1, "reason": "…"}]
    search, control = table(made, found, failed)
    wanted = stats.ttest_1samp([0.1, 0.05], 0).confidence_interval(0.95)
    assert control["search_ahead"]["mean"] == pytest.approx(0.075)
    assert control["search_ahead"]["high"] == pytest.approx(wanted.high)
    assert (control["runs"], control["failed"], search["failed"]) == (2, 1, 0)
    assert control["baseline"]["mean"] == pytest.approx(0.5)
    assert search["search_ahead"] == {"mean": None, "low": None, "high": None}


def study(made, found, failures=()):
    values = {"seeds": made.seeds, "repeats": made.repeats, "rows": found, "failures": failures}
    return {**values, "table": table(made, found, failures), "versions": {"numpy": "2"}}


@pytest.mark.parametrize("repeats", [1, 3])
def test_with_one_seed_no_deviation_is_printed(repeats):
    """Nor an interval, even where that seed is repeated."""
    made = plan(seeds=(6,), repeats=repeats)
    text = study_markdown(study(made, rows(made, [summary(0.6)] * repeats)), seconds=True)
    assert "±" not in text
    assert " to " not in text
    assert "0.6000" in text


def test_specs_stand_beside_each_other_and_long_rows_are_broken():
    """Three in a block, as the paper prints them."""
    names = [f"spec{i}" for i in range(8)]
    made = plan(seeds=(0, 1), names=names)
    lines = study_markdown(study(made, rows(made, [summary(0.6)] * 16))).splitlines()
    heads = [line for line in lines if "spec" in line]
    assert [line.count("spec") for line in heads] == [3, 3, 2]
    assert max(map(len, lines)) < 130


def test_the_csv_holds_every_figure_in_full():
    """Read back by the standard library: nested figures have a column each, and nothing is rounded."""
    made = plan()
    found = rows(made, [summary(a, b) for a, b in zip(SURGEON, BASELINE, strict=True)])
    read = list(csv.DictReader(io.StringIO(table_csv(found))))
    assert [float(each["accuracy"]) for each in read] == list(SURGEON)
    assert [each["hidden_end"] for each in read] == ["15"] * 5
    (entry,) = csv.DictReader(io.StringIO(table_csv(table(made, found, []))))
    assert float(entry["surgeon_mean"]) == pytest.approx(SURGEON.mean(), abs=1e-15)
    assert entry["relative_increase_std"] == ""


def test_several_versions_are_all_named():
    """A study that went on under another one says so."""
    found = versions_of([{"versions": {"numpy": "1"}}, {"versions": {"numpy": "2", "torch": "3"}}])
    assert found == {"numpy": "1, 2", "torch": "3"}


def test_repeats_are_runs_of_their_own():
    """The first has the seed itself, the others seeds that no other repeat has."""
    tasks = [Task("a", seed, repeat) for seed in SEEDS for repeat in range(1, 4)]
    assert [task.run_seed for task in tasks if task.repeat == 1] == list(SEEDS)
    assert len({task.run_seed for task in tasks}) == len({task.path for task in tasks}) == 15


def test_a_plan_may_grow_in_every_way():
    """By seeds, repeats, controls and specs, in any order; and not shrink in any."""
    small = plan(seeds=(6,))
    large = plan(seeds=(63, 6), repeats=2, controls=("random-edits",), names=("b", "a"))
    large.check_continues(small)
    with pytest.raises(RunError, match="the spec b belongs to it and is left out"):
        small.check_continues(large)


def test_a_plan_is_read_as_it_was_written():
    """From JSON; with values that are no JSON's, such as tuples."""
    made = plan(controls=("whole-budget",), repeats=3)
    read = Plan.from_dict(json.loads(made.to_bytes()))
    assert read == made
    assert read.to_bytes() == made.to_bytes()
