"""Surgery reads where channels are: a layer with other fields, and its axes the other way round, is
operated on as a Dense is."""

from typing import ClassVar

import attrs
import numpy as np
import pytest
from hypothesis import given, settings

from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Axis, Channels, Dense, Flatten, Layer, Network, Normalize, Outputs
from nas_surgery.network.arrays import frozen_array
from nas_surgery.operations import (
    AddLayer,
    AddNeurons,
    Context,
    FoldInputCentring,
    RemoveLayer,
    RemoveNeurons,
    Revive,
    TruncatedSVD,
)
from nas_surgery.strategies.default.sizes import resized
from nas_surgery.surgery import carry_slots
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.networks import networks


@attrs.frozen(eq=False)
class Sideways(Layer):
    """x Mᵀ + shift. matrix: (out, in); shift: (out,) or None."""

    kind: ClassVar[str] = "sideways"
    trainable: ClassVar[tuple[str, ...]] = ("shift", "matrix")
    channels: ClassVar[Channels] = Channels(
        Outputs.FRESH,
        reads=(Axis("matrix", -1),),
        writes=(Axis("matrix", 0),),
        per_channel=(Axis("shift", 0),),
    )

    matrix: np.ndarray = attrs.field(converter=frozen_array)
    shift: np.ndarray | None = attrs.field(
        converter=attrs.converters.optional(frozen_array), default=None
    )

    def output_shape(self, input_shape):
        assert input_shape[-1] == self.matrix.shape[1]
        return (*input_shape[:-1], self.matrix.shape[0])

    def forward(self, x):
        return self._dense.forward(x)

    def backward(self, x, y, gradient):
        return self._dense.backward(x, y, gradient)

    @property
    def _dense(self):
        return Dense(self.matrix.T, self.shift)


def turned(network):
    """The same network with each Dense as a Sideways."""
    layers = [
        Sideways(layer.kernel.T, layer.bias) if isinstance(layer, Dense) else layer
        for layer in network.layers
    ]
    return Network(network.input_shape, layers)


def named(arrays):
    """Arrays as a Dense has them, by the Dense's names."""
    return {
        name.replace("matrix", "kernel").replace("shift", "bias"): (
            array.T if name.endswith("matrix") else array
        )
        for name, array in arrays.items()
    }


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].shape == array.shape, name
        assert np.allclose(found[name], array, rtol=1e-7, atol=1e-9), name


SCALING = Normalize(np.array([0.5, 0.0, 1.0]), np.full(3, 2.0))
NETWORK = build((2, 3), SCALING, 5, "relu", Flatten(), 6, "tanh", 4, "linear", 5, 3, seed=3)
EDITS = [
    *(AddNeurons(1, 3, method) for method in ("gradient", "pairs", "zero", "split", "clone")),
    *(RemoveNeurons(1, keep=3, method=method) for method in ("activation", "svd", "magnitude")),
    *(RemoveNeurons(6, keep=3, method=method) for method in ("activation", "svd")),
    *(RemoveLayer(4, method) for method in ("activation", "product")),
    *(TruncatedSVD(4, 2, method) for method in ("activation", "svd")),
    AddLayer(1),
    AddLayer(4, units=2),
    Revive(1),
    FoldInputCentring(),
]


@pytest.mark.parametrize("probed", [True, False], ids=["probe", "no probe"])
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.describe())
def test_every_operation_reads_the_declared_axes(edit, probed):
    """The same weights, promise, prediction, sizes and optimizer state as for Dense layers."""
    other, samples = turned(NETWORK), labelled(NETWORK, 40)
    context = Context(1, (), samples.x, samples.y) if probed else Context(1)
    wanted, found = edit.apply(NETWORK, context), edit.apply(other, context)
    assert_same(named(found.network.parameters()), dict(wanted.network.parameters()))
    assert found.promise == wanted.promise
    assert found.predicted == pytest.approx(wanted.predicted)
    assert edit.parameters_after(other) == edit.parameters_after(NETWORK)
    moments = {"second_moment": {k: v**2 for k, v in NETWORK.parameters().items()}}
    others = {"second_moment": {k: v**2 for k, v in other.parameters().items()}}
    carried = carry_slots(others, other, found)["second_moment"]
    assert_same(named(carried), carry_slots(moments, NETWORK, wanted)["second_moment"])


@given(networks())
@settings(max_examples=20)
def test_groups_sizes_and_analyses_read_them_too(network):
    """Nothing depends on how a layer calls its arrays, or on their axes."""
    other = turned(network)
    assert other.groups() == network.groups()
    for mine, theirs in zip(analyse(other).layers, analyse(network).layers, strict=True):
        assert mine.removable == theirs.removable
        assert np.allclose(mine.singular_values, theirs.singular_values)
    units = {group.writers[0]: group.size + 2 for group in network.groups()}
    shapes = {
        name: array.shape for name, array in named(resized(other, units).parameters()).items()
    }
    assert shapes == {name: a.shape for name, a in resized(network, units).parameters().items()}
