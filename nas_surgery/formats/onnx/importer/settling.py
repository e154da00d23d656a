"""From views to layers: what a layer reads has its batch first, then positions, then channels."""

from collections.abc import Sequence
from math import prod

import numpy as np

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.views import (
    Factor,
    Factors,
    View,
    cut_alike,
    joined,
    standing,
    whole,
)
from nas_surgery.network import Flatten, Shape


def arranged(sketch: Sketch, view: View, channel: int) -> View:
    """A view of the same tensor with one axis for all channels, and the others for batch and positions as they
    stand; so that what it shows, with that axis put last, is what its source gives.

    Outside where positions and channels would have to change places.
    """
    view, channel = cut_alike(view), view.axis(channel)
    if view.batch is None:
        raise Outside("the batch is not an axis of its own")
    others = [i for i in range(view.rank) if i not in (view.batch, channel)]
    positions = [view.axes[i] for i in others]
    if any(factor.axis == view.last for axis in positions for factor in axis):
        raise Outside("channels and positions change places")
    if view.of(channel) - {view.last}:
        return _flattened(sketch, view, channel, others)
    source = _positioned(sketch, view, positions)
    source = _selected(sketch, source, view.axes[channel])
    return _placed(sketch, source, view.batch, channel, others)


def on_channels(sketch: Sketch, view: View, channel: int) -> View:
    """A view whose axis is all channels in their order, wherever its positions are."""
    view, channel = cut_alike(view), view.axis(channel)
    if view.axes[channel] == view.channels and (view.channels or not _astray(view, channel)):
        return view
    return arranged(sketch, view, channel)


def _astray(view: View, channel: int) -> bool:
    """Whether an axis of size 1 is not that of the only channel there is."""
    return view.sizes[channel] != view.shape[-1]


def _positioned(sketch: Sketch, view: View, positions: Sequence[Factors]) -> int:
    """A source whose position axes are these, in this order."""
    standing_axes = [whole(i, n) for i, n in enumerate(view.shape)][1:-1]
    if list(positions) == standing_axes:
        return view.source
    return rearranged(sketch, view, positions)


def rearranged(sketch: Sketch, view: View, positions: Sequence[Factors]) -> int:
    """A source with new position axes, each made of factors of the old ones."""
    from nas_surgery.network import Rearrange

    parts = _parts(view, positions)
    order = [parts.index(factor) for axis in positions for factor in axis]
    layer = Rearrange(
        shape=tuple(factor.size for factor in parts),
        order=tuple(order),
        result=tuple(len(axis) for axis in positions),
    )
    return sketch.add(layer, view.source)


def _parts(view: View, positions: Sequence[Factors]) -> list[Factor]:
    """All factors in the order in which they lie in the source; Outside unless they are all of it."""
    parts = sorted(
        (factor for axis in positions for factor in axis), key=lambda f: (f.axis, -f.stride)
    )
    if joined(parts) != tuple(f for i in range(1, view.last) for f in whole(i, view.shape[i])):
        raise Outside("an axis is cut where it cannot be put together again")
    return parts


def _selected(sketch: Sketch, source: int, channels: Factors) -> int:
    """A source whose channels stand in the order of their factors."""
    shape = sketch.shape(source)
    if channels == standing(source, shape).channels:
        return source
    if prod(factor.size for factor in channels) != shape[-1]:
        raise Outside("channels and positions change places")
    from nas_surgery.network import Select

    return sketch.add(Select(indices=tuple(indices(channels).tolist())), source)


def indices(factors: Factors) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Where along an axis the steps of its factors lead, the outermost first."""
    places = np.zeros(1, np.int64)
    for factor in factors:
        places = (places[:, None] + factor.stride * np.arange(factor.size)).ravel()
    return places


def _flattened(sketch: Sketch, view: View, channel: int, others: Sequence[int]) -> View:
    """Positions and channels in one axis, and nothing in the others."""
    if any(view.axes[i] for i in others):
        raise Outside("positions become channels while others stay positions")
    factors, source = view.axes[channel], view.source
    address = sketch.add(Flatten(), source)
    strides = _strides(view.shape[1:])
    flat = joined(Factor(1, strides[f.axis - 1] * f.stride, f.size) for f in factors)
    address = _selected(sketch, address, flat)
    return _placed(sketch, address, view.batch, channel, others)


def _strides(sizes: Shape) -> list[int]:
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]


def _placed(
    sketch: Sketch, source: int, batch: int | None, channel: int, others: Sequence[int]
) -> View:
    """The view of a source whose position axes go to `others`; one of size 1 is put in where it lacks."""
    shape = sketch.shape(source)
    if len(shape) - 2 != len(others):
        bare = View(source, shape, standing(source, shape).axes)
        source = rearranged(sketch, bare, [() for _ in others])
        shape = sketch.shape(source)
    axes: list[Factors] = [()] * len(shape)
    assert batch is not None
    axes[batch], axes[channel] = whole(0, shape[0]), whole(len(shape) - 1, shape[-1])
    for place, axis in enumerate(others, 1):
        axes[axis] = whole(place, shape[place])
    return View(source, shape, tuple(axes))
