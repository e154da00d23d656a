from nas_surgery.operations import AddLayer, AddNeurons, RemoveLayer
from nas_surgery.surgery import origins
from nas_surgery.testing.builders import build

NETWORK = build(4, 5, "relu", 6, "tanh", 3)


def test_untouched_layers_keep_their_origin():
    """Changed and new layers have none; the others move with what was inserted or dropped."""
    assert origins(NETWORK, NETWORK) == (0, 1, 2, 3, 4)
    assert origins(NETWORK, AddNeurons(0, 2)(NETWORK)) == (None, 1, None, 3, 4)
    assert origins(NETWORK, AddLayer(0)(NETWORK)) == (0, 1, None, None, 2, 3, 4)
    assert origins(NETWORK, RemoveLayer(2)(NETWORK)) == (0, 1, None)
