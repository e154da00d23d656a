"""What operations keep on the architectures that people have."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery.errors import OperationError
from nas_surgery.formats.onnx.comparison import check_onnx
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.network import check_finite, kernel_of, with_weights
from nas_surgery.surgery import parts_of
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.pieces import spread
from nas_surgery.testing.edits import CLASSES, attempted, operated, random_operation
from nas_surgery.testing.zoo import ZOO, zoo_inputs

SHAPES = {"lenet": (16, 16, 1), "lstm": (5, 4), "gru": (5, 4), "transformer": (5,)}
WIDTHS = {"transformer": 8, "vit": 8}


@cache
def small(name):
    return ZOO[name](SHAPES.get(name, (8, 8, 2)), CLASSES, WIDTHS.get(name, 4), dtype=np.float64)


def change(network, edited):
    x = zoo_inputs(network, 6, 2)
    before = network.forward(x)
    return np.abs(edited.forward(x) - before).max() / np.abs(before).max()


def silenced(network, group, units):
    """The network in which nobody reads these units of the group."""
    changes = {}
    for place in group.readers:
        (layer,) = changes.get(place.address, (network.layers[place.address],))
        kernel = kernel_of(layer).copy()
        numbers = parts_of(np.arange(len(kernel)), place, group.size)
        there = np.ones(numbers.shape, bool) if place.index is None else place.index >= 0
        kernel[numbers[:, units][there[:, units]]] = 0
        bias = getattr(layer, "bias", None)
        changes[place.address] = (with_weights(layer, kernel, bias),)
    for writer in group.writers:
        (layer,) = changes.get(writer, (network.layers[writer],))
        if layer.channels.recurs:
            recurrent = layer.recurrent.copy()
            recurrent[units] = 0
            changes[writer] = (layer.resized(recurrent=recurrent),)
    if group.ends:  # queries alone: nothing is left of what they give
        (layer,) = changes.get(group.writers[0], (network.layers[group.writers[0]],))
        kept = ~np.isin(np.arange(group.size), units)
        changes[group.writers[0]] = (
            with_weights(layer, kernel_of(layer) * kept, layer.bias * kept),
        )
    return network.replace(changes)


@pytest.mark.parametrize("name", ZOO)
def test_what_nobody_reads_can_be_cut_from_all_groups_at_once(name):
    """Half of every group; the outputs stay to 1e-10."""
    network, choices = small(name), []
    for group in network.groups():
        keep = group.step * -(-group.size // (2 * group.step))
        kept = np.sort(spread(network, group, np.arange(group.size))[:keep])
        network = silenced(network, group, np.setdiff1d(np.arange(group.size), kept))
        choices.append((group, kept))
    edited, _ = narrowed(network, choices)
    assert edited.parameter_count < 0.7 * network.parameter_count
    assert change(network, edited) < 1e-10


@settings(max_examples=60)
@given(st.sampled_from(sorted(ZOO)), st.integers(0, 2**32))
def test_what_is_promised_holds_on_every_architecture(name, seed):
    """Sizes are known before; what is exact is so to 1e-10; what has no meaning is refused in one line."""
    network = small(name)
    operation = random_operation(network, np.random.default_rng(seed))
    surgery = attempted(operation, network)
    if surgery is None:
        with pytest.raises(OperationError, match=operation.name):
            operation.parameters_after(network)
        return
    check_finite(surgery.network)
    assert surgery.network.parameter_count == operation.parameters_after(network)
    assert surgery.network.macs == operation.macs_after(network)
    if surgery.promise.exact:
        assert change(network, surgery.network) < 1e-10, surgery.promise


@settings(max_examples=4)
@given(st.sampled_from(sorted(ZOO)), st.integers(0, 2**32))
def test_twenty_surgeries_in_a_row_leave_a_network(name, seed):
    """It is valid, and onnxruntime computes the same."""
    network = operated(small(name), 20, seed)
    check_finite(network)
    check_onnx(export_onnx(network), network, zoo_inputs(network, 4, 3))
