"""What else stands in networks for sequences, against loops and onnxruntime's own operators."""

import numpy as np
import pytest

from nas_surgery.network import (
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    Network,
    NetworkError,
    Rearrange,
    RMSNorm,
    Softmax,
    Token,
    keyed_generator,
)
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.oracles import assert_close

FLOAT32 = unit_roundoff(np.float32)


def drawn(*shape, seed=0):
    return keyed_generator(seed, "sequences", *shape).normal(size=shape)


SCALE, OFFSET, TABLE = drawn(5, seed=1), drawn(5, seed=2), drawn(7, 3)


def onnxruntime_says(operator, *inputs, **attributes):
    """What one operator computes."""
    import onnxruntime
    from onnx import helper

    named = {f"in{i}": array for i, array in enumerate(inputs)}
    node = helper.make_node(operator, [*named], ["out"], **attributes)
    types = {name: helper.np_dtype_to_tensor_dtype(a.dtype) for name, a in named.items()}
    given = [helper.make_tensor_value_info(k, types[k], a.shape) for k, a in named.items()]
    made = helper.make_tensor_value_info("out", types["in0"], None)
    graph = helper.make_graph([node], "one", given, [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, named)[0]


def normalised(row, epsilon, centred):
    """Of one position, value by value."""
    middle = sum(row) / len(row) if centred else 0
    square = sum((value - middle) ** 2 for value in row) / len(row)
    return [(value - middle) / (square + epsilon) ** 0.5 for value in row]


@pytest.mark.parametrize(
    ("layer", "centred"),
    [
        (LayerNorm(SCALE, OFFSET), True),
        (LayerNorm(SCALE, epsilon=0.3), True),
        (LayerNorm(offset=OFFSET), True),
        (LayerNorm(), True),
        (RMSNorm(SCALE), False),
        (RMSNorm(SCALE, epsilon=0.3), False),
    ],
)
def test_each_position_is_normalised_by_itself(layer, centred):
    """Over its channels, then scaled and shifted per channel."""
    x = drawn(4, 2, 5)
    wanted = np.array([[normalised(row, layer.epsilon, centred) for row in s] for s in x])
    wanted = wanted * layer.arrays().get("scale", 1) + layer.arrays().get("offset", 0)
    assert np.allclose(layer.forward(x), wanted, atol=1e-14)


def test_onnxruntime_normalises_the_same():
    """Also far from zero, where a difference of means of squares would be lost."""
    x = drawn(4, 2, 5) + 100
    layer = LayerNorm(SCALE, OFFSET, 1e-3)
    found = onnxruntime_says("LayerNormalization", x, SCALE, OFFSET, axis=-1, epsilon=1e-3)
    assert_close(layer.forward(x), found, 1e-10, "float64")
    narrow = LayerNorm(SCALE.astype(np.float32), OFFSET.astype(np.float32), 1e-3)
    assert narrow.forward(x.astype(np.float32)).dtype == np.float32
    assert_close(narrow.forward(x.astype(np.float32)), found, 1e-4, "float32")


def test_softmax_is_over_channels():
    """Against onnxruntime; scores far apart neither overflow nor give NaN."""
    x = drawn(4, 2, 5) * 300
    assert_close(Softmax().forward(x), onnxruntime_says("Softmax", x, axis=-1), 1e-12, "softmax")
    assert np.allclose(Softmax().forward(x).sum(-1), 1)


@pytest.mark.parametrize("size", [1e-4, 1, 100, 1e4])
@pytest.mark.parametrize("layer", [Softmax(), LayerNorm(SCALE, OFFSET), RMSNorm(SCALE)])
def test_bounds_hold_whatever_the_size_of_inputs_and_their_errors(layer, size):
    """And are finite: outputs that are bounded are off by no more."""
    x = size * drawn(50, 5)
    for off in (0, 1e-5, 0.1, 10):
        errors = np.full_like(x, off * size)
        moved = (x + errors * np.sign(drawn(50, 5, seed=3))).astype(np.float32)
        errors = np.abs(moved - x)
        bound = layer.error_behind(x, errors, FLOAT32)
        assert np.isfinite(bound).all()
        assert np.all(np.abs(layer.forward(moved) - layer.forward(x)) <= bound)


@pytest.mark.parametrize("layer", [Softmax(), LayerNorm(SCALE, OFFSET), RMSNorm(SCALE)])
def test_bounds_tell_other_inputs_from_rounding(layer):
    """Of usual values in float32 they are far below them."""
    x = drawn(50, 5)
    bound = layer.error_behind(x, np.zeros_like(x), FLOAT32)
    assert bound.max() < 1e-4


def test_an_embedding_gives_the_rows_of_its_table():
    """Whatever axes the tokens have; as onnxruntime gathers them."""
    tokens = keyed_generator(0, "tokens").integers(7, size=(4, 2, 3))
    found = Embedding(TABLE).forward(tokens.astype(np.float64))
    assert np.array_equal(found, [[[TABLE[t] for t in row] for row in s] for s in tokens])
    assert np.array_equal(found, onnxruntime_says("Gather", TABLE, tokens, axis=0))
    assert Embedding(TABLE).output_shape((2, 3)) == (2, 3, 3)


@pytest.mark.parametrize("token", [-1, 7, 0.5, np.nan, np.inf])
def test_what_is_no_token_is_refused(token):
    """In one line that says which are."""
    with pytest.raises(NetworkError, match=r"Embedding.table has 7 rows, so .* 0 to 6, got"):
        Embedding(TABLE).forward(np.array([[0.0, token]]))


def test_usual_inputs_of_an_embedding_are_its_tokens():
    """All of them, the first and the last among them, whatever values they are made of."""
    tokens = Embedding(TABLE).usual_inputs(np.append(drawn(200), [-50, 50])[None])
    assert set(tokens.flat) == set(range(7))


def test_an_embedding_moves_values_exactly():
    """Errors of tokens below a half count for nothing; beyond it any row may come out."""
    x, errors = np.array([[0.0, 1.0]]), np.array([[0.1, 2.0]])
    bound = Embedding(TABLE).error_behind(x, errors, FLOAT32)
    assert np.array_equal(bound, [[[0, 0, 0], TABLE.max(0) - TABLE.min(0)]])


def test_a_network_of_tokens_answers_float32():
    """Tokens are whole numbers that float32 holds."""
    network = Network(2, [Embedding(TABLE), Dense(drawn(3, 2)), Flatten()])
    narrow = network.astype(np.float32)
    assert_close(narrow.outputs([[0, 6]]), network.outputs([[0, 6]]), 1e-6, "tokens")


def test_tokens_stand_before_the_sequence():
    """The same for every sample."""
    values, x = drawn(2, 3), drawn(4, 5, 3)
    found = Token(values).forward(x)
    assert found.shape == (4, *Token(values).output_shape((5, 3))) == (4, 7, 3)
    assert np.array_equal(found[:, 2:], x)
    assert np.array_equal(found[:, :2], [values] * 4)
    assert Token(values).forward(x[:0]).shape == (0, 7, 3)


def test_patches_of_an_image():
    """4 × 6 positions as 2 × 3 patches of 2 × 2, each a sequence of its own, in reading order."""
    layer = Rearrange((2, 2, 3, 2), (0, 2, 1, 3), (2, 2))
    x = drawn(5, 4, 6, 3)
    wanted = [
        x[:, r : r + 2, c : c + 2].reshape(5, 4, 3) for r in range(0, 4, 2) for c in range(0, 6, 2)
    ]
    assert layer.output_shape((4, 6, 3)) == (6, 4, 3)
    assert np.array_equal(layer.forward(x), np.stack(wanted, axis=1))
    assert layer.forward(x[:0]).shape == (0, 6, 4, 3)


def test_positions_may_come_and_go():
    """One channel vector as a sequence of one, and back."""
    x = drawn(5, 3)
    sequence = Rearrange((1,), (0,), (1,))
    assert sequence.output_shape((3,)) == (1, 3)
    assert np.array_equal(sequence.forward(x), x[:, None])
    assert np.array_equal(Rearrange((), (), ()).forward(x[:, None]), x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerNorm(np.ones((2, 3))), r"LayerNorm.scale needs shape \(C,\), got \(2, 3\)"),
        (lambda: LayerNorm(SCALE, OFFSET[:2]), r"LayerNorm.offset needs shape \(5,\), got \(2,\)"),
        (lambda: LayerNorm(epsilon=0), "LayerNorm.epsilon must be a finite number > 0, got 0"),
        (lambda: LayerNorm(SCALE).output_shape((4,)), r"LayerNorm.scale needs 5 input channels"),
        (lambda: RMSNorm(SCALE, "small"), "RMSNorm.epsilon must be a finite number > 0, got 'sm"),
        (lambda: RMSNorm(SCALE).output_shape((5, 4)), r"RMSNorm.scale needs 5 input channels"),
        (lambda: Embedding(TABLE[0]), r"Embedding.table needs shape \(tokens, C\), got \(3,\)"),
        (lambda: Embedding(TABLE[:0]), r"Embedding.table needs shape .* got \(0, 3\)"),
        (lambda: Token(TABLE[0]), r"Token.values needs shape \(k, C\), got \(3,\)"),
        (lambda: Token(TABLE).output_shape((3,)), "needs a sequence of 3 channels"),
        (lambda: Token(TABLE).output_shape((5, 2)), r"Token.values \(7, 3\) needs a sequence of 3"),
        (lambda: Rearrange(4, (0,), (1,)), "Rearrange.shape needs a list of whole numbers, got 4"),
        (lambda: Rearrange((-1,), (0,), (1,)), "Rearrange.shape needs whole numbers ≥ 1, got -1"),
        (lambda: Rearrange((2, 2), (0, 0), (2,)), "Rearrange.order must hold each of 0 to 1 once"),
        (lambda: Rearrange((2, 2), (1, 0), (1,)), "Rearrange.result must have the sum 2"),
        (
            lambda: Rearrange((2, 2), (1, 0), (2,)).output_shape((5, 3)),
            r"Rearrange.shape \(2, 2\) needs 4 positions, got inputs of shape \(5, 3\)",
        ),
    ],
)
def test_invalid_fields_and_shapes_are_refused(make, message):
    """Each error names the layer, the field, the rule and the shapes."""
    with pytest.raises(NetworkError, match=message):
        make()
