"""Parts of an axis: channels are selected, positions cropped."""

import attrs
import numpy as np
from numpy.typing import NDArray

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged, channel_axis, rearranged
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.views import Factor, Factors, View, cut_alike, whole
from nas_surgery.network import Crop, Select

Places = NDArray[np.int64]


def picked(sketch: Sketch, view: View, axis: int, places: Places) -> View:
    """The view with only these places of an axis, in this order."""
    view = cut_alike(view)
    if len(places) == 0:
        raise Outside("nothing is left")
    if np.array_equal(places, np.arange(view.sizes[axis])):
        return view
    factors = view.axes[axis]
    if len(factors) > 1:
        of_channels = any(factor.axis == view.last for factor in factors)
        view = arranged(sketch, view, axis if of_channels else channel_axis(view, [axis]))
        factors = view.axes[axis]
    if not factors:
        raise Outside("an axis of size 1 is repeated")
    if factors[0].axis == 0:
        raise Outside("samples are taken apart")
    if factors[0].axis == view.last:
        return _channels(sketch, view, axis, places)
    return _positions(sketch, view, axis, places)


def _channels(sketch: Sketch, view: View, axis: int, places: Places) -> View:
    """Of a factor of the channels, which other factors stand outside and inside of."""
    (factor,) = view.axes[axis]
    count, kept = view.shape[-1], len(places)
    outer = np.arange(count // (factor.size * factor.stride)) * factor.size * factor.stride
    inner = np.arange(factor.stride)
    chosen = outer[:, None, None] + places[:, None] * factor.stride + inner
    address = sketch.add(Select(indices=tuple(chosen.ravel().tolist())), view.source)

    def moved(each: Factor) -> Factors:
        if each.axis != view.last or each.stride < factor.stride:
            return (each,)
        if each == factor:
            return (attrs.evolve(each, size=kept),) if kept > 1 else ()
        return (attrs.evolve(each, stride=each.stride // factor.size * kept),)

    axes = tuple(tuple(f for each in old for f in moved(each)) for old in view.axes)
    return View(address, sketch.shape(address), axes)


def _positions(sketch: Sketch, view: View, axis: int, places: Places) -> View:
    """Of a factor of a position axis, which is made an axis of its own first."""
    (factor,) = view.axes[axis]
    if factor != Factor(factor.axis, 1, view.shape[factor.axis]):
        view = _apart(sketch, view)
        (factor,) = view.axes[axis]
    steps = set(np.diff(places).tolist())
    if len(steps) > 1 or min(steps, default=1) < 1:
        raise Outside("positions are taken in another order than they stand, or at uneven steps")
    rank = len(view.shape) - 2
    place, step = factor.axis - 1, next(iter(steps), 1)
    starts, stops, strides = [0] * rank, [None] * rank, [1] * rank
    starts[place], strides[place] = int(places[0]), int(step)
    stops[place] = int(places[-1]) + 1  # type: ignore[call-overload]
    layer = Crop(starts=tuple(starts), stops=tuple(stops), steps=tuple(strides))
    address = sketch.add(layer, view.source)
    axes = tuple(
        whole(factor.axis, len(places)) if i == axis else old for i, old in enumerate(view.axes)
    )
    return View(address, sketch.shape(address), axes)


def _apart(sketch: Sketch, view: View) -> View:
    """The same tensor from a source that has an axis for each factor of positions."""
    found = sorted(
        (f for axis in view.axes for f in axis if 0 < f.axis < view.last),
        key=lambda f: (f.axis, -f.stride),
    )
    address = rearranged(sketch, view, [(factor,) for factor in found])
    shape = sketch.shape(address)
    last = len(shape) - 1

    def moved(factor: Factor) -> Factor:
        if factor in found:
            return Factor(found.index(factor) + 1, 1, factor.size)
        return attrs.evolve(factor, axis=last if factor.axis == view.last else factor.axis)

    axes = tuple(tuple(moved(factor) for factor in axis) for axis in view.axes)
    return View(address, shape, axes)
