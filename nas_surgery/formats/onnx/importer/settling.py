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
from nas_surgery.network import Array, Flatten, Rearrange, Select, Shape


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
    bare = view.rank == 2 and len(view.shape) > 2 and view.batch is not None
    if view.axes[channel] == view.channels and view.sizes[channel] == view.shape[-1] and not bare:
        return view
    return arranged(sketch, view, channel)


def _positioned(sketch: Sketch, view: View, positions: Sequence[Factors]) -> int:
    """A source whose position axes are these, in this order."""
    standing_axes = [whole(i, n) for i, n in enumerate(view.shape)][1:-1]
    if list(positions) == standing_axes:
        return view.source
    return rearranged(sketch, view, positions)


def rearranged(sketch: Sketch, view: View, positions: Sequence[Factors]) -> int:
    """A source with new position axes, each made of factors of the old ones."""
    parts = _parts(view, positions)
    if not positions:
        return sketch.add(Flatten(), view.source)
    ones = sum(not axis for axis in positions)  # which come last, as factors of size 1
    spare = iter(range(len(parts), len(parts) + ones))
    order = [i for axis in positions for i in ([parts.index(f) for f in axis] or [next(spare)])]
    layer = Rearrange(
        shape=(*(factor.size for factor in parts), *(1,) * ones),
        order=tuple(order),
        result=tuple(max(len(axis), 1) for axis in positions),
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
    channels = tuple(Factor(len(shape) - 1, f.stride, f.size) for f in channels)
    if channels == standing(source, shape).channels:
        return source
    if prod(factor.size for factor in channels) != shape[-1]:
        raise Outside("channels and positions change places")
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


def spread(sketch: Sketch, view: View, values: Array) -> tuple[View, Array]:
    """A constant that is broadcast to a tensor, as it lies to what the view's source gives: (*positions or ones,
    channels or 1)."""
    if values.ndim > view.rank:
        raise Outside(f"a constant of {values.ndim} axes makes more of {view.rank}")
    values = values.reshape((1,) * (view.rank - values.ndim) + values.shape)
    for size, other in zip(values.shape, view.sizes, strict=True):
        if size not in (1, other):
            raise Outside(f"a constant of shape {values.shape} does not fit {view.sizes}")
    values = _one_sample(view, values)
    parts = [
        [factor.size if size > 1 else 1 for factor in axis]
        for size, axis in zip(values.shape, view.axes, strict=True)
    ]
    split = values.reshape([n for axis in parts for n in axis])
    factors = [factor for axis in view.axes for factor in axis]
    order = sorted(range(len(factors)), key=lambda i: (factors[i].axis, -factors[i].stride))
    moved = split.transpose(order)
    return view, _put_together(view, moved, [factors[i] for i in order])


def _one_sample(view: View, values: Array) -> Array:
    """The constant without the batch, along which it must not differ."""
    for i, axis in enumerate(view.axes):
        if values.shape[i] > 1 and any(factor.axis == 0 for factor in axis):
            first = values.take([0], axis=i)
            if len(axis) > 1 or not (values == first).all():
                raise Outside("a constant that differs from sample to sample")
            values = first
    return values


def _put_together(view: View, values: Array, factors: Sequence[Factor]) -> Array:
    """Axes of factors as axes of the source; a constant is repeated where it has only some factors of one."""
    sizes = []
    for axis, size in enumerate(view.shape[1:], 1):
        held = [i for i, factor in enumerate(factors) if factor.axis == axis]
        if held and any(values.shape[i] > 1 for i in held):
            full = list(values.shape)
            for i in held:
                full[i] = factors[i].size
            values = np.broadcast_to(values, full)
            sizes.append(size)
        else:
            sizes.append(1)
    return values.reshape(sizes)


def aligned(sketch: Sketch, views: Sequence[View]) -> list[View]:
    """Views whose sources a join can read: arranged alike, but for axes of size 1."""
    views = [cut_alike(view) for view in views]
    rank = max(view.rank for view in views)
    views = [_longer(view, rank) for view in views]
    first = views[0]
    if all(view.axes == first.axes and view.shape == first.shape for view in views):
        return views
    channel = _channel_axis(views)
    return [_gate(view, channel) or arranged(sketch, view, channel) for view in views]


def _gate(view: View, channel: int) -> View | None:
    """The view itself, if it is one vector of channels, which a join spreads over positions."""
    vector = len(view.shape) == 2 and view.axes[channel] == view.channels
    return view if vector and view.batch is not None else None


def _longer(view: View, rank: int) -> View:
    return View(view.source, view.shape, ((),) * (rank - view.rank) + view.axes)


def _channel_axis(views: Sequence[View]) -> int:
    """The axis in which the tensors have their channels."""
    for view in views:
        for i, axis in enumerate(view.axes):
            if axis and all(factor.axis == view.last for factor in axis):
                return i
    return 1 if views[0].rank > 1 else 0


def behind(sketch: Sketch, address: int, like: View, channel: int, others: Sequence[int]) -> View:
    """What a layer gives, with its position axes at `others`, where a view had them that was arranged."""
    shape = sketch.shape(address)
    held = standing(address, shape).axes
    axes = list(like.axes)
    axes[channel] = held[-1]
    for place, axis in enumerate(others, 1):
        axes[axis] = held[place]
    return View(address, shape, tuple(axes))


def channel_axis(view: View, changed: Sequence[int] = ()) -> int:
    """The axis of all channels, which is none of those that change."""
    for i, axis in enumerate(view.axes):
        whole_channels = axis == view.channels and view.sizes[i] == view.shape[-1]
        if whole_channels and i not in changed and i != view.batch:
            return i
    raise Outside("it goes along channels, or it is not known where they are")
