"""Attention: a product of queries and keys waits for its Softmax and the product with values."""

from collections.abc import Sequence
from math import prod

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged, on_channels, spread
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Curved, Score, Value, as_view
from nas_surgery.formats.onnx.importer.views import (
    Factor,
    Factors,
    View,
    cut_alike,
    transposed,
    whole,
)
from nas_surgery.network import Array, Attend, Softmax

HIDDEN = -1e9  # in the place of -∞, which no weight may be
MASKED = -1e4  # what masks that are meant to hide hold at most


@makes("Softmax")
def softmax(call: Call) -> Made:
    """Over the last axis: of scores, or of channels."""
    value = call.value(0)
    axis = int(call.setting("axis", -1 if call.version >= 13 else 1))
    if isinstance(value, Score):
        tensor = value.tensor
        if tensor.axis(axis) != tensor.rank - 1 or tensor.axes[-1] != tensor.channels:
            raise Outside("shares of other than keys")
        return attrs.evolve(value, shares=True)
    view = call.view(0)
    if view.axis(axis) != view.rank - 1 and call.version < 13:
        raise Outside("shares of several axes")
    return call.sketch.on(on_channels(call.sketch, view, axis), Softmax())


def product(sketch: Sketch, a: Value | None, b: Value | None) -> Value:
    """Of queries with keys, or of scores with values."""
    if isinstance(a, Score):
        return _attended(sketch, a, as_view(sketch, b, "input 1"))
    (queries, first), (keys, second) = _factored(sketch, a), _factored(sketch, b)
    order = (*range(keys.rank - 2), keys.rank - 1, keys.rank - 2)
    return _score(sketch, queries, transposed(keys, order), first * second)


@makes("Einsum")
def einsum(call: Call) -> Made:
    """A product over one letter, with one of its own for rows and one for columns."""
    text = "".join(str(call.setting("equation", "")).split())
    sides, _, out = text.partition("->")
    a, comma, b = sides.partition(",")
    over = [letter for letter in a if letter in b and letter not in out]
    rows, columns = ([x for x in one if x not in other] for one, other in ((a, b), (b, a)))
    if not comma or [len(over), len(rows), len(columns)] != [1, 1, 1] or not text.isascii():
        raise Outside(f"the equation {text!r} is no product of matrices")
    batch = [letter for letter in a if letter in b and letter in out]
    first = _turned(call, 0, a, [*batch, *rows, *over])
    second = _turned(call, 1, b, [*batch, *over, *columns])
    made = product(call.sketch, first, second)
    order = [[*batch, *rows, *columns].index(letter) for letter in out]
    return (
        made.moved(lambda view: transposed(view, order))
        if isinstance(made, Score)
        else transposed(as_view(call.sketch, made), order)
    )


def _turned(call: Call, index: int, letters: str, wanted: list[str]) -> Value:
    """An input with its axes, which are called by letters, in another order."""
    order = [letters.index(letter) for letter in wanted]
    value = call.value(index)
    if isinstance(value, Score):
        return value.moved(lambda view: transposed(view, order))
    view = call.view(index)
    if len(letters) != view.rank:
        raise Outside(f"{letters!r} are not its {view.rank} axes")
    return transposed(view, order)


def _factored(sketch: Sketch, value: Value | None) -> tuple[View, float]:
    """An input, and the number that it is multiplied with."""
    if isinstance(value, Curved):
        points = np.array([0.0, 1.0, -3.0, 50.0])
        with np.errstate(all="ignore"):
            found = value.curve(points)
        if np.allclose(found, points * found[1], rtol=1e-6, atol=0):
            return cut_alike(value.base), float(found[1])
    return cut_alike(as_view(sketch, value)), 1.0


@attrs.frozen
class Parts:
    """Axes of queries, keys or values by what they are made of."""

    outer: Factors
    heads: Factors
    positions: Factors
    inner: Factors

    @property
    def view(self) -> tuple[Factors, ...]:
        outer = (self.outer,) if self.outer else ()
        return (*outer, self.positions, (*self.heads, *self.inner))


def _parts(view: View) -> Parts:
    if view.rank < 3:
        raise Outside("a product of two branches that have no heads, positions and channels")
    *leading, positions, inner = view.axes
    factors = [factor for axis in leading for factor in axis]
    outer = tuple(f for f in factors if 0 < f.axis < view.last)
    heads = tuple(f for f in factors if f.axis == view.last)
    if any(f.axis != view.last for f in inner) or any(
        not 0 < f.axis < view.last for f in positions
    ):
        raise Outside("a product of two branches that is not over their channels")
    if not any(f.axis == 0 for f in factors):
        raise Outside("samples are multiplied with each other")
    return Parts(outer, heads, positions, inner)


def _sequence(sketch: Sketch, view: View, parts: Parts) -> int:
    """A source of (*outer, positions, heads * width)."""
    axes = (whole(0, view.shape[0]), *parts.view)
    bare = attrs.evolve(view, axes=axes)
    return arranged(sketch, bare, len(axes) - 1).source


def _size(factors: Sequence[Factor]) -> int:
    return prod(factor.size for factor in factors)


