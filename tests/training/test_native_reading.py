import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import Flatten, Normalize
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.builders import build
from nas_surgery.training.native_reading import Part, answer, compare

FAR = Normalize(np.full(3, 1e4), np.full(3, 0.5))
NETWORK = build((2, 3), FAR, Flatten(), 6, "gelu", 4, "relu", 2).astype(np.float32)


def parts(**changed):
    """A part for each layer of the network; those that are named by kind and address run as given."""
    return [
        Part(
            f"part {address}",
            (layer,),
            changed.get(f"{layer.kind}_{address}", layer.forward),
            unit_roundoff(np.float32),
        )
        for address, layer in enumerate(NETWORK.layers)
    ]


def test_what_computes_the_same_passes():
    """Each layer in float32, inputs far from zero, a Flatten between."""
    compare(NETWORK, parts(), NETWORK.forward, "model")


def test_the_first_part_that_differs_is_named():
    """By a thousandth of what comes out, wherever it stands."""
    wrong = {
        "dense_4": lambda x: 1.001 * NETWORK.layers[4].forward(x),
        "activation_5": lambda x: x,
    }
    with pytest.raises(BackendError, match=r"^part 4: computes something else than was read, by"):
        compare(NETWORK, parts(**wrong), NETWORK.forward, "model")


def test_parts_that_agree_do_not_speak_for_the_whole():
    """A model may do more than its parts."""
    with pytest.raises(BackendError, match=r"^model as a whole: computes something else"):
        compare(NETWORK, parts(), lambda x: NETWORK.forward(x) + 1, "model")


def test_outputs_of_another_shape_are_told():
    """With both shapes."""
    with pytest.raises(BackendError, match=r"outputs of shape \(16, 1\), .* give \(16, 4\)"):
        compare(NETWORK, parts(dense_4=lambda x: x[:, :1]), NETWORK.forward, "model")


def test_weights_that_are_nan_are_read_as_they_are():
    """Both say NaN; only one of them saying so is a difference."""
    kernel = NETWORK.layers[6].kernel * np.nan
    spoilt = NETWORK.with_parameters({"layers.6.kernel": kernel})
    unit = unit_roundoff(np.float32)
    read = [Part("all", spoilt.layers, spoilt.forward, unit)]
    compare(spoilt, read, spoilt.forward, "model")
    with pytest.raises(BackendError, match="all: computes something else"):
        compare(
            spoilt, [Part("all", spoilt.layers, NETWORK.forward, unit)], spoilt.forward, "model"
        )


def test_whatever_fails_is_one_line_that_says_where():
    """Also an error without a text."""

    def fail(x):
        raise ZeroDivisionError

    with pytest.raises(
        BackendError, match=r"^part 7: fails on inputs of shape \(2,\): ZeroDivisionError$"
    ):
        answer("part 7", fail, np.zeros(2))
