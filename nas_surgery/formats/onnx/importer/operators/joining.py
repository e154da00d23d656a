"""Concatenation."""

from collections.abc import Sequence

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged, behind, channel_axis
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import as_view
from nas_surgery.formats.onnx.importer.views import Factor, View, cut_alike, standing
from nas_surgery.network import Array, Concat, ConcatPositions, Token


@makes("Concat")
def concat(call: Call) -> Made:
    """Channels side by side, or positions one after the other."""
    if any(isinstance(value, np.ndarray) for value in call.inputs):
        return _with_constants(call)
    views = [cut_alike(as_view(call.sketch, value)) for value in call.inputs]
    axis = views[0].axis(int(call.setting("axis", 0)))
    if len(views) == 1:
        return views[0]
    if any(view.rank != views[0].rank for view in views):
        raise Outside("its inputs have different numbers of axes")
    if all(view.axes[axis] == () for view in views) and _same_elsewhere(views, axis):
        return _stacked(call.sketch, views, axis)
    if all(view.axes[axis] == view.channels for view in views):
        return _channels(call.sketch, views, axis)
    if any(view.last in view.of(axis) for view in views):
        return _channels(call.sketch, [arranged(call.sketch, v, axis) for v in views], axis)
    return _positions(call.sketch, views, axis)


def _same_elsewhere(views: Sequence[View], axis: int) -> bool:
    return all(view.axes == views[0].axes and view.shape == views[0].shape for view in views)


def _stacked(sketch: Sketch, views: Sequence[View], axis: int) -> View:
    """A new axis: the sources' channels side by side, with an outer factor that counts the sources."""
    address = sketch.add(Concat(), *(view.source for view in views))
    shape, first = sketch.shape(address), views[0]
    counting = (Factor(first.last, first.shape[-1], len(views)),)
    axes = tuple(counting if i == axis else old for i, old in enumerate(first.axes))
    return View(address, shape, axes)


def _channels(sketch: Sketch, views: Sequence[View], axis: int) -> View:
    if not _alike_but(views, axis):
        views = [arranged(sketch, view, axis) for view in views]
    address = sketch.add(Concat(), *(view.source for view in views))
    shape, first = sketch.shape(address), views[0]
    axes = tuple(
        standing(address, shape).channels if i == axis else old for i, old in enumerate(first.axes)
    )
    return View(address, shape, axes)


def _alike_but(views: Sequence[View], axis: int) -> bool:
    def rest(view: View) -> object:
        return view.axes[:axis], view.axes[axis + 1 :], view.shape[:-1]

    return all(rest(view) == rest(views[0]) for view in views)


def _positions(sketch: Sketch, views: Sequence[View], axis: int) -> View:
    channel = channel_axis(views[0], [axis])
    views = [arranged(sketch, view, channel) for view in views]
    first = views[0]
    others = [i for i in range(first.rank) if i not in (first.batch, channel)]
    if axis not in others:
        raise Outside("samples are put together")
    layer = ConcatPositions(axis=others.index(axis))
    address = sketch.add(layer, *(view.source for view in views))
    return behind(sketch, address, first, channel, others)


def _with_constants(call: Call) -> Made:
    """Tokens before the positions of a sequence."""
    if len(call.inputs) != 2 or not isinstance(call.inputs[0], np.ndarray):
        raise Outside("a constant stands elsewhere than before what depends on the input")
    view = cut_alike(call.view(1))
    axis = view.axis(int(call.setting("axis", 0)))
    channel = channel_axis(view, [axis])
    view = arranged(call.sketch, view, channel)
    others = [i for i in range(view.rank) if i not in (view.batch, channel)]
    if others != [axis]:
        raise Outside("a constant is put beside channels, or beside one of several position axes")
    values = _of_one_sample(call.constant(0), view, axis, channel)
    address = call.sketch.add(Token(values), view.source)
    return behind(call.sketch, address, view, channel, others)


def _of_one_sample(values: Array, view: View, axis: int, channel: int) -> Array:
    """(positions, channels) of a constant that is the same for every sample."""
    if values.ndim != view.rank or values.shape[channel] != view.shape[-1]:
        raise Outside(f"a constant of shape {list(values.shape)} does not fit {view.sizes}")
    assert view.batch is not None
    moved = np.moveaxis(values, (view.batch, axis, channel), (0, 1, 2))
    if not (moved == moved[:1]).all():
        raise Outside("a constant that differs from sample to sample")
    first: Array = moved[0]
    return first
