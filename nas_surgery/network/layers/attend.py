"""Attention over the positions of a sequence.

Vaswani et al.: Attention is all you need (2017), eq. 1, without the linear layers around it, which are
layers of their own.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.bounded import Bounded, softmax_of
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.fields import (
    finite,
    flag,
    optional_array,
    settled,
    whole,
)
from nas_surgery.network.layers.join import Join

SCORES = 2**22  # numbers that are held of all scores at a time


@attrs.frozen(eq=False)
class Attend(Join):
    """softmax(scale · q kᵀ + bias) v for each head, from q (L, heads·d), k (S, heads·d), v (S, heads·e).

    The result is (L, heads·e); heads stand outer, their channels inner. Axes before the sequence, which
    all three have alike, are attended to one by one. scale: 1/√d if None. causal: whether a position
    attends to itself and those before it only; then S = L. bias: (*outer, heads or
    1, L, S), where outer are those axes, ones, or left out; or None.
    """

    kind: ClassVar[str] = "attend"
    trainable: ClassVar[tuple[str, ...]] = ("bias",)
    channels: ClassVar[Channels] = Channels(Outputs.ATTEND)

    heads: int = 1
    scale: float | None = None
    causal: bool = False
    bias: Array | None = attrs.field(default=None, converter=optional_array)

    def __attrs_post_init__(self) -> None:
        scale = None if self.scale is None else finite("Attend.scale", self.scale)
        heads, causal = whole("Attend.heads", self.heads), flag("Attend.causal", self.causal)
        settled(self, heads=heads, scale=scale, causal=causal)
        if self.bias is not None and (
            self.bias.ndim < 3 or self.bias.shape[-3] not in (1, heads) or 0 in self.bias.shape
        ):
            raise NetworkError(
                f"Attend.bias needs shape (*outer, 1 or {heads}, L, S), got {self.bias.shape}"
            )

    @property
    def blocks(self) -> int:
        return self.heads

    def scale_for(self, width: int) -> float:
        """What scores are multiplied by, where queries have `width` channels."""
        return (width // self.heads) ** -0.5 if self.scale is None else self.scale

    def output_shape(self, *input_shapes: Shape) -> Shape:
        self._check_shapes(*input_shapes)
        q, _, v = input_shapes
        if self.bias is not None and not _fits(self.bias.shape, (*q[:-2], q[-2], v[-2])):
            raise NetworkError(
                f"Attend.bias {self.bias.shape} does not fit {q[-2]} queries and {v[-2]} keys"
                + (f" at {q[:-2]} outer positions" if q[:-2] else "")
            )
        return (*q[:-1], v[-1])

    def _check_shapes(self, *shapes: Shape) -> None:
        if len(shapes) != 3 or any(len(shape) < 2 for shape in shapes):
            raise self._refuse("three sources: sequences of queries, keys and values", shapes)
        q, k, v = shapes
        if q[-1] != k[-1] or k[:-1] != v[:-1] or q[:-2] != k[:-2]:
            raise self._refuse(
                "as many channels of keys as of queries, and a value for each key", shapes
            )
        if q[-1] % self.heads or v[-1] % self.heads:
            raise self._refuse(f"channels that {self.heads} heads share equally", shapes)
        if self.causal and q[-2] != k[-2]:
            raise self._refuse("as many keys as queries where it is causal", shapes)

    def macs(self, *input_shapes: Shape) -> int:
        q, k, v = input_shapes
        return prod(q[:-1]) * k[-2] * (q[-1] + v[-1])

    def forward(self, *xs: Array) -> Array:
        y = np.empty((*xs[0].shape[:-1], xs[2].shape[-1]), xs[0].dtype)
        scores = self.heads * prod(xs[0].shape[1:-1]) * xs[1].shape[-2]
        each = max(1, SCORES // scores)
        for first in range(0, len(y), each):
            batch = slice(first, first + each)
            y[batch] = self._attended(*(x[batch] for x in xs))
        return y

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        pairs = zip(xs, errors, strict=True)
        bound: Array = self._attended(*(Bounded(x, off, unit) for x, off in pairs)).error
        return bound

    def describe(self) -> str:
        heads = f"{self.heads} head{'s' if self.heads > 1 else ''}"
        return f"{super().describe()}, {heads}{', causal' if self.causal else ''}"

    def mask(self, length: int) -> Array:
        """What causal scores are added to, (L, L): 0, or -∞ where a position is not seen."""
        return np.triu(np.full((length, length), -np.inf), 1)

    def _attended(self, q: Any, k: Any, v: Any) -> Any:
        queries, keys, values = (self._split(x) for x in (q, k, v))
        scores = queries * self.scale_for(q.shape[-1]) @ keys.swapaxes(-1, -2)
        if self.bias is not None:
            scores = scores + self.bias
        if self.causal:
            scores = scores + self.mask(q.shape[-2]).astype(q.dtype)
        heads = (softmax_of(scores) @ values).swapaxes(-3, -2)
        return heads.reshape(*q.shape[:-1], v.shape[-1])

    def _split(self, x: Any) -> Any:
        """(..., positions, heads·d) as (..., heads, positions, d)."""
        *outer, width = x.shape
        return x.reshape(*outer, self.heads, width // self.heads).swapaxes(-3, -2)


def _fits(bias: Shape, scores: Shape) -> bool:
    """Whether a bias meets scores of (*outer, L, S), between which and L it has its heads."""
    outer, length = scores[:-2], len(bias) - 3
    alike = length in (0, len(outer)) and bias[-2:] == scores[-2:]
    return alike and all(n in (1, m) for n, m in zip(bias[:-3], outer, strict=False))
