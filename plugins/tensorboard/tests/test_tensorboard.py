"""What TensorBoard itself reads of the files that the plugin wrote."""

import json
import sys
from types import ModuleType

import pytest
from nas_surgery_tensorboard import FOLDER, folder_of, graph_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef

import nas_surgery as ns
from nas_surgery.errors import SearchFailedError
from nas_surgery.plugins.registry import default_registry

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [5]},
    "search": {"strategy": "paper", "max_epochs": 6, "initial_epochs": 2, "epoch_step": 2},
    "run": {"baseline": True},
}


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, "logs")
    return tmp_path / "logs"


def read(folder):
    """Everything in a folder of event files, by TensorBoard alone: it would import TensorFlow where that is."""
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def scalars(found, tag):
    return [(each.step, pytest.approx(each.value, rel=1e-6)) for each in found.Scalars(tag)]


def test_tensorboard_reads_every_epoch_and_the_topology(logs):
    """The winner's and the baseline's curves are those of the journal; the graph is the network's."""
    result = ns.run(SPEC, out="out")
    found = read(logs / "out")
    outcomes = {each["job"]: each for each in result.history if each["record"] == "outcome"}
    lineage = [outcomes[job] for job in result.summary["parents"]]
    curves = {
        "winner": [point for outcome in lineage for point in outcome.get("curve", [])],
        "baseline": outcomes[-1]["curve"],
    }
    for line, points in curves.items():
        for name in ("training_loss", "validation_loss", "validation_accuracy"):
            expected = {int(point["epoch"]): point[name] for point in points}
            read_back = dict(scalars(found, f"{line}/{name}"))
            assert {epoch: read_back[epoch] for epoch in expected} == expected
    steps = [step for step, _ in scalars(found, "search/parameters")]
    assert (steps, steps[-1]) == (sorted(set(steps)), 6)
    graph = GraphDef.FromString(found._graph)
    assert [node.op for node in graph.node][1:] == [
        type(layer).__name__ for layer in result.network.layers
    ]
    assert found.Tensors("topology/text_summary")


def test_a_graph_has_the_wires_of_its_network():
    """Joins read all of their sources, and shapes are those behind each layer."""
    dense = ns.Network.dense(4, hidden=(4,), outputs=4).layers
    network = ns.Network(4, [dense[0], dense[2], ns.Add()], {2: (0, 1)})
    nodes = graph_of(network).node
    assert [list(node.input) for node in nodes] == [
        [],
        ["input"],
        ["0_Dense"],
        ["0_Dense", "1_Dense"],
    ]
    sizes = [d.size for d in nodes[-1].attr["_output_shapes"].list.shape[0].dim]
    assert sizes == [-1, 4]


def test_the_entry_point_provides_it():
    """Once installed, it is there by name, and the list of plugins says from where."""
    (found,) = [each for each in default_registry().plugins if each.name == "tensorboard"]
    assert (found.origin, found.error) == ("nas-surgery-tensorboard", None)


def test_nothing_is_written_unless_it_is_asked_for(tmp_path, monkeypatch):
    """A plugin that is only installed leaves runs alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FOLDER, raising=False)
    ns.run({**SPEC, "run": {}})
    assert not list(tmp_path.iterdir())


def test_runs_in_memory_get_folders_of_their_own(logs):
    """Two of the same second too."""
    for _ in range(2):
        ns.run({**SPEC, "run": {}})
    assert len(list(logs.iterdir())) == 2


def test_a_run_that_is_resumed_goes_on_in_its_folder(logs):
    """TensorBoard shows one run."""

    def stop(event):
        if event.kind == "job_finished":
            raise ns.StopRun

    ns.run(SPEC, out="out", observers=[stop])
    ns.resume("out")
    assert [path.name for path in logs.iterdir()] == ["out"]
    steps = [step for step, _ in scalars(read(logs / "out"), "winner/validation_loss")]
    assert steps[-1] == 6


def test_a_run_without_a_network_says_why(logs):
    """In a text of its own."""
    spec = {**SPEC, "data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError):
        ns.run(spec, out="out")
    (text,) = read(logs / "out").Tensors("failed/text_summary")
    assert b"no valid network" in text.tensor_proto.string_val[0]
    events = (logs.parent / "out" / "events.jsonl").read_text().splitlines()
    assert json.loads(events[-1])["kind"] == "run_failed"


def test_directories_elsewhere_keep_their_whole_path(tmp_path, monkeypatch):
    """So that two runs of one name do not meet."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = {
        folder_of(str(tmp_path / name), tmp_path / "logs")
        for name in ("a/out", "b/out", "here/out")
    }
    assert len(places) == 3
    assert all(place.is_relative_to(tmp_path / "logs") for place in places)


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, monkeypatch, caplog):
    """The run goes on to its end."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path / "file"))
    result = ns.run({**SPEC, "run": {}})
    assert result.summary["stopped"] == "finished"
    assert len([line for line in caplog.messages if "plugin tensorboard" in line]) == 1
