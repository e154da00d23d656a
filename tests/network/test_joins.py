"""What joins say of themselves is true: each declaration against `forward`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import (
    LAYERS,
    Add,
    Attend,
    Concat,
    ConcatPositions,
    Join,
    Multiply,
    NetworkError,
    Passes,
    keyed_generator,
)
from nas_surgery.network.roundoff import unit_roundoff

BIAS = np.random.default_rng(0).normal(size=(2, 3, 3))
EXAMPLES = [  # each with the shapes of its sources, and the multiply-accumulates for these
    (Add(), [(2, 3), (2, 3), (2, 3)], 0),
    (Add(), [(2, 4, 3), (3,), (1, 4, 3)], 0),
    (Multiply(), [(2, 3), (2, 3), (2, 3)], 0),
    (Multiply(), [(3,), (2, 1, 3), (2, 4, 3)], 0),
    (Concat(), [(2, 3), (2, 1), (2, 2)], 0),
    (ConcatPositions(), [(2, 3), (1, 3), (4, 3)], 0),
    (ConcatPositions(1), [(2, 1, 3), (2, 5, 3)], 0),
    (Attend(2), [(3, 4), (5, 4), (5, 6)], 3 * 5 * (4 + 6)),
    (Attend(2, 0.3, True, BIAS), [(3, 2), (3, 2), (3, 4)], 3 * 3 * (2 + 4)),
    (Attend(2, bias=BIAS[:1]), [(2, 3, 2), (2, 3, 2), (2, 3, 2)], 2 * 3 * 3 * (2 + 2)),
    (Attend(1, bias=BIAS[:, None]), [(2, 3, 2), (2, 3, 2), (2, 3, 2)], 2 * 3 * 3 * (2 + 2)),
]
every_join = pytest.mark.parametrize(
    ("join", "shapes", "macs"), EXAMPLES, ids=lambda value: getattr(value, "kind", None)
)


def drawn(seed, *shape):
    return keyed_generator(seed, "values").normal(size=shape)


def inputs(shapes, seed):
    return [drawn(seed + i, 5, *shape) for i, shape in enumerate(shapes)]


def test_every_join_has_an_example():
    """One that is added is checked here, or this fails."""
    joins = {kind for kind, layer in LAYERS.items() if issubclass(layer, Join)}
    assert {join.kind for join, _, _ in EXAMPLES} == joins


def test_joins_of_known_values():
    """Sums, products, and channels or positions side by side in the order of the sources."""
    a, b = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])
    assert np.array_equal(Add().forward(a, b, b), [[21.0, 42.0]])
    assert np.array_equal(Multiply().forward(a, b, b), [[100.0, 800.0]])
    assert np.array_equal(Concat().forward(b, a), [[10.0, 20.0, 1.0, 2.0]])
    assert np.array_equal(ConcatPositions().forward(b[None], a[None]), [[[10.0, 20.0], [1.0, 2.0]]])


def test_a_gate_without_positions_acts_on_each():
    """(C,) beside (H, W, C), in whatever order; no axis of the batch is mistaken for another."""
    image, gate = drawn(0, 4, 4, 4, 3), drawn(1, 4, 3)
    wanted = np.array([x * g for x, g in zip(image, gate, strict=True)])
    assert np.array_equal(Multiply().forward(image, gate), wanted)
    assert np.array_equal(Multiply().forward(gate, image), wanted)
    assert np.array_equal(Add().forward(gate, image), image + gate[:, None, None])


@every_join
def test_shapes_are_those_of_forward(join, shapes, macs):
    """For some samples, for one and for none."""
    for count in (5, 1, 0):
        behind = join.forward(*(np.ones((count, *shape)) for shape in shapes))
        assert behind.shape == (count, *join.output_shape(*shapes))
    assert join.macs(*shapes) == macs


@every_join
def test_samples_do_not_mix(join, shapes, macs):
    """Each alone gives what it gives among others."""
    xs = inputs(shapes, 0)
    alone = [join.forward(*(x[i : i + 1] for x in xs))[0] for i in range(5)]
    assert np.allclose(join.forward(*xs), alone, atol=1e-14)


@pytest.mark.parametrize(
    ("join", "shapes", "message"),
    [
        (Add(), [(3,), (4,)], r"Add needs sources of one shape, .* got .* \(3,\) and \(4,\)"),
        (Add(), [(1,), (4,)], "Add needs sources of one shape"),
        (Multiply(), [(2, 3), (4, 3)], "Multiply needs sources of one shape, or with a single"),
        (Multiply(), [(2, 3), (2, 2, 3)], "Multiply needs sources of one shape"),
        (Concat(), [(2, 3), (3, 3)], "Concat needs sources of one shape but for their channels"),
        (Concat(), [(2, 3), (3,)], "Concat needs"),
        (ConcatPositions(), [(2, 3), (2, 4)], "ConcatPositions needs sources of one shape but"),
        (ConcatPositions(), [(2,), (3,)], "but for axis 0, which holds positions"),
        (ConcatPositions(1), [(2, 3), (2, 3)], "but for axis 1, which holds positions"),
        (Attend(), [(2, 3), (2, 3)], "Attend needs three sources: sequences"),
        (Attend(), [(3,), (3,), (3,)], "Attend needs three sources: sequences"),
        (Attend(), [(2, 3), (2, 4), (2, 3)], "as many channels of keys as of queries"),
        (Attend(), [(2, 3), (5, 3), (4, 3)], "a value for each key"),
        (Attend(2), [(2, 3), (2, 3), (2, 4)], "channels that 2 heads share equally"),
        (Attend(causal=True), [(2, 3), (5, 3), (5, 3)], "as many keys as queries where it is"),
        (
            Attend(1, bias=BIAS[:, None]),
            [(5, 3, 4), (5, 3, 4), (5, 3, 4)],
            r"bias \(2, 1, 3, 3\) does not fit 3 queries and 3 keys at \(5,\) outer positions",
        ),
        (Attend(2, bias=BIAS), [(2, 4), (3, 4), (3, 4)], r"bias \(2, 3, 3\) does not fit 2 quer"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(join, shapes, message):
    """With the layer, the rule and the shapes; channels are never broadcast."""
    with pytest.raises(NetworkError, match=message):
        join.output_shape(*shapes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConcatPositions(-1), "ConcatPositions.axis needs whole numbers ≥ 0, got -1"),
        (lambda: ConcatPositions(True), "ConcatPositions.axis needs whole numbers"),
        (lambda: Attend(0), "Attend.heads needs whole numbers ≥ 1, got 0"),
        (lambda: Attend("2"), "Attend.heads needs whole numbers ≥ 1, got '2'"),
        (lambda: Attend(scale=np.inf), "Attend.scale must be a finite number, got inf"),
        (lambda: Attend(causal=1), "Attend.causal must be True or False, got 1"),
        (
            lambda: Attend(2, bias=BIAS[0]),
            r"Attend.bias needs shape \(\*outer, 1 or 2, L, S\), got",
        ),
        (
            lambda: Attend(3, bias=BIAS),
            r"Attend.bias needs shape .*1 or 3, L, S\), got \(2, 3, 3\)",
        ),
    ],
)
def test_invalid_fields_are_refused(make, message):
    """Each error names the layer, the field, the rule and the value."""
    with pytest.raises(NetworkError, match=message):
        make()


@given(st.integers(0, 99))
def test_any_change_of_channels_passes(seed):
    """One for all sources of a sum or of positions; one for each part of a concatenation; a selection
    for all factors of a product."""
    m = drawn(seed, 3, 4)
    a, b, c = inputs([(2, 3), (2, 3), (2, 3)], seed)
    for join in (Add(), ConcatPositions()):
        assert join.passes is Passes.ANY
        assert np.allclose(join.forward(a @ m, b @ m, c @ m), join.forward(a, b, c) @ m)
    found = Concat().forward(a @ m, b, c)
    assert np.allclose(found[..., :4], a @ m)
    assert np.array_equal(found[..., 4:], Concat().forward(b, c))
    chosen = [seed % 3, 0, 2]
    assert Multiply().passes is Passes.SELECTION
    assert np.array_equal(
        Multiply().forward(a[..., chosen], b[..., chosen]), Multiply().forward(a, b)[..., chosen]
    )
    assert not np.allclose(Multiply().forward(2 * a, 2 * b), 2 * Multiply().forward(a, b))


@given(st.integers(0, 99))
def test_inside_heads_of_attention_any_map_passes(seed):
    """Of values; and of queries, once keys get its inverse transposed."""
    m = np.eye(2) + 0.1 * drawn(seed, 2, 2)
    both, dual = (np.kron(np.eye(3), each) for each in (m, np.linalg.inv(m).T))
    q, k, v = inputs([(4, 6), (5, 6), (5, 6)], seed)
    join = Attend(3)
    y = join.forward(q, k, v)
    assert np.allclose(join.forward(q, k, v @ both), y @ both)
    assert np.allclose(join.forward(q @ both, k @ dual, v), y)


def attention(q, k, v, heads, scale, causal=False, bias=None):
    """Of one sample, score by score: eq. 1 of Vaswani et al. (2017) for each head."""
    length, d, e = len(q), q.shape[1] // heads, v.shape[1] // heads
    y = np.zeros((length, v.shape[1]))
    for head in range(heads):
        qs, ks, vs = q[:, head * d :][:, :d], k[:, head * d :][:, :d], v[:, head * e :][:, :e]
        for i in range(length):
            seen = range(i + 1) if causal else range(len(k))
            scores = [scale * sum(qs[i] * ks[j]) for j in seen]
            if bias is not None:
                scores = [
                    s + bias[head % len(bias), i, j] for s, j in zip(scores, seen, strict=True)
                ]
            shares = np.exp(scores) / sum(np.exp(scores))
            y[i, head * e :][:e] = sum(p * vs[j] for p, j in zip(shares, seen, strict=True))
    return y


@pytest.mark.parametrize(
    ("join", "scale"),
    [
        (Attend(2), 2**-0.5),
        (Attend(2, 0.7, causal=True), 0.7),
        (Attend(2, bias=BIAS), 2**-0.5),
        (Attend(1, bias=BIAS[:1], causal=True), 0.5),
    ],
)
def test_attention_is_that_of_its_equation(join, scale):
    """Against loops over heads, queries and keys; heads outer, their channels inner."""
    q, k, v = inputs([(3, 4), (3, 4), (3, 6)], 1)
    wanted = [
        attention(*x, join.heads, scale, join.causal, join.bias) for x in zip(q, k, v, strict=True)
    ]
    assert np.allclose(join.forward(q, k, v), wanted, atol=1e-14)


def test_attention_in_parts_is_attention(monkeypatch):
    """Where all scores together would be too many to hold."""
    xs = inputs([(3, 4), (5, 4), (5, 6)], 1)
    wanted = Attend(2).forward(*xs)
    monkeypatch.setattr("nas_surgery.network.layers.attend.SCORES", 70)  # of two samples
    assert np.array_equal(Attend(2).forward(*xs), wanted)


def test_sequences_before_which_axes_stand_are_attended_to_one_by_one():
    """As windows of an image are, each with a bias of its own perhaps."""
    q, k, v = inputs([(2, 3, 4), (2, 3, 4), (2, 3, 4)], 2)
    for bias in (np.zeros((2, 2, 3, 3)), np.stack([BIAS, -BIAS])):
        parts = [Attend(2, bias=bias[i]).forward(q[:, i], k[:, i], v[:, i]) for i in (0, 1)]
        found = Attend(2, bias=bias).forward(q, k, v)
        assert np.allclose(found, np.stack(parts, axis=1), atol=1e-14)
    assert np.allclose(
        Attend(2).forward(q, k, v), Attend(2, bias=np.zeros((2, 3, 3))).forward(q, k, v)
    )


@every_join
@given(st.integers(0, 99))
def test_float32_stays_within_the_bound(join, shapes, macs, seed):
    """Inputs that are off and arithmetic in float32, against float64."""
    xs = [10 * x for x in inputs(shapes, seed)]
    off = [(x + 0.01 * drawn(seed + 50, *x.shape)).astype(np.float32) for x in xs]
    errors = [np.abs(a - b) for a, b in zip(off, xs, strict=True)]
    bound = join.errors_behind(xs, errors, unit_roundoff(np.float32))
    assert np.isfinite(bound).all()
    assert np.all(np.abs(join.forward(*off) - join.forward(*xs)) <= bound)


def test_the_bound_of_attention_tells_other_inputs_from_rounding():
    """Of usual values in float32 it is far below them."""
    xs = inputs([(6, 8), (6, 8), (6, 8)], 0)
    bound = Attend(2).errors_behind(xs, [np.zeros_like(x) for x in xs], unit_roundoff(np.float32))
    assert bound.max() < 1e-4
