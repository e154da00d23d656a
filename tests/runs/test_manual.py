"""Surgery by hand: what the command line's operations are applied with."""

import attrs
import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.splits import SplitPlan, split
from nas_surgery.errors import OperationError
from nas_surgery.operations import AddNeurons, Context
from nas_surgery.plugins.registry import default_registry
from nas_surgery.runs.manual import operate_on, parse_operation

IRIS = "sklearn:iris"


@pytest.fixture
def network():
    return ns.Network.dense((4,), (6,), 3, seed=0)


def test_a_data_source_gives_probe_and_labels(network):
    """Growth by the gradient is then what it would be in a run: on training samples, with their classes."""
    edited, _ = operate_on(network, ["add_neurons:layer=0,count=2"], IRIS, seed=5)
    train = split(load_dataset(IRIS, default_registry().all("datasets")), SplitPlan()).train
    context = Context(5, (0,), train.x, train.y)
    wanted = AddNeurons(0, 2, method="gradient").apply(network, context).network
    assert edited.equals(wanted)


def test_labels_that_the_network_does_not_tell_apart_are_left_out():
    """A probe is of use all the same, and the line says what was missing."""
    other = ns.Network.dense((4,), (6,), 7, seed=0)
    edited, (step,) = operate_on(other, ["add_neurons:layer=0,count=2"], IRIS)
    assert edited.hidden == (8,)
    assert "labels" in step.reason


def test_labels_of_other_classes_are_left_out(network):
    """A winner knows its own; as many others are not the same."""
    edited, (step,) = operate_on(
        attrs.evolve(network, classes=("a", "b", "c")), ["add_neurons:layer=0,count=2"], IRIS
    )
    assert "labels" in step.reason
    assert edited.classes == ("a", "b", "c")


def test_a_network_of_values_needs_no_classes(tmp_path):
    """Whole numbers that could be either are its targets."""
    x = np.random.default_rng(0).normal(size=(40, 4))
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(40))
    made = ns.Network.dense((4,), (6,), 1, seed=0)
    source = f"npz:{tmp_path / 'a.npz'}"
    edited, _ = operate_on(made, ["remove_neurons:layer=0,keep=5"], source)
    assert edited.hidden == (5,)


def test_each_operation_works_on_what_the_one_before_left(network):
    """And each says what it promises."""
    texts = ["add_neurons:layer=0,count=2", "remove_neurons(layer=0, keep=3)"]
    edited, steps = operate_on(network, texts)
    assert edited.hidden == (3,)
    assert [step.operation.name for step in steps] == ["add_neurons", "remove_neurons"]


def test_nothing_is_loaded_for_operations_that_are_none(network):
    """A wrong text is told before the data are read."""
    with pytest.raises(OperationError, match="KEY=VALUE"):
        operate_on(network, ["add_neurons:layer"], "npz:/nowhere.npz")


def test_text_that_inspect_prints_can_be_given_back():
    """Both spellings are the same operation."""
    made = parse_operation("add_neurons(layer=0, count=2)")
    assert made == parse_operation("add_neurons:layer=0,count=2")
    assert made == AddNeurons(0, 2)
