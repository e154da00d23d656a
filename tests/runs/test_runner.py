import json
from collections import Counter

import attrs
import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.splits import split
from nas_surgery.errors import (
    DataError,
    ModelFileError,
    NasSurgeryError,
    OperationError,
    RunError,
    SearchFailedError,
    SpecError,
)
from nas_surgery.formats.onnx.comparison import Agreement, onnx_function
from nas_surgery.formats.onnx.importing import read_metadata
from nas_surgery.network import keyed_generator
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.plugins.registry import default_registry
from nas_surgery.testing.oracles import scaled_error
from nas_surgery.training.evaluation import evaluate, r_squared
from nas_surgery.training.state import TrainState

SEARCH = {
    "strategy": "paper",
    "max_epochs": 12,
    "initial_epochs": 4,
    "epoch_step": 4,
    "retraining_batches": 5,
}
SPEC = {
    "seed": 5,
    "data": {"source": "sklearn:iris", "scaling": "unit"},
    "network": {"hidden": [6, 5]},
    "training": {
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "batch_size": 16,
        "schedule": "constant",
        "state_at_surgery": "reset",
    },
    "search": SEARCH,
    "run": {"baseline": True},
}


def splits_of(spec, data=None):
    """The samples that a run on this spec sees."""
    made = ns.Spec.from_dict(spec)
    sources = default_registry().all("datasets")
    dataset = load_dataset(made.data.source, sources) if data is None else ns.Dataset(*data)
    return split(dataset, made.data.split_plan(), made.training.loss)


