import attrs
import numpy as np
import pytest

from nas_surgery.errors import OperationError
from nas_surgery.network import keyed_generator
from nas_surgery.operations import OPERATIONS, AddNeurons, Context, Identity, RemoveNeurons
from nas_surgery.testing.builders import build

NETWORK = build(4, 5, "relu", 3)

BAD_ARGUMENTS = {
    "layer missing": ("add_layer", {}, "layer"),
    "negative layer": ("add_layer", {"layer": -1}, "layer must be a whole number ≥ 0, got -1"),
    "fractional layer": ("add_layer", {"layer": 0.5}, "layer must be a whole number ≥ 0, got 0.5"),
    "text for a layer": (
        "remove_layer",
        {"layer": "0"},
        "layer must be a whole number ≥ 0, got '0'",
    ),
    "bool for a layer": ("remove_layer", {"layer": True}, "layer must be a whole number"),
    "unknown argument": (
        "add_neurons",
        {"layer": 0, "units": 3},
        "unknown argument 'units'; .*count",
    ),
    "argument for identity": ("identity", {"layer": 0}, "unknown argument 'layer'; it takes none"),
    "no unit": ("add_neurons", {"layer": 0, "count": 0}, "count must be a whole number ≥ 1, got 0"),
    "no count": ("add_neurons", {"layer": 0}, "count"),
    "method": ("add_neurons", {"layer": 0, "count": 1, "method": "copy"}, "method"),
    "activation": ("add_layer", {"layer": 0, "activation": "swish"}, "activation"),
    "rank 0": ("truncated_svd", {"layer": 0, "rank": 0}, "rank must be a whole number ≥ 1"),
    "count and keep": ("remove_neurons", {"layer": 0, "count": 1, "keep": 1}, "count and keep"),
    "neither": ("remove_neurons", {"layer": 0}, "count and keep"),
    "keep nothing": ("remove_neurons", {"layer": 0, "keep": 0}, "keep must be a whole number ≥ 1"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments_are_refused(case):
    """One line that names operation, argument and rule."""
    name, fields, message = BAD_ARGUMENTS[case]
    with pytest.raises(OperationError, match=f"^{name}: .*{message}") as caught:
        OPERATIONS[name].from_fields(fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("remove_neurons", {"count": 5}, "layer 0 has 5 units and cannot be left with 0"),
        ("remove_neurons", {"count": 9}, "layer 0 has 5 units and cannot be left with -4"),
        ("remove_neurons", {"keep": 5}, "layer 0 has 5 units and cannot be left with 5"),
        ("truncated_svd", {"rank": 5}, r"layer 0 has a kernel of shape \(4, 5\), so rank 5"),
    ],
)
def test_arguments_that_do_not_fit_the_network_are_refused(name, fields, message):
    """The error names operation, layer and rule, also when only the parameter count is asked for."""
    operation = OPERATIONS[name].from_fields({"layer": 0, **fields})
    for use in (operation.apply, operation.parameters_after):
        with pytest.raises(OperationError, match=f"^{name}: {message}"):
            use(NETWORK)


def test_a_network_without_hidden_layers_has_none_to_edit():
    """The error says so."""
    with pytest.raises(OperationError, match=r"layer 0 is not a hidden .*; those are none"):
        AddNeurons(0, 1).apply(build(4, 3))


def test_calling_an_operation_gives_the_network():
    """`operation(network, seed=…)` is `apply` without the promise."""
    operation = AddNeurons(0, 2)
    wanted = operation.apply(NETWORK, Context(3)).network
    assert operation(NETWORK, seed=3).equals(wanted)
    assert not operation(NETWORK, seed=4).equals(wanted)


def test_a_probe_may_be_any_array_like():
    """Lists are taken too."""
    x = [[0.0, 1, 2, 3]]
    assert AddNeurons(0, 2)(NETWORK, probe=x).equals(AddNeurons(0, 2)(NETWORK, probe=np.array(x)))


def test_every_application_has_its_own_generator():
    """It depends on seed and key, and starts afresh each time."""
    context = Context(5, (1, 2))
    wanted = keyed_generator(5, "surgery", 1, 2).random(3)
    assert np.array_equal(context.generator().random(3), wanted)
    assert np.array_equal(context.generator().random(3), wanted)
    assert not np.array_equal(Context(5, (1, 3)).generator().random(3), wanted)


def test_operations_describe_themselves():
    """Defaults are left out of the text, and what is None out of the JSON."""
    assert Identity().describe() == "identity"
    assert AddNeurons(1, 2).describe() == "add_neurons(layer=1, count=2)"
    assert RemoveNeurons(1, keep=2).describe() == "remove_neurons(layer=1, keep=2)"
    assert RemoveNeurons(1, keep=2).to_json() == {
        "name": "remove_neurons",
        "layer": 1,
        "keep": 2,
        "method": "activation",
    }


def test_operations_are_values():
    """Equal fields are equal operations, usable as keys, and cannot be changed."""
    assert AddNeurons(1, 2) == AddNeurons(1, 2)
    assert len({AddNeurons(1, 2), AddNeurons(1, 2), AddNeurons(1, 3)}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        AddNeurons(1, 2).count = 3


def test_the_retraining_multipliers_are_the_papers():
    """Appendix of the paper: ten times as long where the function is damaged or a layer is new."""
    wanted = {
        "identity": 1,
        "add_neurons": 1,
        "truncated_svd": 1,
        "add_layer": 10,
        "remove_neurons": 10,
        "remove_layer": 10,
    }
    assert {name: OPERATIONS[name].retraining for name in wanted} == wanted
