"""What every operation keeps, on random networks with every activation."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.analysis.spectra import analyse
from nas_surgery.errors import OperationError
from nas_surgery.network import ACTIVATIONS, check_finite
from nas_surgery.operations import OPERATIONS, Context
from nas_surgery.operations.add_neurons import METHODS
from nas_surgery.surgery import Exactness
from nas_surgery.testing.networks import inputs, networks, seeds


@st.composite
def arguments(draw, name, network):
    """Fields that fit the network, beyond what the operation itself proposes."""
    group = draw(st.sampled_from(network.groups()))
    (layer,) = group.writers
    kernel = network.layers[layer].kernel
    if name == "add_neurons":
        method = draw(st.sampled_from(METHODS))
        return {"layer": layer, "count": draw(st.integers(1, 20)), "method": method}
    if name == "add_layer":
        activation = draw(st.sampled_from([None, *ACTIVATIONS]))
        return {"layer": layer, "activation": activation, "units": draw(st.integers(0, 5))}
    if name == "remove_neurons" and group.size > 1:
        field = draw(st.sampled_from(["count", "keep"]))
        method = draw(st.sampled_from(["activation", "svd", "magnitude"]))
        return {"layer": layer, field: draw(st.integers(1, group.size - 1)), "method": method}
    if name in ("revive", "add_block"):
        return {"layer": layer}
    if name == "remove_layer":
        return {"layer": layer, "method": draw(st.sampled_from(["activation", "product"]))}
    if name == "truncated_svd":
        method = draw(st.sampled_from(["activation", "svd"]))
        return {"layer": layer, "rank": draw(st.integers(1, min(kernel.shape))), "method": method}
    return None


@st.composite
def edits(draw, name):
    """A network and an operation of that name for it, its own proposal or another that fits."""
    network = draw(networks())
    own = [p.operation for p in OPERATIONS[name].propose(network, analyse(network))]
    fields = draw(arguments(name, network))
    choices = own + ([OPERATIONS[name].from_fields(fields)] if fields is not None else [])
    return network, draw(st.sampled_from(choices)) if choices else None


def context(network, seed=0):
    """Randomness, and a probe for operations that want one."""
    return Context(seed, (1, 2), inputs(network, 60, seed=7))


# operations that are of no hidden layer
ELSEWHERE = ("identity", "fold_input_centring", "remove_block", "merge_batch_norm")
every_operation = pytest.mark.parametrize("name", OPERATIONS)


def scaled_change(old, new, x):
    before = old.forward(x).astype(np.float64)
    return np.abs(new.forward(x) - before).max() / (np.abs(before).max() or 1)


@every_operation
@given(st.data())
def test_every_edit_gives_a_valid_network_of_the_same_task(name, data):
    """Finite weights, the same inputs, the same number of outputs, the same dtype."""
    network, operation = data.draw(edits(name))
    if operation is None:
        return
    edited = operation.apply(network, context(network)).network
    check_finite(edited)
    assert edited.input_shape == network.input_shape
    assert edited.output_shape == network.output_shape
    assert edited.dtype == network.dtype
    assert edited.forward(inputs(network)).shape == (40, *network.output_shape)


@every_operation
@given(st.data())
def test_exact_edits_leave_the_outputs_alone(name, data):
    """What is promised as exact differs by less than 1e-10 (float64) and 1e-5 (float32), scaled."""
    network, operation = data.draw(edits(name))
    if operation is None:
        return
    x = inputs(network)
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        old = network.astype(dtype)
        surgery = operation.apply(old, context(network))
        if surgery.promise.exact:
            assert scaled_change(old, surgery.network, x) < tolerance, surgery.promise
        assert surgery.promise.reason


@every_operation
@given(st.data())
def test_measured_edits_leave_the_outputs_on_the_probe_alone(name, data):
    """What is promised on the probe holds there, to 1e-6 of the outputs' scale."""
    network, operation = data.draw(edits(name))
    if operation is None:
        return
    surgery = operation.apply(network, context(network))
    if surgery.promise.exactness is Exactness.MEASURED:
        assert scaled_change(network, surgery.network, context(network).probe) < 1e-6


@every_operation
@given(st.data())
def test_layers_out_of_reach_are_shared(name, data):
    """Only the group's writer, readers and passers may be another object afterwards."""
    network, operation = data.draw(edits(name))
    if operation is None:
        return
    touched = set()
    for group in network.groups():
        if getattr(operation, "layer", None) in group.writers:
            touched = {*group.writers, *group.passers, *(r.address for r in group.readers)}
    edited = operation.apply(network, context(network)).network
    kept = {id(layer) for layer in edited.layers}
    for address, layer in enumerate(network.layers):
        assert id(layer) in kept or address in touched


@every_operation
@given(st.data())
def test_the_predicted_parameter_count_is_the_real_one(name, data):
    """`parameters_after` ranks proposals and enforces limits without surgery."""
    network, operation = data.draw(edits(name))
    if operation is not None:
        edited = operation.apply(network, context(network)).network
        assert operation.parameters_after(network) == edited.parameter_count


@every_operation
@given(st.data(), seeds)
def test_json_replays_the_edit(name, data, seed):
    """An edit list is JSON; the same seed and key give the same bits."""
    network, operation = data.draw(edits(name))
    if operation is None:
        return
    fields = json.loads(json.dumps(operation.to_json()))
    again = OPERATIONS[fields.pop("name")].from_fields(fields)
    assert again == operation
    assert again.describe() == operation.describe()
    first, second = (o.apply(network, context(network, seed)) for o in (operation, again))
    assert first.network.equals(second.network)
    assert first.promise == second.promise


@every_operation
@given(st.data())
def test_every_proposal_can_be_applied(name, data):
    """Nothing is proposed that does not fit; each gives its score and a reason."""
    network = data.draw(networks())
    for proposal in OPERATIONS[name].propose(network, analyse(network)):
        edited = proposal.operation.apply(network, context(network)).network
        assert edited.output_shape == network.output_shape
        assert np.isfinite(proposal.score)
        assert proposal.reason


@every_operation
@given(network=networks(), layer=st.integers(0, 30))
def test_layers_that_are_not_hidden_are_refused(name, network, layer):
    """The error names the operation, the layer, and the layers that would do."""
    hidden = [group.writers[0] for group in network.groups()]
    fields = {
        "add_neurons": {"count": 1},
        "remove_neurons": {"count": 1},
        "truncated_svd": {"rank": 1},
    }
    if layer in hidden or name in ELSEWHERE:
        return
    operation = OPERATIONS[name].from_fields({"layer": layer, **fields.get(name, {})})
    for use in (operation.apply, operation.parameters_after):
        with pytest.raises(
            OperationError, match=f"{name}: layer {layer} is not a hidden"
        ) as caught:
            use(network)
        assert str(hidden[0]) in str(caught.value)