def trained(spec, network, splits, epochs):
    """Plain training of a network, as the recipe of the spec says."""
    steps = -(-len(splits.train) // 16)
    recipe = ns.Spec.from_dict(spec).training.recipe(splits.loss, spec["seed"], steps, epochs)
    plan = recipe.plan(len(splits.train), 0, epochs * steps)
    return NumpyBackend().train(TrainState(network), splits.train, plan)[0].network


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run with its directory."""
    return ns.run(SPEC, out=tmp_path_factory.mktemp("run") / "out")


def records(result, kind):
    return [record for record in result.history if record["record"] == kind]


def test_the_directory_holds_what_the_design_says(finished):
    """The resolved spec, the journal, weights, the winner in two forms and the summary."""
    names = {path.name for path in finished.directory.iterdir()}
    wanted = {"spec.toml", "journal.jsonl", "weights", "winner.onnx", "winner.safetensors"}
    assert wanted | {"summary.json"} <= names
    assert ns.Spec.from_toml(finished.directory / "spec.toml") == ns.Spec.from_dict(SPEC)
    lines = (finished.directory / "journal.jsonl").read_text().splitlines()
    held = [json.loads(line) for line in lines]
    assert [{k: v for k, v in h.items() if k != "crc"} for h in held] == finished.history
    text = (finished.directory / "summary.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(finished.summary))


def test_the_summary_has_every_key(finished):
    """Of the design; figures where there are some, and the baseline in the same form."""
    summary = finished.summary
    wanted = {"backend", "device", "seed", "strategy", "data", "hidden", "parameters", "accuracy"}
    assert wanted | {"baseline", "cost", "operations", "versions", "metric"} <= set(summary)
    assert (summary["backend"], summary["device"]) == ("numpy", "cpu")
    assert (summary["seed"], summary["strategy"], summary["metric"]) == (5, "paper", "accuracy")
    assert summary["hidden"] == {"start": [6, 5], "end": list(finished.network.hidden)}
    start = 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    assert summary["parameters"] == {"start": start, "end": finished.network.parameter_count}
    assert set(summary["accuracy"]) == {"validation", "test"}
    assert {"samples", "macs", "seconds", "epoch_equivalents", "relative"} <= set(summary["cost"])
    assert set(summary["baseline"]["accuracy"]) == {"validation", "test"}
    assert {"nas-surgery", "python", "numpy"} <= set(summary["versions"])
    assert {"source": "sklearn:iris", "train": 96, "validation": 24, "test": 30}.items() <= (
        summary["data"].items()
    )


def test_the_accuracies_are_those_of_the_winner_on_the_parts(finished):
    """Recomputed from the file, on raw inputs, by NumPy's forward."""
    splits, network = splits_of(SPEC), ns.load(finished.directory / "winner.safetensors")
    for part in ("validation", "test"):
        samples = getattr(splits, part)
        found = evaluate(network.forward(samples.x), samples.y, "cross_entropy")
        assert finished.summary["accuracy"][part] == found.accuracy


def test_the_winner_is_the_same_in_every_form(finished):
    """In memory, as safetensors, and under onnxruntime within 1e-5."""
    stored = ns.load(finished.directory / "winner.safetensors")
    assert stored.equals(finished.network)
    assert ns.load(finished.directory / "winner.onnx").equals(stored)
    x = splits_of(SPEC).test.x
    content = (finished.directory / "winner.onnx").read_bytes()
    assert scaled_error(onnx_function(content)(x), stored.forward(x)) < 1e-5
    assert finished.summary["onnx_difference"] < 1e-5


def doubtful(monkeypatch, failing=None):
    """Let every check of an export find something, or fail."""

    def compare(content, network, x):
        if failing:
            raise ModelFileError(failing)
        return Agreement(0.5, 1e-6, True)

    monkeypatch.setattr("nas_surgery.runs.writing.compare_onnx", compare)


@pytest.mark.parametrize("failing", [None, "onnxruntime does not run the exported model: why"])
def test_a_doubtful_export_loses_nothing(monkeypatch, tmp_path, finished, failing):
    """Everything is saved and as it would be; the summary and the command line tell, a resume ends well."""
    doubtful(monkeypatch, failing)
    result = ns.run(SPEC, out=tmp_path / "out")
    for again in (result, ns.resume(tmp_path / "out")):
        wanted = failing or "the exported model differs from the network by 5.0e-01"
        assert again.summary["onnx_warning"].startswith(f"winner.onnx: {wanted}")
        assert again.summary["onnx_difference"] == (None if failing else 0.5)
        assert json.loads((tmp_path / "out" / "summary.json").read_text())["onnx_warning"]
        assert again.network.equals(finished.network)
    for name in ("winner.safetensors", "winner.onnx"):
        assert (tmp_path / "out" / name).read_bytes() == (finished.directory / name).read_bytes()


def test_the_check_of_an_export_comes_last(monkeypatch, tmp_path):
    """Whatever ends the process then, weights, front and summary are there."""

    def crash(content, network, x):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_surgery.runs.writing.compare_onnx", crash)
    with pytest.raises(KeyboardInterrupt):
        ns.run(SPEC, out=tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"winner.safetensors", "winner.onnx", "summary.json", "pareto"} <= names


def test_inputs_at_a_large_offset_end_in_a_winner(tmp_path):
    """800 inputs far from zero, not scaled: what two libraries differ by is explained by rounding."""
    generator, offset = keyed_generator(0, "offset inputs"), 300
    kernel = generator.normal(size=(800, 6))
    centred = ns.Network(
        800, [ns.Dense(kernel, -offset * kernel.sum(axis=0)), ns.Dense(kernel[:6])]
    )
    x = (offset + generator.normal(size=(60, 800))).astype(np.float32)
    spec = {
        "data": {"scaling": "none"},
        "training": {"optimizer": "adam", "learning_rate": 1e-9},
        "search": {**SEARCH, "max_epochs": 2, "initial_epochs": 2, "operations": ["identity"]},
    }
    start = centred.astype(np.float32)
    result = ns.run(spec, network=start, data=(x, np.arange(60) % 6), out=tmp_path / "out")
    assert result.summary["onnx_warning"] is None
    assert result.summary["onnx_difference"] > 1e-5
    assert (tmp_path / "out" / "winner.onnx").is_file()


def test_the_onnx_file_says_where_it_comes_from(finished):
    """Score, parents, edits, seed, class names and scaling are in its metadata."""
    held = read_metadata((finished.directory / "winner.onnx").read_bytes())
    assert held["score"]["name"] == "paper"
    assert held["score"]["accuracy"] == finished.summary["accuracy"]["validation"]
    assert held["parents"] == finished.summary["parents"]
    assert held["operations"] == finished.summary["operations"]
    assert (held["seed"], held["scaling"]) == (5, "unit")
    assert held["class_names"] == ["0", "1", "2"]


def test_the_cost_counts_everything_that_was_tried(finished):
    """Every outcome's cost, and no other: the baseline is not part of the search."""
    journaled = [record["cost"] for record in records(finished, "outcome") if record["job"] >= 0]
    training, training_macs, _, forward_macs = np.sum(journaled, axis=0)
    cost = finished.summary["cost"]
    assert cost["samples"] == training
    assert cost["macs"] == training_macs + forward_macs
    assert cost["epoch_equivalents"] == pytest.approx(training / 96)
    final = 3 * finished.network.macs * 96 * 12
    assert cost["relative"] == pytest.approx(training_macs / final)
    assert cost["seconds"] > 0


def test_the_edit_list_replays_the_topology(finished):
    """From the start network, on the winner's operations alone, as JSON gives them back."""
    spec, splits = ns.Spec.from_dict(SPEC), splits_of(SPEC)
    network = ns.Network.dense(4, spec.network.hidden, 3, seed=5, preprocessing=[splits.normalize])
    edits = finished.summary["operations"]
    assert edits, "this seed edits; choose another one"
    for edit in edits:
        fields = {key: value for key, value in edit.items() if key != "name"}
        network = ns.operation(edit["name"], **fields)(network, probe=splits.train.x)
    assert network.hidden == finished.network.hidden
    assert network.parameter_count == finished.network.parameter_count


def test_the_winner_was_trained_for_all_epochs(finished):
    """The steps of its ancestors add up to `max_epochs`."""
    jobs = {record["id"]: record for record in records(finished, "job")}
    steps = sum(jobs[job]["steps"] for job in finished.summary["parents"])
    assert steps == 12 * 6  # 96 samples in batches of 16


def test_the_baseline_is_the_start_topology_trained_alone(finished):
    """For as many epochs, from the same weights, with the same batches."""
    splits = splits_of(SPEC)
    start = ns.Network.dense(4, (6, 5), 3, seed=5, preprocessing=[splits.normalize])
    network = trained(SPEC, start, splits, 12)
    baseline = finished.summary["baseline"]
    found = evaluate(network.forward(splits.test.x), splits.test.y, "cross_entropy")
    assert baseline["accuracy"]["test"] == found.accuracy
    assert (baseline["hidden"], baseline["parameters"]) == ([6, 5], start.parameter_count)


def test_the_front_holds_nothing_that_another_beats(finished):
    """Smallest first, each with its network."""
    points = finished.pareto
    sizes = [point.parameters for point in points]
    losses = [point.loss for point in points]
    assert sizes == sorted(set(sizes))
    assert losses == sorted(set(losses), reverse=True)
    outcomes = [r for r in records(finished, "outcome") if r["job"] >= 0 and "failure" not in r]
    for outcome in outcomes:
        assert any(
            point.parameters <= outcome["parameters"] and point.loss <= outcome["loss"]
            for point in points
        )
    for point in points:
        assert point.network.parameter_count == point.parameters


def test_a_front_point_can_be_saved(finished, tmp_path):
    """As a network of its own."""
    finished.pareto[0].save(tmp_path / "small.onnx")
    assert ns.load(tmp_path / "small.onnx").equals(finished.pareto[0].network)


def test_the_same_seed_gives_the_same_bytes(finished, tmp_path):
    """Journal, winner and ONNX file; another seed gives others."""
    again = ns.run(SPEC, out=tmp_path / "again")
    other = ns.run(SPEC, out=tmp_path / "other", overrides={"seed": 6})
    for name in ("journal.jsonl", "winner.safetensors", "winner.onnx"):
        first = (finished.directory / name).read_bytes()
        assert (again.directory / name).read_bytes() == first
        assert (other.directory / name).read_bytes() != first
    timeless = [
        {**attrs_of(run), "cost": {**run.summary["cost"], "seconds": 0}}
        for run in (finished, again)
    ]
    assert timeless[0] == timeless[1]


def attrs_of(run):
    """The summary's plain values."""
    return json.loads(json.dumps(run.summary))


def test_without_a_directory_everything_stays_in_memory(finished, tmp_path, monkeypatch):
    """The same winner and history, and nothing on the disk."""
    monkeypatch.chdir(tmp_path)
    result = ns.run(SPEC)
    assert result.directory is None
    assert result.history == finished.history
    assert result.network.equals(finished.network)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_identities_alone_is_plain_training(tmp_path):
    """Bit for bit: where every layer is excluded, decisions, retraining and branches change nothing."""
    spec = {**SPEC, "training": {**SPEC["training"], "momentum": 0.9}}
    spec["search"] = {**SEARCH, "exclude": [1, 3, 5]}
    result = ns.run(spec)
    splits = splits_of(spec)
    start = ns.Network.dense(4, (6, 5), 3, seed=5, preprocessing=[splits.normalize])
    assert result.network.equals(trained(spec, start, splits, 12))
    tried = {op["name"] for job in records(result, "job") for op in job["operations"]}
    assert tried == {"identity"}
    assert result.summary["accuracy"] == result.summary["baseline"]["accuracy"]
    assert result.summary["operations"] == []


def test_the_spec_may_be_a_file_a_spec_or_values(finished, tmp_path):
    """With overrides on top, in each form."""
    file = tmp_path / "spec.toml"
    file.write_text(ns.Spec.from_dict(SPEC).to_toml())
    for form in (file, str(file), ns.Spec.from_dict(SPEC), SPEC):
        short = ns.run(form, overrides={"search.max_epochs": 4, "run.baseline": False})
        assert short.summary["baseline"] is None
        assert [record["record"] for record in short.history][-1] == "result"
        assert short.summary["cost"]["epoch_equivalents"] == 4


def test_diabetes_is_a_regression_and_the_winner_predicts_its_units():
    """R² in accuracy's place, on raw targets, by a network that needs no scaling back."""
    spec = {"seed": 1, "data": {"source": "sklearn:diabetes"}, "network": {"hidden": [8]}}
    spec |= {"search": {**SEARCH, "max_epochs": 24}, "training": {"learning_rate": 0.02}}
    result = ns.run(spec)
    splits = splits_of(spec)
    assert (result.summary["metric"], result.summary["task"]) == ("r2", "regression")
    assert result.summary["classes"] == []
    assert np.array_equal(
        result.predict(splits.test.x), result.network.forward(splits.test.x)[:, 0]
    )
    raw = splits.test.y * splits.target_scale + splits.target_mean
    found = r_squared(result.network.forward(splits.test.x).astype(float), raw)
    assert result.summary["accuracy"]["test"] == pytest.approx(found, abs=1e-5)
    assert found > 0.25, "a network in other units would be far below zero"
    assert raw.mean() > 100
    for point in result.pareto:
        validation = splits.validation.y * splits.target_scale + splits.target_mean
        predicted = point.network.forward(splits.validation.x).astype(float)
        assert point.accuracy == pytest.approx(r_squared(predicted, validation), abs=1e-5)


def blobs(count=120, features=5, classes=3, seed=0):
    """Well separated clusters."""
    generator = keyed_generator(seed, "blobs")
    y = generator.integers(classes, size=count)
    return 3 * np.eye(classes, features)[y] + generator.normal(size=(count, features)), y


def test_own_arrays_take_the_place_of_a_source():
    """As a tuple, a mapping or a Dataset; with a test part that is used as it is."""
    x, y = blobs()
    spec = {"search": {**SEARCH, "max_epochs": 8}, "training": {"learning_rate": 0.05}}
    result = ns.run(spec, data=(x, y))
    assert {"train": 77, "validation": 19, "test": 24}.items() <= result.summary["data"].items()
    assert result.summary["data"]["source"] != "sklearn:digits"
    mapping = {"x_train": x, "y_train": y, "x_test": x[:9], "y_test": y[:9]}
    assert ns.run(spec, data=mapping).summary["data"]["test"] == 9
    words = np.array(["ash", "elm", "oak"])[y]
    named = ns.run(spec, data=ns.Dataset(x, words))
    assert named.network.equals(result.network), "classes keep their order whatever they are called"


@pytest.mark.parametrize(
    "names", [np.array(["ash", "elm", "oak"]), np.array([-1, 1, 2000]), np.array([1.0, 2.0, 4.0])]
)
def test_the_winner_predicts_the_labels_that_were_given(tmp_path, names):
    """In their own kind, from memory and from every file; the search itself never sees them."""
    x, y = blobs()
    spec = {"search": SEARCH, "training": {"learning_rate": 0.2}}
    result = ns.run(spec, data=(x, names[y]), out=tmp_path / "out")
    found = result.predict(x)
    assert found.dtype.kind == names.dtype.kind
    assert np.mean(found == names[y]) > 0.9
    for file in ("winner.onnx", "winner.safetensors"):
        assert np.array_equal(ns.load(tmp_path / "out" / file).predict(x), found)
    assert all(point.network.classes == result.network.classes for point in result.pareto)
    assert ns.load(tmp_path / "out" / "start.safetensors").classes is None
    assert result.summary["task"] == "classification"
    assert result.summary["classes"] == [str(name).removesuffix(".0") for name in names]


def test_a_run_goes_on_from_a_network_with_classes():
    """Those of the new data take their place, and the same data give the same journal."""
    x, y = blobs()
    spec = {"search": {**SEARCH, "max_epochs": 4}}
    plain = ns.Network.dense(5, (4,), 3, seed=1)
    named = attrs.evolve(plain, classes=("a", "b", "c"))
    first, second = (ns.run(spec, network=each, data=(x, y)) for each in (plain, named))
    assert first.history == second.history
    assert second.network.classes == (0, 1, 2)


def test_a_run_needs_no_test_part():
    """With `test = 0` the summary holds none, and every sample trains or validates."""
    spec = {"data": {"test": 0}, "search": {**SEARCH, "max_epochs": 4}}
    result = ns.run(spec, data=blobs())
    assert result.summary["accuracy"]["test"] is None
    assert result.summary["data"]["test"] is None
    assert result.summary["data"]["train"] + result.summary["data"]["validation"] == 120


def test_a_validation_part_of_the_callers_own_is_used():
    """By its keys in a mapping."""
    x, y = blobs()
    data = {"x_train": x, "y_train": y, "x_validation": x[:7], "y_validation": y[:7]}
    result = ns.run({"search": {**SEARCH, "max_epochs": 4}}, data=data)
    assert {"train": 96, "validation": 7, "test": 24}.items() <= result.summary["data"].items()


def test_own_networks_start_with_their_weights():
    """A tuned network is not worse at the start; no scaling is put before it."""
    x, y = blobs()
    spec = {"search": {**SEARCH, "max_epochs": 4}, "training": {"learning_rate": 1e-9}}
    tuned = ns.run({"search": {**SEARCH}, "training": {"learning_rate": 0.1}}, data=(x, y)).network
    result = ns.run(spec, network=tuned, data=(x, y))
    assert result.summary["hidden"]["start"] == list(tuned.hidden)
    assert [type(a) for a in result.network.layers] == [type(a) for a in tuned.layers]
    assert result.summary["accuracy"]["test"] > 0.8
    assert scaled_error(result.network.forward(x), tuned.forward(x)) < 1e-5


def test_a_network_may_come_from_a_file(tmp_path):
    """`[network] file`, by either suffix, found beside the spec; it goes on where it ended."""
    x, y = blobs()
    first = ns.run({"search": SEARCH}, data=(x, y))
    for name in ("start.onnx", "start.safetensors"):
        ns.save(first.network, tmp_path / name)
        (tmp_path / "spec.toml").write_text(f'[network]\nfile = "{name}"\n[search]\nmax_epochs = 1')
        result = ns.run(tmp_path / "spec.toml", data=(x, y))
        assert result.summary["hidden"]["start"] == list(first.network.hidden)


def test_images_are_flattened_and_scaled_by_the_network():
    """Raw pixels in, with their shape; the test part of the source validates on request."""
    x = keyed_generator(0, "images").integers(0, 256, (60, 4, 5, 3)).astype(np.uint8)
    y = np.arange(60) % 2
    spec = {"data": {"validation": "test"}, "search": {**SEARCH, "max_epochs": 4}}
    result = ns.run(spec, data=(x, y, x[:20], y[:20]))
    assert result.network.input_shape == (4, 5, 3)
    assert result.network.forward(x).shape == (60, 2)
    assert result.summary["accuracy"]["test"] is None
    assert result.summary["data"]["validation"] == 20


def test_max_parameters_hold_for_the_winner_and_everything_tried():
    """The start is within them here."""
    result = ns.run({**SPEC, "search": {**SEARCH, "max_parameters": 90}})
    sizes = [r["parameters"] for r in records(result, "outcome") if "failure" not in r]
    assert max(sizes) <= 90


def test_a_search_can_be_kept_to_named_operations():
    """Others that are installed are not proposed; an unknown one is refused with its key."""
    names = ["identity", "remove_neurons"]
    result = ns.run({**SPEC, "search": {**SEARCH, "operations": names}})
    tried = {op["name"] for job in records(result, "job") for op in job["operations"]}
    assert tried == set(names)
    with pytest.raises(NasSurgeryError, match=r"search\.operations: unknown operation 'remove'"):
        ns.run({**SPEC, "search": {**SEARCH, "operations": ["remove"]}})


def test_a_target_ends_the_search_early():
    """At the first decision point where a branch has reached it."""
    result = ns.run({**SPEC, "search": {**SEARCH, "target_accuracy": 0.1}})
    assert result.summary["cost"]["epoch_equivalents"] == 4


def test_a_time_limit_ends_the_search_with_the_best_so_far():
    """After the first job at the earliest: there is always a winner."""
    result = ns.run({**SPEC, "search": {**SEARCH, "max_seconds": 1e-6}, "run": {}})
    assert result.summary["stopped"] == "max_seconds"
    assert [job["purpose"] for job in records(result, "job")] == ["pretrain"]
    assert result.network.parameter_count == 83


def test_observers_see_the_run_as_it_goes(tmp_path):
    """From its start to its end, in order, jobs twice; the same is in events.jsonl, with times."""
    events = []
    ns.run(SPEC, out=tmp_path / "out", observers=[events.append])
    kinds = [event.kind for event in events]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    counted = Counter(kinds)
    assert counted["job_started"] == counted["job_finished"] > 10
    assert counted["decision"] > 2
    times = [event.time for event in events]
    assert times == sorted(times)
    lines = (tmp_path / "out" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == kinds


def test_a_directory_with_a_run_is_refused(finished):
    """And left as it was."""
    before = {path: path.stat().st_mtime_ns for path in finished.directory.rglob("*")}
    with pytest.raises(RunError, match="holds a run already"):
        ns.run(SPEC, out=finished.directory)
    after = {path: path.stat().st_mtime_ns for path in finished.directory.rglob("*")}
    assert set(after) == set(before)
    journal = finished.directory / "journal.jsonl"
    assert after[journal] == before[journal]


def test_a_training_that_diverges_ends_in_an_error(tmp_path):
    """Which names the setting that may help; its exit code is not that of bad input."""
    spec = {**SPEC, "data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError, match=r"diverged after .*learning_rate") as failure:
        ns.run(spec, out=tmp_path / "out")
    assert failure.value.exit_code == 1


X, Y = blobs(30)
WRONG = ns.Network.dense(9, (3,), 3)
BAD = [
    ({"search": {"max_epoch": 3}}, {}, SpecError, "unknown key 'search.max_epoch'; did you mean"),
    ({"search": {"initial_epochs": 0, "strategy": "paper"}}, {}, SpecError, "search.initial_epochs"),
    ({"search": {"exclude": [99]}}, {"data": (X, Y)}, SpecError, "layer 99 is not there"),
    ({"search": {"strategy": "papr"}}, {}, NasSurgeryError, "search.strategy: unknown strategy"),
    ({"search": {"score": "papr"}}, {}, NasSurgeryError, "search.score: unknown score"),
    ({"training": {"backend": "numpi"}}, {}, NasSurgeryError, "training.backend: unknown backend"),
    ({"training": {"device": "cuda"}}, {}, NasSurgeryError, "training.device: .*present: cpu"),
    ({"training": {"rho": 0.5}}, {"data": (X, Y)}, SpecError, "training.rho: adamw has no such setting"),
    ({"network": {"file": "nowhere.onnx"}}, {"data": (X, Y)}, NasSurgeryError, "nowhere.onnx: No such file"),
    ({"plugins": ["nowhere.py"]}, {}, NasSurgeryError, "nowhere.py: No such file"),
    ({"data": {"source": "npz:nowhere.npz"}}, {}, DataError, "nowhere.npz"),
    ({}, {}, SpecError, r"data\.source is needed.* data=\(x, y\) takes its place"),
    ({}, {"data": {"x_train": X, "y_train": Y, "x_val": X, "y_val": Y}}, DataError, "unknown key 'x_val'"),
    ({}, {"data": (X * np.nan, Y)}, DataError, "inputs are NaN"),
    ({}, {"data": (X, Y[:3])}, DataError, "30 inputs but labels of shape"),
    ({}, {"data": (X, np.arange(30))}, DataError, "30 different whole numbers as labels"),
    ({"data": {"validation": 0.01}}, {"data": (X, Y)}, DataError, "validation part empty"),
    ({}, {"data": (X, Y), "network": WRONG}, DataError, r"samples of shape \(9,\)"),
    ({}, {"data": (X, Y * 0)}, DataError, "at least two classes"),
    ({}, {"data": (X, Y), "network": ns.Network.dense(5, (3,), 7)}, DataError, "7 outputs, the data 3"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "given", "kind", "rule"), BAD)
def test_nothing_is_written_on_bad_input(tmp_path, monkeypatch, spec, given, kind, rule):
    """One line that names the rule, before the directory is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=rule) as refusal:
        ns.run(spec, out=tmp_path / "out", **given)
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_errors_of_a_file_name_it(tmp_path):
    """Also those that are found after it was read."""
    file = tmp_path / "spec.toml"
    file.write_text("[search]\nmax_epoch = 3")
    with pytest.raises(SpecError, match=rf"^{file}: unknown key"):
        ns.run(file)


@pytest.mark.parametrize(
    ("name", "fields", "rule"),
    [
        ("add_neurons", {"layer": 9, "count": 1}, "layer 9 is not a hidden linear layer .* those are 0, 2"),
        ("add_neurons", {"layer": 4, "count": 1}, "layer 4 is not a hidden linear layer"),
        ("remove_neurons", {"layer": 0, "keep": 99}, "remove_neurons"),
        ("remove_neurons", {"layer": 0, "keep": 0}, "remove_neurons"),
        ("add_neurons", {"layer": 0, "count": 0}, "count must be a whole number ≥ 1"),
        ("add_neurons", {"layer": 0, "cuont": 1}, "unknown argument 'cuont'; it takes layer, count"),
        ("add_neurons", {"layer": 0}, "count"),
    ],
)  # fmt: skip
def test_operations_that_do_not_fit_say_so(name, fields, rule):
    """In one line that names operation, argument and rule."""
    network = ns.Network.dense(4, (5, 6), 3)
    with pytest.raises(OperationError, match=rule) as refusal:
        ns.operation(name, **fields)(network)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith(name)


def test_float64_networks_are_searched_in_float64():
    """Start, winner and export."""
    x, y = blobs()
    start = ns.Network.dense(5, (4,), 3, dtype=np.float64)
    result = ns.run({"search": {**SEARCH, "max_epochs": 8}}, network=start, data=(x, y))
    assert result.network.dtype == np.float64


def test_the_own_data_are_not_changed():
    """Neither arrays nor spec."""
    x, y = blobs()
    before, spec = (x.copy(), y.copy()), json.dumps(SPEC)
    ns.run({**SPEC, "search": {**SEARCH, "max_epochs": 4}}, data=(x, y))
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])
    assert json.dumps(SPEC) == spec
    assert attrs.asdict(ns.Spec.from_dict(SPEC))["seed"] == 5


def test_a_start_beyond_the_limit_is_refused_by_a_strategy_that_does_not_shrink_it():
    """The paper's search only filters proposals, so it could never come within the limit."""
    spec = {"network": {"hidden": [40]}, "search": {"strategy": "paper", "max_parameters": 100}}
    with pytest.raises(ns.NasSurgeryError, match=r"search\.max_parameters: the start network has"):
        ns.run(spec, data=(X, Y))


def test_a_run_on_arrays_asks_for_them_when_it_resumes(tmp_path):
    """The run directory does not name a source that was never read."""
    x, y = np.random.default_rng(0).random((60, 4), np.float32), np.arange(60) % 3
    spec = {"search": {"strategy": "paper", "max_epochs": 1}}
    ns.run(spec, data=(x, y), out=tmp_path / "run")
    with pytest.raises(ns.NasSurgeryError, match="needed again"):
        ns.resume(tmp_path / "run")
    before = json.loads((tmp_path / "run" / "summary.json").read_text())
    again = ns.resume(tmp_path / "run", data=(x, y))
    assert again.summary["data"]["source"] == "arrays"
    assert again.summary["cost"]["seconds"] == pytest.approx(before["cost"]["seconds"], abs=0.5)


def test_a_directory_with_other_files_is_refused(tmp_path):
    """A run does not scatter its files among somebody else's."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ns.NasSurgeryError, match="is not empty"):
        ns.run({"search": {"max_epochs": 1}}, data=(X, Y), out=tmp_path)


def test_a_target_that_is_reached_is_why_the_run_ended():
    """The summary says so."""
    spec = {"search": {"strategy": "paper", "max_epochs": 30, "target_accuracy": 0.2}}
    assert ns.run(spec, data=(X, Y)).summary["stopped"] == "target_accuracy"


def test_a_start_that_is_not_finite_is_refused():
    """It is no matter of the learning rate."""
    network = ns.Network((4,), (ns.Dense(np.full((4, 3), np.nan)),))
    with pytest.raises(NasSurgeryError, match="layer 0: kernel holds NaN"):
        ns.run({"data": {"source": "sklearn:iris"}}, network=network)
