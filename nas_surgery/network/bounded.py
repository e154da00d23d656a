"""Arrays that know how far they may be off: the same steps give a layer's values, and bounds on their rounding."""

from typing import Any

import attrs
import numpy as np
from scipy.special import expit, softmax

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.roundoff import gamma, unit_roundoff

FUNCTION = 16  # units roundoff of 1 that a function may be off by, approximated as libraries do
_TINY = float(np.finfo(np.float32).tiny)  # products below it may count as zero


@attrs.frozen(eq=False)
class Bounded:
    """Float64 values, and bounds on what arithmetic of roundoff `unit` may have made of them instead."""

    __array_ufunc__ = None  # arrays beside it leave it to this class

    value: Array
    error: Array
    unit: float

    def __add__(self, other: Any) -> "Bounded":
        b = self._like(other)
        return self._rounded(self.value + b.value, self.error + b.error)

    def __mul__(self, other: Any) -> "Bounded":
        b = self._like(other)
        return self._rounded(self.value * b.value, _product(self, b, np.multiply) + _TINY)

    def __matmul__(self, other: Any) -> "Bounded":
        b, count = self._like(other), self.value.shape[-1]
        carried = _product(self, b, np.matmul) + _TINY * count
        sizes = (np.abs(self.value) + self.error) @ (np.abs(b.value) + b.error)
        return attrs.evolve(
            self, value=self.value @ b.value, error=carried + gamma(count, self.unit) * sizes
        )

    def __rsub__(self, other: float) -> "Bounded":
        return self._rounded(other - self.value, self.error)

    def __getitem__(self, place: Any) -> "Bounded":
        return attrs.evolve(self, value=self.value[place], error=self.error[place])

    __radd__, __rmul__ = __add__, __mul__

    def reshape(self, *shape: int) -> "Bounded":
        return attrs.evolve(self, value=self.value.reshape(shape), error=self.error.reshape(shape))

    def swapaxes(self, a: int, b: int) -> "Bounded":
        return attrs.evolve(self, value=self.value.swapaxes(a, b), error=self.error.swapaxes(a, b))

    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def dtype(self) -> "np.dtype[Any]":
        return self.value.dtype

    def _like(self, other: Any) -> "Bounded":
        if isinstance(other, Bounded):
            return other
        exact = np.asarray(other, np.float64)
        return Bounded(exact, np.zeros_like(exact), self.unit)

    def _rounded(self, value: Array, carried: Array) -> "Bounded":
        sizes = np.where(np.isfinite(value), np.abs(value), 0)  # masks are exact
        return attrs.evolve(self, value=value, error=carried + self.unit * (sizes + carried))

    def _function(self, value: Array, slope: Array, span: float) -> "Bounded":
        """Of a function whose values lie so far from each other at most; perhaps computed in float32."""
        coarse = FUNCTION * max(self.unit, unit_roundoff(np.float32))
        return attrs.evolve(self, value=value, error=np.minimum(slope * self.error, span) + coarse)

    @property
    def _nearest(self) -> Array:
        """The smallest size that each value may have."""
        nearest: Array = np.maximum(np.abs(self.value) - self.error, 0)
        return nearest


def sigmoid(x: Any) -> Any:
    """Of values, or of bounded ones."""
    if isinstance(x, Bounded):
        steep = expit(x._nearest)  # steepest about 0
        return x._function(expit(x.value), steep * (1 - steep), 1)
    return expit(x)


def tanh(x: Any) -> Any:
    """Of values, or of bounded ones."""
    if isinstance(x, Bounded):
        return x._function(np.tanh(x.value), 1 - np.square(np.tanh(x._nearest)), 2)
    return np.tanh(x)


def limited(x: Any, size: float) -> Any:
    """What is known to be no larger than `size`, whatever the bounds before it say."""
    if isinstance(x, Bounded):
        return attrs.evolve(x, error=np.minimum(x.error, 3 * size))
    return x


def softmax_of(x: Any) -> Any:
    """Over the last axis, of values or of bounded ones."""
    if isinstance(x, Bounded):
        return _bounded_softmax(x)
    return softmax(x, axis=-1)


def standardised(x: Any, axes: tuple[int, ...], epsilon: float, centred: bool = True) -> Any:
    """(x - mean) / √(mean square of that + epsilon) over some axes; without the mean if not `centred`."""
    if isinstance(x, Bounded):
        return _bounded_standardised(x, axes, epsilon, centred)
    c = x - x.mean(axes, keepdims=True) if centred else x
    return c / np.sqrt(np.square(c).mean(axes, keepdims=True) + epsilon)


def _product(a: Bounded, b: Bounded, times: Any) -> Array:
    """What a product may be off by before it is rounded."""
    error: Array = times(a.error, np.abs(b.value)) + times(np.abs(a.value) + a.error, b.error)
    return error


def _bounded_softmax(x: Bounded) -> Bounded:
    """Scores that are off by e change the logarithm of each output by e and the largest e at most."""
    y = softmax(x.value, axis=-1)
    top = x.value.max(-1, keepdims=True)
    below = np.where(np.isfinite(x.value), x.value - top, 0)
    error = np.where(np.isfinite(x.value), x.error, 0)
    worst = error.max(-1, keepdims=True)
    off = error + worst + x.unit * (np.abs(below) + error + worst)
    count = x.value.shape[-1]
    relative = gamma(count + 2 * FUNCTION, x.unit)
    near = y * np.expm1(np.minimum(off, 1))
    far = np.minimum(1, np.exp(np.minimum(below + off, 0)))  # the sum is above 1
    carried = np.where(off < 1, near, np.maximum(y, far))
    bound = carried + relative * (y + carried) + _TINY
    return attrs.evolve(x, value=y, error=np.where(np.isfinite(x.value), bound, _TINY))


def _bounded_standardised(
    x: Bounded, axes: tuple[int, ...], epsilon: float, centred: bool
) -> Bounded:
    """The divisor is a norm of what is centred, so that it is off by the norm of its errors at most."""
    count = int(np.prod([x.value.shape[axis] for axis in axes]))
    c, off = x.value, x.error
    if centred:
        sizes = np.abs(x.value) + x.error
        middle = x.error.mean(axes, keepdims=True)
        middle = middle + gamma(count, x.unit) * sizes.mean(axes, keepdims=True)
        c = x.value - x.value.mean(axes, keepdims=True)
        off = x.error + middle
        off = off + x.unit * (np.abs(c) + off)
    norm = np.sqrt(np.square(c).mean(axes, keepdims=True) + epsilon)
    carried = np.sqrt(np.square(off).mean(axes, keepdims=True))
    wrong = carried + gamma(count + 4, x.unit) * (norm + carried)
    least = np.maximum(norm - wrong, np.sqrt(epsilon)) / (1 + gamma(count + 4, x.unit))
    y = c / norm
    error = (off + np.abs(y) * wrong) / least
    largest = np.sqrt(count) * 1.01
    return x._rounded(y, np.minimum(error, np.abs(y) + largest))
