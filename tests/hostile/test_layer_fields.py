"""Settings of layers that a file may claim: each odd value is taken or refused in one line."""

import pytest

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.safetensors import from_structure, named_arrays, structure
from nas_surgery.network import NetworkError
from nas_surgery.testing.layers import around, example_layers

LARGE = 2**70
ODD = [
    *(None, True, False, -1, 0, 1, 7, 1.5, -2.5, 1e308, LARGE, 2**31 - 1, "", "x", "same", "valid"),
    *([], {}, [[]], [0], [-1], [1], [1, 1], [2, 2], [1, 1, 1, 1], [True], [None], [[None]], ["x"]),
    *([LARGE], [[1, 2], [3]], [[1, 2], [3, 4]], [[0, -1]], [1.5], [[1, 2, 3]], {"a": 1}, [{}]),
]
CASES = [(layer, shape) for layer, shape in example_layers() if layer.config()]


def refusal(description, arrays):
    """Why it is refused; "" where it is taken."""
    try:
        from_structure(description, arrays)
    except (ModelFileError, NetworkError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=lambda value: getattr(value, "kind", None))
def test_odd_settings_are_taken_or_refused_in_one_line(layer, shape):
    """Whatever stands in a field; nothing is allocated for what is claimed."""
    network = around(layer, shape)
    described, arrays = structure(network), named_arrays(network)
    first, *others = described["layers"]
    for field in layer.config():
        layers = [[{**first, field: value}, *others] for value in ODD]
        reasons = [refusal({**described, "layers": each}, arrays) for each in layers]
        assert "\n" not in "".join(reasons)
        assert any(reasons)
