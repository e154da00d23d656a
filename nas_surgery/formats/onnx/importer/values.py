"""What a tensor of a file may be while the file is read: an array, a view, or a promise of one."""

from collections.abc import Callable

import attrs

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Array

Curve = Callable[[Array], Array]


@attrs.frozen(eq=False)
class Unknown:
    """What depends on a node that is outside."""


@attrs.define(eq=False)
class Promise:
    """What becomes layers only when its readers are known to need them; then it does so once."""

    _view: View | None = attrs.field(default=None, init=False)

    def kept(self, sketch: Sketch) -> View:
        """The tensor as a view."""
        if self._view is None:
            self._view = self._made(sketch)
        return self._view

    def _made(self, sketch: Sketch) -> View:
        raise NotImplementedError


@attrs.define(eq=False)
class Curved(Promise):
    """A function of single values, applied to all of a view.

    curve: the function, in float64. plain: how to make it one operator after the other, where no layer is
    known to be all of it.
    """

    base: View
    curve: Curve
    plain: Callable[[], View]
    known: Callable[[Sketch, View, Curve], View | None]

    def _made(self, sketch: Sketch) -> View:
        found = self.known(sketch, self.base, self.curve)
        return self.plain() if found is None else found


@attrs.define(eq=False)
class Rowed(Promise):
    """A function of the channels at a position, such as a norm, of a view that has them on one axis.

    curve: from rows (n, channels) to (n, channels or 1), in float64. known: finds the layers that compute it.
    """

    base: View
    axis: int
    curve: Curve
    known: Callable[[Sketch, View, Curve], View]

    def then(self, curve: Curve) -> "Rowed":
        """A function of single values behind it."""
        before = self.curve
        return attrs.evolve(self, curve=lambda rows: curve(before(rows)))

    def _made(self, sketch: Sketch) -> View:
        return self.known(sketch, self.base, self.curve)


@attrs.define(eq=False)
class Score(Promise):
    """What queries and keys say of each other, before or behind its Softmax.

    tensor: its arrangement of (batch, *outer positions, heads, queries, keys). queries, keys: the layers that
    give them, (*outer, positions, heads * width). bias: (*outer or ones, heads or 1, queries or 1, keys or 1).
    """

    tensor: View
    queries: int
    keys: int
    scale: float = 1.0
    bias: Array | None = None
    shares: bool = False

    def moved(self, function: Callable[[View], View]) -> "Score":
        return attrs.evolve(self, tensor=function(self.tensor))

    def _made(self, sketch: Sketch) -> View:
        raise Outside("a product of two branches that is not part of a usual attention")


@attrs.frozen(eq=False)
class Listed:
    """Parts of a tensor, as a sequence of ONNX."""

    parts: tuple[View, ...]


Value = Array | View | Promise | Unknown | Listed


def as_view(sketch: Sketch, value: Value | None, what: str = "its input") -> View:
    """A tensor that depends on the input, as a view; Outside for any other."""
    if isinstance(value, View):
        return value
    if isinstance(value, Promise):
        return value.kept(sketch)
    raise Outside(f"{what} is {'missing' if value is None else 'constant'}")


def as_constant(value: Value | None, what: str) -> Array:
    """A tensor that does not depend on the input; Outside for any other."""
    if value is None or isinstance(value, View | Promise | Unknown | Listed):
        raise Outside(f"{what} is {'missing' if value is None else 'not constant'}")
    return value
