"""LSTM and GRU against their published equations, unit by unit, and against onnxruntime's own."""

import attrs
import numpy as np
import pytest

from nas_surgery.network import GRU, LSTM, NetworkError, keyed_generator
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.oracles import assert_close

FLOAT32 = unit_roundoff(np.float32)
IN, UNITS, LENGTH = 3, 2, 4


def drawn(*shape, seed=0):
    return keyed_generator(seed, "recurrent", *shape).normal(size=shape)


def recurrent(cls, biases=True, **options):
    shapes = {"kernel": (IN, cls.gates, UNITS), "recurrent": (UNITS, cls.gates, UNITS)}
    if biases:
        shapes |= dict.fromkeys(set(cls.trainable) - {*shapes}, (cls.gates, UNITS))
    arrays = {name: drawn(*shapes[name], seed=i) for i, name in enumerate(sorted(shapes))}
    return cls(**arrays, **options)


OPTIONS = [{}, {"sequences": False}, {"reverse": True}, {"sequences": False, "reverse": True}]
LAYERS = [recurrent(cls, b, **o) for cls in (LSTM, GRU) for b in (True, False) for o in OPTIONS]
every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def weighed(values, weights):
    return sum(value * weight for value, weight in zip(values, weights, strict=True))


def lstm_step(layer, x, h, c):
    """c' = f c + i g, h' = o tanh(c'), for each unit."""
    bias = np.zeros((4, UNITS)) if layer.bias is None else layer.bias
    new_h, new_c = [], []
    for u in range(UNITS):
        i, f, g, o = (
            weighed(x, layer.kernel[:, gate, u])
            + weighed(h, layer.recurrent[:, gate, u])
            + bias[gate, u]
            for gate in range(4)
        )
        new_c.append(sigmoid(f) * c[u] + sigmoid(i) * np.tanh(g))
        new_h.append(sigmoid(o) * np.tanh(new_c[u]))
    return new_h, new_c


def gru_step(layer, x, h, _):
    """n = tanh(W x + b + r (R h + c)), h' = (1 - z) n + z h, for each unit."""
    none = np.zeros((3, UNITS))
    bias = none if layer.bias is None else layer.bias
    inner = none if layer.recurrent_bias is None else layer.recurrent_bias
    new = []
    for u in range(UNITS):
        a = [weighed(x, layer.kernel[:, gate, u]) + bias[gate, u] for gate in range(3)]
        b = [weighed(h, layer.recurrent[:, gate, u]) + inner[gate, u] for gate in range(3)]
        r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        n = np.tanh(a[2] + r * b[2])
        new.append((1 - z) * n + z * h[u])
    return new, _


def by_the_book(layer, sample):
    """Of one sample: each output beside its input, or the one that was computed last."""
    step = lstm_step if isinstance(layer, LSTM) else gru_step
    h, c, outputs = [0.0] * UNITS, [0.0] * UNITS, {}
    places = range(len(sample))
    for place in reversed(places) if layer.reverse else places:
        h, c = step(layer, sample[place], h, c)
        outputs[place] = h
    return np.array([outputs[place] for place in places] if layer.sequences else h)


@every_layer
def test_outputs_are_those_of_the_equations(layer):
    """With and without biases, forwards and backwards, all or the last."""
    x = drawn(5, LENGTH, IN)
    wanted = [by_the_book(layer, sample) for sample in x]
    assert np.allclose(layer.forward(x), wanted, rtol=0, atol=1e-14)


ORDERS = {LSTM: (0, 3, 1, 2), GRU: (1, 0, 2)}  # where ONNX has i, o, f, c and z, r, h


