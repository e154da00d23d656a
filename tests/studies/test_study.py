"""Whole studies, small ones: what they hold, what may change between two calls, and what is refused."""

import json
from functools import partial

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.network import keyed_generator, redrawn
from nas_surgery.runs.lock import RunLock
from nas_surgery.studies.study import resume_study

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [5]},
    "training": {"learning_rate": 0.1},
    "search": {
        "strategy": "paper",
        "max_epochs": 3,
        "initial_epochs": 1,
        "epoch_step": 1,
        "retraining_batches": 2,
    },
}
TABLES = ("table.csv", "table.md", "runs.csv")
CONTROLS = ("whole-budget", "random-edits", "redrawn-weights", "final-from-scratch")


def small(out, specs=None, **options):
    """A study of one seed."""
    given = {"seeds": (3,), **options}
    return ns.study({"small": SPEC} if specs is None else specs, out=out, **given)


def tables(folder):
    return [(folder / name).read_bytes() for name in TABLES]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two seeds with all controls."""
    return small(tmp_path_factory.mktemp("study") / "out", seeds=(3, 4), controls=CONTROLS)


def test_a_run_of_a_study_is_the_run_that_one_would_do_by_hand(whole, tmp_path):
    """Journal and winner are, byte for byte, those of `run` with that seed and a baseline."""
    by_hand = ns.run(SPEC, out=tmp_path / "run", overrides={"seed": 4, "run.baseline": True})
    ours = whole.directory / "runs" / "small" / "seed-4-repeat-1"
    for name in ("journal.jsonl", "winner.safetensors", "winner.onnx"):
        assert (ours / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    summary = json.loads((ours / "summary.json").read_text())
    assert summary["warnings"] == by_hand.summary["warnings"] == []


def test_the_rows_are_the_summaries(whole):
    """One for each search and control, in order, with the figures of the run directory."""
    kinds = [(row["seed"], row["control"]) for row in whole.rows]
    assert kinds == [(3, None), (4, None), *((seed, name) for seed in (3, 4) for name in CONTROLS)]
    for row in whole.rows:
        summary = json.loads((whole.directory / row["directory"] / "summary.json").read_text())
        assert row["accuracy"] == summary["accuracy"]["validation"]
        assert row["cost"]["macs"] == summary["cost"]["macs"]
        assert row["parameters"] == summary["parameters"]
    assert whole.failures == []
    assert json.loads((whole.directory / "study.json").read_text()) == whole.values


def runs(whole, control):
    """Pairs of a search's summary and resolved spec, and those of its control."""
    for row in whole.rows:
        if row["control"] == control:
            folder = whole.directory / row["directory"]
            search = folder.with_name(folder.name.removesuffix(f"-{control}"))
            yield [
                (
                    json.loads((each / "summary.json").read_text()),
                    ns.Spec.from_toml(each / "spec.toml"),
                    each,
                )
                for each in (search, folder)
            ]


def test_the_whole_budget_is_what_the_search_cost(whole):
    """To less than an epoch, on the start topology alone."""
    for (search, spec, _), (control, ours, _) in runs(whole, "whole-budget"):
        cost = search["cost"]["relative"] * search["macs"]["end"] * spec.search.max_epochs
        spent = search["macs"]["start"] * ours.search.max_epochs
        assert 0 <= cost - spent < search["macs"]["start"]
        assert control["parameters"]["end"] == search["parameters"]["start"]
        assert ours.training == spec.training


def test_the_control_by_lot_trains_as_the_search_does(whole):
    """Same data, optimizer and epochs, but for the strategy."""
    for (_, spec, _), (control, ours, _) in runs(whole, "random-edits"):
        assert control["strategy"] == "random-edits"
        assert (ours.training, ours.data, ours.seed) == (spec.training, spec.data, spec.seed)
        assert ours.search.max_epochs == spec.search.max_epochs


def test_the_control_without_inheritance_is_the_same_search(whole):
    """But for its weights at surgery."""
    for (_, spec, _), (_, ours, _) in runs(whole, "redrawn-weights"):
        assert ours.search == spec.search
        assert ours.training.weights_at_surgery == "redraw"


def test_the_final_topology_starts_from_new_weights(whole):
    """Those that its seed gives, with the winner's widths and for as many epochs."""
    for (search, spec, place), (control, ours, folder) in runs(whole, "final-from-scratch"):
        start = ns.load(folder / "start.safetensors")
        draw = partial(keyed_generator, spec.seed, "init")
        wanted = redrawn(ns.load(place / "winner.safetensors"), draw).parameters()
        assert all(np.array_equal(wanted[name], a) for name, a in start.parameters().items())
        assert control["hidden"]["start"] == control["hidden"]["end"] == search["hidden"]["end"]
        assert ours.search.max_epochs == spec.search.max_epochs


