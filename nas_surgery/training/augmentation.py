"""Pictures varied for training: mirrored and shifted, in NumPy, so that every backend sees the same ones."""

from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import DataError
from nas_surgery.formats.large import room
from nas_surgery.network import Array, Shape, keyed_generator
from nas_surgery.validators import one_of, optional, whole

FLIPS = ("horizontal", "vertical", "both")
MODES = ("epoch", "copies")
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right
STILL = (0, 0)


def _something(augmentation: "Augmentation", _: Any, __: Any) -> None:
    if augmentation.flip is None and not augmentation.translate:
        raise ValueError("flip or translate is needed")


@attrs.frozen
class Augmentation:
    """`[data.augment]`: how training samples (N, H, W) or (N, H, W, C) are varied; others never are.

    flip: along which axes they may be mirrored. translate: by how many pixels they may be shifted; what
    comes in is 0. mode: "epoch" draws each sample anew in each epoch, mirrored or not along each of the
    axes, and shifted by whole pixels up to that many along both; "copies" adds to the samples once the
    mirrored ones and those that are shifted by so much up, down, left and right.
    """

    flip: str | None = attrs.field(default=None, validator=optional(one_of(*FLIPS)))
    translate: int = attrs.field(default=0, validator=whole(0))
    mode: str = attrs.field(default=MODES[0], validator=[one_of(*MODES), _something])

    @property
    def drawn(self) -> bool:
        return self.mode == "epoch"

    def check(self, sample: Shape) -> None:
        """Raise DataError for samples of a shape that is no picture's, or smaller than a shift."""
        if len(sample) not in (2, 3):
            raise DataError(
                f"data.augment needs pictures of shape (height, width) or (height, width, channels),"
                f" got samples of shape {sample}"
            )
        if self.translate >= min(sample[:2]):
            raise DataError(
                f"data.augment.translate = {self.translate} shifts samples of shape {sample} out of view"
            )

    def with_copies(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Samples (N, …) and labels, followed by the copies in blocks of N."""
        moves = [(STILL, STILL), *((flip, STILL) for flip in self._mirrors())]
        if self.translate:
            moves += [(STILL, (a * self.translate, b * self.translate)) for a, b in SIDES]
        made = room((len(moves) * len(x), *x.shape[1:]), x.dtype)
        for block, (flip, shift) in enumerate(moves):
            _moved(x, flip, shift, made[block * len(x) : (block + 1) * len(x)])
        return made, np.concatenate([y] * len(moves))

    def draw(self, x: Array, which: Array, count: int, seed: int, epoch: int) -> Array:
        """The samples `which` of an epoch, x (N, …) as they are: of `count` in all, each has its own draw,
        whatever else is asked for."""
        generator = keyed_generator(seed, "augment", epoch)
        flips = (generator.random((count, 2)) < 0.5)[which] & self._axes()
        shifts = generator.integers(-self.translate, self.translate + 1, (count, 2))[which]
        moves, kinds = np.unique(np.hstack([flips, shifts]), axis=0, return_inverse=True)
        order = np.argsort(kinds, kind="stable")
        made, ends = np.empty_like(x), np.cumsum(np.bincount(kinds, minlength=len(moves)))[:-1]
        for move, members in zip(moves.tolist(), np.split(order, ends), strict=True):
            found = np.empty_like(x[: len(members)])
            _moved(x[members], move[:2], move[2:], found)
            made[members] = found
        return made

    def _axes(self) -> Array:
        """Whether rows and columns may be reversed, (2,)."""
        return np.array([self.flip in ("vertical", "both"), self.flip in ("horizontal", "both")])

    def _mirrors(self) -> list[tuple[int, int]]:
        vertical, horizontal = self._axes()
        every = [(0, 1)] * bool(horizontal) + [(1, 0)] * bool(vertical)
        return [*every, (1, 1)] if len(every) == 2 else every


def _moved(x: Array, flip: Any, shift: Any, out: Array) -> None:
    """Pictures (N, H, W, …), mirrored and then shifted down and right, into `out`."""
    mirrored = x
    for axis in (axis for axis in (1, 2) if flip[axis - 1]):
        mirrored = mirrored.take(np.arange(x.shape[axis])[::-1], axis)  # faster than by strides
    if any(shift):
        out[...] = 0
    spans = [_spans(by, size) for by, size in zip(shift, x.shape[1:3], strict=True)]
    (to_rows, rows), (to_columns, columns) = spans
    out[:, to_rows, to_columns] = mirrored[:, rows, columns]


def _spans(by: int, size: int) -> tuple[slice, slice]:
    """Where an axis that is shifted goes to, and what of it stays in view."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))