def onnxruntime_says(layer, x):
    """What its operator computes of the layer's weights, by a graph of one node."""
    import onnxruntime
    from onnx import TensorProto, helper

    order = list(ORDERS[type(layer)])
    gates = len(order) * UNITS

    def rows(array):  # (in, gates, units) as (1, gates·units, in)
        return array[:, order].reshape(len(array), gates).T[None]

    none = np.zeros((len(order), UNITS))
    biases = [getattr(layer, name, None) for name in ("bias", "recurrent_bias")]
    flat = [(none if b is None else b)[order].reshape(1, gates) for b in biases]
    inputs = {
        "X": x.swapaxes(0, 1),
        "W": rows(layer.kernel),
        "R": rows(layer.recurrent),
        "B": np.concatenate(flat, axis=1),
    }
    options = {"linear_before_reset": 1} if isinstance(layer, GRU) else {}
    direction = "reverse" if layer.reverse else "forward"
    node = helper.make_node(
        type(layer).__name__,
        [*inputs],
        ["Y", "H"],
        hidden_size=UNITS,
        direction=direction,
        **options,
    )
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(k, kind, v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in ("Y", "H")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, h = session.run(None, {k: v.astype(np.float32) for k, v in inputs.items()})
    return y[:, 0].swapaxes(0, 1) if layer.sequences else h[0]


@every_layer
def test_onnxruntime_computes_the_same(layer):
    """Order of gates, both biases, where the reset gate acts, and where outputs stand."""
    x = drawn(5, LENGTH, IN, seed=9)
    assert_close(layer.forward(x), onnxruntime_says(layer, x), 1e-6, layer.kind)


@every_layer
def test_shapes_and_multiply_accumulates(layer):
    """For no sample, one and some; each position costs gates · (in + units) · units."""
    for count in (0, 1, 5):
        behind = layer.forward(np.ones((count, LENGTH, IN)))
        assert behind.shape == (count, *layer.output_shape((LENGTH, IN)))
    assert layer.macs((LENGTH, IN)) == LENGTH * layer.gates * (IN + UNITS) * UNITS


@every_layer
def test_units_may_change_places(layer):
    """A permutation along all axes that write, recur or hold one value each gives permuted outputs."""
    order, channels = [1, 0], layer.channels
    arrays = layer.arrays()
    for at in (*channels.made, *channels.recurs):
        if at.array in arrays:
            arrays[at.array] = arrays[at.array].take(order, at.axis)
    x = drawn(5, LENGTH, IN)
    permuted = attrs.evolve(layer, **arrays)
    assert np.allclose(permuted.forward(x), layer.forward(x)[..., order], atol=1e-14)


@every_layer
@pytest.mark.parametrize("scale", [0.3, 3, 30])
def test_float32_stays_within_the_bound(layer, scale):
    """Inputs that are off, and weights up to such that saturate all gates; the bound is finite."""
    held = {k: (scale * v).astype(np.float32) for k, v in layer.arrays().items()}
    narrow = attrs.evolve(layer, **held)
    wide = attrs.evolve(layer, **{k: v.astype(np.float64) for k, v in held.items()})
    x = 3 * drawn(30, LENGTH, IN)
    off = (x + 0.001 * drawn(30, LENGTH, IN, seed=1)).astype(np.float32)
    bound = wide.error_behind(x, np.abs(off - x), FLOAT32)
    assert np.isfinite(bound).all()
    assert np.all(np.abs(narrow.forward(off) - wide.forward(x)) <= bound)
    assert np.all(np.abs(onnxruntime_says(narrow, off) - wide.forward(x)) <= bound)


@pytest.mark.parametrize("cls", [LSTM, GRU])
def test_the_bound_tells_other_weights_from_rounding(cls):
    """Of a usual layer and sequence it is far below what is put out."""
    units, rows = 16, 12
    layer = cls(
        0.2 * drawn(8, cls.gates, units), 0.2 * drawn(units, cls.gates, units), sequences=False
    )
    x = drawn(9, rows, 8)
    assert (
        layer.error_behind(x, np.zeros_like(x), FLOAT32).max()
        < 1e-2 * np.abs(layer.forward(x)).max()
    )


K, R, B = drawn(3, 4, 2), drawn(2, 4, 2), drawn(4, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(K[:, :3], R), r"LSTM.kernel needs shape \(in, 4, units\), got \(3, 3, 2\)"),
        (lambda: LSTM(K[0], R), r"LSTM.kernel needs shape \(in, 4, units\), got \(4, 2\)"),
        (lambda: LSTM(K[:0], R), r"LSTM.kernel needs shape .* got \(0, 4, 2\)"),
        (lambda: LSTM(K, K), r"LSTM.recurrent needs shape \(2, 4, 2\) for kernel \(3, 4, 2\), got"),
        (lambda: LSTM(K, R, B[0]), r"LSTM.bias needs shape \(4, 2\) for kernel .* got \(2,\)"),
        (lambda: LSTM(K, R, sequences=1), "LSTM.sequences must be True or False, got 1"),
        (lambda: LSTM(K, R, reverse="no"), "LSTM.reverse must be True or False, got 'no'"),
        (lambda: GRU(K, R), r"GRU.kernel needs shape \(in, 3, units\), got \(3, 4, 2\)"),
        (
            lambda: GRU(K[:, :3], R[:, :3], None, B),
            r"GRU.recurrent_bias needs shape \(3, 2\) for kernel .* got \(4, 2\)",
        ),
        (lambda: LSTM(K, R).output_shape((4,)), "needs a sequence of 3 channels, got inputs of sh"),
        (lambda: LSTM(K, R).output_shape((5, 4)), r"LSTM.kernel \(3, 4, 2\) needs a sequence of 3"),
    ],
)
def test_invalid_fields_and_shapes_are_refused(make, message):
    """Each error names the layer, the field, the rule and the shapes."""
    with pytest.raises(NetworkError, match=message):
        make()
