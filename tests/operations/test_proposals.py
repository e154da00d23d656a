"""The first-order scores and sizes of the paper's proposals, on spectra made by hand."""

import numpy as np

from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Activation, Dense, Network
from nas_surgery.operations import (
    AddLayer,
    AddNeurons,
    Identity,
    RemoveLayer,
    RemoveNeurons,
    TruncatedSVD,
)


def layer(fan_in, units, removable):
    """A kernel with min(fan_in, units) singular values, of which `removable` are 0.1 and the rest 2."""
    values = np.full(min(fan_in, units), 2.0)
    values[len(values) - removable :] = 0.1
    kernel = np.zeros((fan_in, units))
    np.fill_diagonal(kernel, values)
    return Dense(kernel, np.zeros(units))


def proposals(operation, *layers):
    """What is proposed for a chain of these layers, as (fields, score)."""
    chain = [item for dense in layers for item in (dense, Activation("relu"))]
    network = Network(layers[0].fan_in, chain[:-1])
    found = operation.propose(network, analyse(network))
    return [(p.operation, round(p.score, 12)) for p in found]


# h = 2 hidden layers: 8 units with 2 removable at address 0, 6 units with 6 removable at address 2
HIDDEN = layer(8, 8, 2), layer(8, 6, 6), layer(6, 3, 0)


def test_identity_scores_one():
    """The unchanged network competes once."""
    assert proposals(Identity, *HIDDEN) == [(Identity(), 1.0)]


def test_adding_neurons_scores_what_is_not_redundant():
    """1 - n_r/n_l, for max(2, n // 10) units and ten times as many."""
    assert proposals(AddNeurons, *HIDDEN) == [
        (AddNeurons(0, 2, "split"), 0.75),
        (AddNeurons(0, 20, "split"), 0.75),
        (AddNeurons(2, 2, "split"), 0.0),
        (AddNeurons(2, 20, "split"), 0.0),
    ]
    wide = layer(40, 37, 0), layer(37, 3, 0)
    assert proposals(AddNeurons, *wide) == [
        (AddNeurons(0, 3, "split"), 1.0),
        (AddNeurons(0, 30, "split"), 1.0),
    ]


def test_adding_a_layer_scores_what_is_not_redundant_by_depth():
    """(1 - n_r/n_l) · i/h."""
    assert proposals(AddLayer, *HIDDEN) == [(AddLayer(0), 0.375), (AddLayer(2), 0.0)]


def test_removing_neurons_scores_what_is_redundant():
    """n_r/n_l, for max(1, min(n_r, n - 1)) units: never all, and one where none is removable."""
    assert proposals(RemoveNeurons, *HIDDEN) == [
        (RemoveNeurons(0, count=2, method="svd"), 0.25),
        (RemoveNeurons(2, count=5, method="svd"), 1.0),
    ]
    full = layer(4, 4, 0), layer(4, 3, 0)
    assert proposals(RemoveNeurons, *full) == [(RemoveNeurons(0, count=1, method="svd"), 0.0)]


def test_the_last_unit_is_never_proposed_for_removal():
    """A layer of one unit cannot be narrowed."""
    assert proposals(RemoveNeurons, layer(4, 1, 1), layer(1, 3, 0)) == []


def test_removing_a_layer_scores_redundancy_by_depth_or_one():
    """(n_r/n_l) · i/h; 1 where every unit is removable, wherever the layer stands."""
    assert proposals(RemoveLayer, *HIDDEN) == [
        (RemoveLayer(0, "product"), 0.125),
        (RemoveLayer(2, "product"), 1.0),
    ]
    first = layer(4, 4, 4), layer(4, 4, 1), layer(4, 3, 0)
    assert proposals(RemoveLayer, *first) == [
        (RemoveLayer(0, "product"), 1.0),
        (RemoveLayer(2, "product"), 0.25),
    ]


def test_factoring_scores_what_is_redundant():
    """n_r/n_l at rank n_l - n_r; never rank 0, nor a rank that adds parameters."""
    redundant = layer(8, 8, 5), layer(8, 8, 3), layer(8, 8, 8), layer(8, 3, 0)
    # rank 3 of 8: 3 · 16 = 48 ≤ 64 parameters; rank 5: 80 > 64; rank 0 is nothing
    assert proposals(TruncatedSVD, *redundant) == [(TruncatedSVD(0, 3, "svd"), 0.625)]


def test_reasons_name_the_figures():
    """A person can check the score."""
    network = Network(8, [HIDDEN[0], Activation("relu"), layer(8, 3, 0)])
    reasons = [o.propose(network, analyse(network))[0].reason for o in (RemoveNeurons, RemoveLayer)]
    assert all("2 of 8 units" in reason for reason in reasons)
    assert "layer 1 of 1" in reasons[1]
