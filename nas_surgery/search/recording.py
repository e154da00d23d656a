"""The record per epoch: how a network stands after each epoch of a job that trains one or more."""

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np

from nas_surgery.network import Array
from nas_surgery.training.epochs import Look, Point
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.state import Samples

SHARE = 20
"""Of the training samples, one in so many is what a look may take at most: a forward pass costs a third
of training, and large batches run faster, so that this is one or two per cent of an epoch."""

FEWEST, MOST = 500, 8000  # samples that a look takes where there are so many; more tell nothing new
UNKNOWN = (nan, nan)


class Gauge:
    """The validation samples that the record is measured on: all of them, or as many as cost little.

    place: puts samples where training wants them. whole: the validation part, where it is already.
    """

    def __init__(
        self,
        validation: Samples,
        whole: Any,
        training: int,
        loss: str,
        place: Callable[[Samples], Any],
    ) -> None:
        count, most = len(validation), min(MOST, max(FEWEST, training // SHARE))
        self._chosen = np.arange(min(count, most)) * count // min(count, most)
        self._labels, self._loss = validation.y[self._chosen], loss
        part = Samples(validation.x[self._chosen], self._labels, validation.prefix)
        self.samples = whole if count <= most else place(part)

    def __len__(self) -> int:
        return len(self._chosen)

    def looked(self, look: Look) -> tuple[float, float]:
        """Loss and accuracy as a look finds them."""
        return self._figures(look(self.samples))

    def known(self, logits: Array) -> tuple[float, float]:
        """The same from the logits of the whole validation part."""
        return self._figures(logits[self._chosen])

    def _figures(self, logits: Array) -> tuple[float, float]:
        found = evaluate(logits, self._labels, self._loss)
        return found.loss, found.accuracy


class Recorder:
    """Watches the training of a job, and takes a point at the end of each epoch.

    gauge: None where validation samples are trained on. epoch: batches in one. start: the job's place in
    the order of batches. stop: where the job ends with the network that it trained, so that the last point
    needs no look of its own; else None. scale: batches to be counted as an epoch.
    """

    def __init__(
        self,
        gauge: Gauge | None,
        epoch: int,
        start: int,
        stop: int | None,
        scale: int,
        told: Callable[[Point], Any],
    ) -> None:
        self._gauge, self._epoch, self._scale, self._told = gauge, epoch, scale, told
        self._position, self._stop = start, stop
        self._losses: list[Array] = []
        self._points: list[Point] = []

    def __call__(self, losses: Array, look: Look) -> None:
        """Told by a backend of batches, none of which lies behind the end of an epoch."""
        self._losses.append(losses)
        self._position += len(losses)
        if self._position % self._epoch == 0 and self._position != self._stop:
            self._add(UNKNOWN if self._gauge is None else self._gauge.looked(look))

    def curve(self, logits: Array) -> tuple[Point, ...]:
        """All points. logits: of the whole validation part, by the network that the job leaves."""
        if self._position == self._stop and self._position % self._epoch == 0:
            self._add(UNKNOWN if self._gauge is None else self._gauge.known(logits))
        return tuple(self._points)

    def _add(self, figures: tuple[float, float]) -> None:
        training = float(np.concatenate(self._losses).mean())
        point = Point(self._position / self._scale, training, *figures)
        self._losses = []
        self._points.append(point)
        self._told(point)


def looks(start: int, stop: int, epoch: int, last: bool) -> int:
    """How many looks training from `start` to `stop` takes; last: whether one at `stop` too."""
    return stop // epoch - start // epoch - (stop % epoch == 0 and not last)