def _score(sketch: Sketch, queries: View, keys: View, scale: float) -> Score:
    q, k = _parts(queries), _parts(keys)
    if queries.sizes[:-2] != keys.sizes[:-2] or queries.sizes[-1] != keys.sizes[-1]:
        raise Outside("queries and keys that are shared among heads or positions")
    if [_size(q.outer), _size(q.heads)] != [_size(k.outer), _size(k.heads)]:
        raise Outside("queries and keys with different heads")
    outer = (_size(q.outer),) if q.outer else ()
    shape = (sketch.batch, *outer, _size(q.heads), queries.sizes[-2], keys.sizes[-2])
    axes = _leading(queries, q, len(outer), 1)
    rows = whole(len(shape) - 2, shape[-2]), whole(len(shape) - 1, shape[-1])
    tensor = View(0, shape, (*axes, *rows))
    return Score(tensor, _sequence(sketch, queries, q), _sequence(sketch, keys, k), scale)


def _leading(view: View, parts: Parts, outer: int, width: int) -> tuple[Factors, ...]:
    """The axes before positions and channels, in a source of (batch, *outer, heads)."""
    places = {}
    for axis, factors, unit in ((outer, parts.outer, 1), (outer + 1, parts.heads, width)):
        stride = unit
        for factor in reversed(factors):
            places[factor] = Factor(axis, stride, factor.size)
            stride *= factor.size
    return tuple(tuple(places.get(factor, factor) for factor in axis) for axis in view.axes[:-2])


def changed(operator: str, a: Value | None, b: Value | None) -> Value:
    """Scores multiplied by a number, or with a constant added."""
    score, other = (a, b) if isinstance(a, Score) else (b, a)
    if not isinstance(score, Score) or not isinstance(other, np.ndarray) or score.shares:
        raise Outside("scores of attention together with what depends on the input")
    if operator in ("Mul", "Div") and other.size == 1 and (operator == "Mul" or score is a):
        number = float(other.reshape(())) ** (1 if operator == "Mul" else -1)
        bias = None if score.bias is None else score.bias * number
        return attrs.evolve(score, scale=score.scale * number, bias=bias)
    if operator == "Add":
        return _biased(score, other)
    raise Outside(f"{operator} of scores of attention")


def _biased(score: Score, values: Array) -> Score:
    _, bias = spread_scores(score, np.maximum(values, HIDDEN))
    return attrs.evolve(score, bias=bias if score.bias is None else score.bias + bias)


def spread_scores(score: Score, values: Array) -> tuple[View, Array]:
    """A constant as it lies to (*outer, heads, queries, keys)."""
    return spread(Sketch(score.tensor.shape[0], None, (1,)), score.tensor, values)


@makes("Where")
def where(call: Call) -> Made:
    """Scores that a constant hides."""
    condition, score, other = call.value(0), call.value(1), call.value(2)
    seen = isinstance(condition, np.ndarray)
    if isinstance(other, Score):
        score, other = other, score
        seen_mask = ~call.constant(0).astype(bool) if seen else None
    else:
        seen_mask = call.constant(0).astype(bool) if seen else None
    if not isinstance(score, Score) or seen_mask is None or not isinstance(other, np.ndarray):
        raise Outside("a choice between what depends on the input")
    if other.size != 1 or float(other.reshape(())) > MASKED:
        raise Outside("a choice between scores and other numbers")
    return _biased(score, np.where(seen_mask, 0.0, HIDDEN).astype(np.float32))


def _attended(sketch: Sketch, score: Score, values: View) -> View:
    values = cut_alike(values)
    if not score.shares:
        raise Outside("scores of attention without Softmax")
    tensor, v = cut_alike(score.tensor), _parts(values)
    shape = tensor.shape
    rows = whole(len(shape) - 2, shape[-2]), whole(len(shape) - 1, shape[-1])
    if tensor.axes[-2:] != rows or tensor.sizes[:-2] != values.sizes[:-2]:
        raise Outside("shares and values that are arranged differently")
    outer, heads, width = shape[1:-3], shape[-3], values.sizes[-1]
    if _size(v.heads) != heads or _size(v.outer) != prod(outer):
        raise Outside("values that are shared among heads")
    causal, bias = _causal(score, shape)
    layer = Attend(heads=heads, scale=score.scale, causal=causal, bias=bias)
    address = sketch.add(layer, score.queries, score.keys, _sequence(sketch, values, v))
    made = sketch.shape(address)
    last = len(made) - 1

    def moved(factor: Factor) -> Factor:
        if factor.axis == len(shape) - 3:
            return Factor(last, factor.stride * width, factor.size)
        return factor

    leading = tuple(tuple(map(moved, axis)) for axis in tensor.axes[:-2])
    inner = (Factor(last, 1, width),) if width > 1 else ()
    return View(address, made, (*leading, whole(last - 1, made[-2]), inner))


def _causal(score: Score, shape: Sequence[int]) -> tuple[bool, Array | None]:
    """Whether positions see themselves and those before alone; and what else is added, as Attend has it."""
    bias = score.bias
    if bias is None:
        return False, None
    rows = np.broadcast_to(bias, (*bias.shape[:-2], *shape[-2:]))
    hidden = rows <= HIDDEN / 2
    if shape[-1] == shape[-2] and (hidden == np.triu(np.ones(shape[-2:], bool), 1)).all():
        rest = np.where(hidden, 0, rows)
        if not rest.any():
            return True, None
    scale = np.ascontiguousarray(rows, np.float32)
    return False, scale.reshape(scale.shape[-3:]) if prod(scale.shape[:-3]) == 1 else scale