def test_called_again_it_trains_nothing_and_says_the_same(whole):
    """The same bytes, and no run begun."""
    said, before = [], tables(whole.directory)
    small(
        whole.directory,
        seeds=(3, 4),
        controls=CONTROLS,
        observers=[lambda event: said.append((event.kind, event.data))],
    )
    assert said == [("study_started", {"runs": 10, "finished": 10})]
    assert tables(whole.directory) == before


def test_a_study_may_grow(tmp_path):
    """What it had is kept, and the table is that of all at once."""
    grown, made = tmp_path / "grown", tmp_path / "made"
    small(grown)
    kept = (grown / "runs/small/seed-3-repeat-1/journal.jsonl").stat().st_mtime_ns
    options = {"seeds": (3, 4), "controls": ("random-edits",)}
    small(grown, **options)
    small(made, **options)
    assert tables(grown) == tables(made)
    assert (grown / "runs/small/seed-3-repeat-1/journal.jsonl").stat().st_mtime_ns == kept


LARGER = {**SPEC, "network": {"hidden": [6]}}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (
            {"specs": {"small": LARGER}},
            ["small was begun differently", "hidden was [5] and is [6]"],
        ),
        ({"specs": {"other": SPEC}}, ["the spec small belongs to it and is left out"]),
        ({"seeds": (4, 5)}, ["the seed 3 belongs to it and is left out"]),
        ({"controls": ()}, ["the control random-edits belongs to it"]),
        ({"repeats": 1}, ["it has 2 repeats, not 1"]),
    ],
)
def test_another_study_in_its_place_is_refused(options, parts, tmp_path):
    """In one line that says what differs; nothing is changed."""
    first = {"repeats": 2, "controls": ("random-edits",)}
    small(tmp_path / "out", **first)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ns.NasSurgeryError) as caught:
        small(tmp_path / "out", **{**first, **options})
    message = str(caught.value)
    assert "\n" not in message
    for part in [str(tmp_path / "out"), "holds another study", *parts]:
        assert part in message
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_how_jobs_are_carried_out_may_change(tmp_path):
    """Workers of a run change nothing that comes out."""
    small(tmp_path / "out")
    spec = {**SPEC, "run": {"executor": "processes", "job_seconds": 60.0}}
    small(tmp_path / "out", specs={"small": spec})


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"specs": {}}, ["specs must be one or more"]),
        ({"specs": 3}, ["specs must be"]),
        ({"specs": {"../x": SPEC}}, ["'../x' cannot name a spec"]),
        ({"specs": {"a": {**SPEC, "sed": 1}}}, ["specs['a']: unknown key 'sed'"]),
        (
            {"specs": {"a": {**SPEC, "data": {"source": "npz:missing.npz"}}}},
            ["specs['a']", "missing.npz"],
        ),
        ({"specs": ["a/x.toml", "b/x.toml"]}, ["b/x.toml", "is called x too"]),
        ({"specs": ["missing.toml"]}, ["missing.toml", "No such file"]),
        ({"seeds": ()}, ["seeds must be one or more different ones"]),
        ({"seeds": (1, 1)}, ["seeds must be one or more different ones"]),
        ({"seeds": (-1,)}, ["seeds must be a whole number ≥ 0"]),
        ({"seeds": 3}, ["seeds must be"]),
        ({"repeats": 0}, ["repeats must be a whole number ≥ 1"]),
        ({"controls": ("random",)}, ["controls must be one of 'whole-budget', 'random-edits'"]),
        ({"workers": 0}, ["workers must be"]),
        ({"overrides": {"search.max_epoch": 1}}, ["did you mean 'search.max_epochs'"]),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(options, parts, tmp_path, monkeypatch):
    """In one line; not even the directory is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ns.NasSurgeryError) as caught:
        small(tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_is_not_a_study_is_left_alone(tmp_path):
    """Neither begun in nor gone on with."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ns.NasSurgeryError, match="is not empty, and holds no study"):
        small(tmp_path)
    with pytest.raises(ns.NasSurgeryError, match="is not empty, and holds no study"):
        resume_study(tmp_path)
    with pytest.raises(ns.NasSurgeryError, match="holds no study; there is no"):
        resume_study(tmp_path / "nowhere")
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"seeds": [1], "repeats": 1, "controls": [], "specs": {"../../x": {}}, "format": 1}',
        '{"seeds": [1], "repeats": 1, "controls": [], "specs": {"a": {}}, "format": 2}',
        '{"seeds": [1], "repeats": 1, "controls": [], "specs": {"a": {"sed": 1}}, "format": 1}',
        '{"seeds": [1], "repeats": 1e9, "controls": [], "specs": {"a": {}}, "format": 1}',
        '{"seeds": [1], "repeats": 1, "controls": [], "specs": [], "format": 1}',
    ],
)
def test_a_plan_that_is_none_ends_in_one_line(text, tmp_path):
    """Which names the file."""
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ns.NasSurgeryError, match=r"plan\.json: not the plan of a study"):
        resume_study(tmp_path)


