"""Pooling, and means and maxima over positions."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.operators.arithmetic import scaled
from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.operators.convolution import padding, per_axis, strides
from nas_surgery.formats.onnx.importer.operators.recognition import is_known
from nas_surgery.formats.onnx.importer.operators.rows import rowed
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged
from nas_surgery.formats.onnx.importer.values import Curved, Rowed
from nas_surgery.formats.onnx.importer.views import View, whole
from nas_surgery.network import Array, AveragePool, GlobalAveragePool, GlobalMaxPool, Layer, MaxPool


@makes("MaxPool", "AveragePool")
def pool(call: Call) -> Made:
    """Over windows of positions."""
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise Outside("it gives the places of maxima")
    window = tuple(int(n) for n in call.setting("kernel_shape", []))
    view = arranged(call.sketch, call.view(0), 1)
    shared: dict[str, Any] = {
        "window": window,
        "strides": strides(call, len(window)),
        "padding": padding(call, window, view.shape[1:-1]),
        "ceil": bool(call.setting("ceil_mode", 0)),
    }
    dilations = per_axis(call, "dilations", len(window))
    if call.node.operator == "MaxPool":
        layer: Layer = MaxPool(**shared, dilations=dilations)
    elif any(n != 1 for n in dilations):
        raise Outside("means over windows with gaps")
    else:
        layer = AveragePool(**shared, count_padding=bool(call.setting("count_include_pad", 0)))
    return call.sketch.channels_first(call.sketch.add(layer, view.source))


@makes("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Made:
    """Over all positions."""
    view = call.view(0)
    return _over(call, range(2, view.rank), call.node.operator == "GlobalMaxPool", True)


REDUCTIONS: dict[str, Callable[[Array], Array]] = {
    "ReduceMean": lambda rows: rows.mean(-1, keepdims=True),
    "ReduceMax": lambda rows: rows.max(-1, keepdims=True),
    "ReduceSum": lambda rows: rows.sum(-1, keepdims=True),
}


@makes("ReduceMean", "ReduceMax", "ReduceSum")
def reduction(call: Call) -> Made:
    """Over positions or channels, with the axes as an attribute or an input."""
    value, axes = call.value(0), call.numbers("axes", 1)
    if isinstance(value, Rowed) and axes in (
        [value.axis],
        [value.axis - value.base.rank],
    ):
        return value.then(REDUCTIONS[call.node.operator])
    if isinstance(value, Curved) and axes and len(axes) == 1 and not is_known(value.curve):
        base, axis = value.base, value.base.axis(axes[0])
        if base.axes[axis] == base.channels != () and call.setting("keepdims", 1):
            return rowed(base, axis, value.curve).then(REDUCTIONS[call.node.operator])
    view = call.view(0)
    if not axes:
        if call.setting("noop_with_empty_axes", 0):
            return view
        raise Outside("it goes over samples")
    axes = [view.axis(axis) for axis in axes]
    kept = bool(call.setting("keepdims", 1))
    if len(axes) == 1 and kept and view.axes[axes[0]] == view.channels != ():
        return rowed(view, axes[0], REDUCTIONS[call.node.operator])
    result = _over(call, axes, call.node.operator == "ReduceMax", kept)
    if call.node.operator != "ReduceSum":
        return result
    count = prod(view.sizes[axis] for axis in axes)
    return scaled(call.sketch, result, np.array(count, np.float32))


def _over(call: Call, axes: Sequence[int], largest: bool, kept: bool) -> View:
    view = call.view(0)
    if any(factor.axis == 0 for axis in axes for factor in view.axes[axis]):
        raise Outside("it goes over samples")
    if any(factor.axis == view.last for axis in axes for factor in view.axes[axis]):
        raise Outside("it goes over channels")
    found = sorted((f for axis in axes for f in view.axes[axis]), key=lambda f: (f.axis, -f.stride))
    every = [f for i in range(1, view.last) for f in whole(i, view.shape[i])]
    if found == every:
        return _global(call, view, axes, largest, kept)
    return _windowed(call, view, axes, largest, kept)


def _global(call: Call, view: View, axes: Sequence[int], largest: bool, kept: bool) -> View:
    keep = kept and bool(call.next & {"Conv", "ConvTranspose", "Resize", "Upsample"})
    layer = (GlobalMaxPool if largest else GlobalAveragePool)(keep=keep)
    address = call.sketch.add(layer, view.source)
    shape = call.sketch.shape(address)
    last = len(shape) - 1
    left = [() if i in axes else axis for i, axis in enumerate(view.axes) if kept or i not in axes]
    moved = tuple(
        tuple(attrs.evolve(f, axis=last if f.axis == view.last else f.axis) for f in axis)
        for axis in left
    )
    return View(address, shape, moved)


def _windowed(call: Call, view: View, axes: Sequence[int], largest: bool, kept: bool) -> View:
    """Over some position axes: windows as long as these."""
    channel = next(
        (i for i, axis in enumerate(view.axes) if axis and axis[0].axis == view.last), None
    )
    if channel is None:
        raise Outside("it goes over some positions of what has no channels")
    view = arranged(call.sketch, view, channel)
    others = [i for i in range(view.rank) if i not in (view.batch, channel)]
    window = tuple(view.sizes[i] if i in axes else 1 for i in others)
    layer = (MaxPool if largest else AveragePool)(window)
    address = call.sketch.add(layer, view.source)
    shape = call.sketch.shape(address)
    result = View(
        address,
        shape,
        tuple(() if i in axes else axis for i, axis in enumerate(view.axes)),
    )
    if kept:
        return result
    left = tuple(axis for i, axis in enumerate(result.axes) if i not in axes)
    return attrs.evolve(result, axes=left)
