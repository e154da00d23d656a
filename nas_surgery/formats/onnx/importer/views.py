"""Symbolic views: every tensor of a file as an arrangement of the axes of a channels-last one.

A view lists for each of its axes the factors that it is made of, the outermost first; together they are all
of the source, each once. So Reshape, Transpose, Squeeze and their like move factors, and compute nothing.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import prod

import attrs

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.network import Shape


@attrs.frozen
class Factor:
    """A part of an axis of the source: its index there grows by `stride` with each of `size` steps."""

    axis: int
    stride: int
    size: int


Factors = tuple[Factor, ...]


@attrs.frozen
class View:
    """An arrangement of what a layer gives.

    source: the layer's address, or -1 for the input. shape: of what it gives, the batch first and the
    channels last. axes: factors of each axis of the file's tensor; an axis of size 1 has none.
    """

    source: int
    shape: Shape
    axes: tuple[Factors, ...]

    @cached_property
    def sizes(self) -> Shape:
        return tuple(prod(factor.size for factor in axis) for axis in self.axes)

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def last(self) -> int:
        """The axis of the source that holds channels."""
        return len(self.shape) - 1

    @property
    def channels(self) -> Factors:
        """All channels in their order."""
        return whole(self.last, self.shape[-1])

    @property
    def batch(self) -> int | None:
        """The axis that is the batch and nothing else."""
        alone = whole(0, self.shape[0])
        return next((i for i, axis in enumerate(self.axes) if axis == alone), None)

    def of(self, axis: int) -> set[int]:
        """The axes of the source that an axis has parts of."""
        return {factor.axis for factor in self.axes[axis]}

    def axis(self, axis: int) -> int:
        """A possibly negative number of an axis as one from 0 on."""
        if not -self.rank <= axis < self.rank:
            raise Outside(f"there is no axis {axis} in {self.rank} axes")
        return axis % self.rank


def whole(axis: int, size: int) -> Factors:
    """All of an axis of the source."""
    return (Factor(axis, 1, size),) if size > 1 else ()


def standing(source: int, shape: Shape) -> View:
    """What a layer gives, as it is: batch, positions, channels."""
    return View(source, shape, tuple(whole(i, n) for i, n in enumerate(shape)))


def channels_first(source: int, shape: Shape) -> View:
    """What a layer gives, with the channels behind the batch."""
    last = len(shape) - 1
    return transposed(standing(source, shape), (0, last, *range(1, last)))


def transposed(view: View, order: Sequence[int]) -> View:
    """The axes in another order."""
    if sorted(order) != list(range(view.rank)):
        raise Outside(f"{list(order)} is no order of {view.rank} axes")
    return attrs.evolve(view, axes=tuple(view.axes[i] for i in order))


def reshaped(view: View, sizes: Sequence[int]) -> View:
    """The same values in rows of other sizes; Outside where an axis would have to be cut between factors."""
    waiting = list(reversed(joined(factor for axis in view.axes for factor in axis)))
    axes = [_taken(waiting, size) for size in sizes]
    if waiting or None in axes:
        raise Outside(f"shape {view.sizes} as {tuple(sizes)} mixes axes")
    return attrs.evolve(view, axes=tuple(axis or () for axis in axes))


def _taken(waiting: list[Factor], size: int) -> Factors | None:
    """The next factors that make an axis of a size; the last is split where only a part is needed."""
    taken = []
    while size > 1:
        if not waiting:
            return None
        factor = waiting.pop()
        if size % factor.size == 0:
            taken.append(factor)
            size //= factor.size
        elif factor.size % size == 0:
            inner = factor.size // size
            taken.append(Factor(factor.axis, factor.stride * inner, size))
            waiting.append(Factor(factor.axis, factor.stride, inner))
            size = 1
        else:
            return None
    return joined(taken)


def joined(factors: Iterable[Factor]) -> Factors:
    """Neighbours that go on where the one before ends, as one."""
    parts: list[Factor] = []
    for factor in factors:
        before = parts[-1] if parts else None
        if before and before.axis == factor.axis and before.stride == factor.stride * factor.size:
            parts[-1] = Factor(factor.axis, factor.stride, before.size * factor.size)
        else:
            parts.append(factor)
    return tuple(parts)


def cut_alike(view: View) -> View:
    """The view with neighbouring factors joined, so that equal arrangements are equal values."""
    return attrs.evolve(view, axes=tuple(joined(axis) for axis in view.axes))