def test_runs_on_different_data_are_not_averaged(tmp_path):
    """A file that changed between two calls is noticed before there is a table of both."""
    spec = {**SPEC, "data": {"source": f"npz:{tmp_path / 'data.npz'}"}}
    for shift in (0, 1):
        x = np.random.default_rng(0).random((60, 4)) + shift
        np.savez(tmp_path / "data.npz", x_train=x, y_train=np.arange(60) % 3)
        if not shift:
            small(tmp_path / "out", specs={"small": spec})
    with pytest.raises(ns.NasSurgeryError, match="seed-4-repeat-1 were made from different data"):
        small(tmp_path / "out", specs={"small": spec}, seeds=(3, 4))


def test_a_damaged_summary_is_made_anew(tmp_path):
    """From the journal, by a resume of that run; the table stays the same."""
    small(tmp_path)
    before = tables(tmp_path)
    (tmp_path / "runs/small/seed-3-repeat-1/summary.json").write_text("{")
    small(tmp_path)
    assert tables(tmp_path) == before


def test_one_process_at_a_time_writes_to_a_study(tmp_path):
    """Another one is told who does."""
    small(tmp_path)
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    with pytest.raises(ns.NasSurgeryError, match=r"process \d+ is running here"):
        resume_study(tmp_path)
    lock.release()


def test_a_run_that_somebody_else_goes_on_with_is_left_to_them(tmp_path):
    """The others are carried out; a line says which could not be, and how to go on."""
    (tmp_path / "runs/small/seed-3-repeat-1").mkdir(parents=True)
    theirs = RunLock(tmp_path / "runs/small/seed-3-repeat-1/lock")
    theirs.acquire()
    (tmp_path / "plan.json").write_text(json.dumps(plan_of(seeds=[3, 4])))
    with pytest.raises(ns.NasSurgeryError) as caught:
        resume_study(tmp_path)
    assert "1 run could not be carried out: runs/small/seed-3-repeat-1" in str(caught.value)
    assert f"nas-surgery resume {tmp_path}" in str(caught.value)
    assert not (tmp_path / "table.md").exists()
    theirs.release()
    assert len(resume_study(tmp_path).rows) == 2


def plan_of(seeds, spec=SPEC, controls=()):
    values = ns.Spec.from_dict(spec).to_dict()
    del values["seed"]
    specs = {"small": values}
    return {"seeds": seeds, "repeats": 1, "controls": list(controls), "specs": specs, "format": 1}


def test_a_search_without_a_network_is_counted_and_not_dropped(tmp_path):
    """Its controls neither; the table says how many, and the list of failures why."""
    wild = {**SPEC, "training": {"learning_rate": 1e30}}
    found = small(tmp_path, specs={"wild": wild, "small": SPEC}, controls=("final-from-scratch",))
    assert [each["control"] for each in found.failures] == [None, "final-from-scratch"]
    assert "training diverged" in found.failures[0]["reason"]
    assert found.failures[1]["reason"] == "its search gave no network"
    assert [(entry["runs"], entry["failed"]) for entry in found.table] == [(0, 1)] * 2 + [
        (1, 0)
    ] * 2
    assert "training diverged" in (tmp_path / "table.md").read_text()


def test_a_run_without_time_left_is_not_given_more(tmp_path):
    """One that its seconds ended is finished for the study, however often that is called."""
    short = {**SPEC, "search": {**SPEC["search"], "max_epochs": 100_000, "max_seconds": 0.05}}
    first = small(tmp_path, specs={"short": short})
    assert first.rows[0]["stopped"] == "max_seconds"
    again = small(tmp_path, specs={"short": short})
    assert again.rows == first.rows


def test_a_repeat_differs_from_the_first(tmp_path):
    """In its batches and weights, as their digests say; the seed of the study is what the row names."""
    found = small(tmp_path, repeats=2)
    journals = [(tmp_path / row["directory"] / "journal.jsonl").read_bytes() for row in found.rows]
    assert journals[0] != journals[1]
    assert [(row["seed"], row["repeat"]) for row in found.rows] == [(3, 1), (3, 2)]


def test_regressions_are_studied_too(tmp_path):
    """By R²; where the baseline has none to increase, no increase is claimed."""
    spec = {
        "data": {"source": "sklearn:diabetes"},
        "network": {"hidden": [5]},
        "search": {"max_epochs": 2},
    }
    found = small(tmp_path, specs={"diabetes": spec}, controls=CONTROLS[-1:])
    assert {entry["metric"] for entry in found.table} == {"r2"}
    assert "Baseline R²" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_shows_the_runs_of_a_study(tmp_path, capsys, verbose):
    """A line for each that has ended, on standard error, also for what a second call finds there."""
    small(tmp_path / "study", verbose=verbose)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("runs/" in shown.err) == verbose
    resume_study(tmp_path / "study", verbose=verbose)
    assert bool(capsys.readouterr().err) == verbose
