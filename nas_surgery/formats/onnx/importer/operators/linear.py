"""Dense layers: Gemm, and MatMul with a constant."""

from typing import Any

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.operators.attention import product
from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import on_channels
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.views import View, standing
from nas_surgery.network import Array, Dense


@makes("Gemm")
def gemm(call: Call) -> Made:
    """alpha · A · B + beta · C, where B and C are constant."""
    if call.setting("transA", 0):
        raise Outside("its inputs are transposed")
    kernel = call.weights(1, 2)
    kernel = kernel.T if call.setting("transB", 0) else kernel
    alpha, beta = call.setting("alpha", 1.0), call.setting("beta", 1.0)
    kernel = kernel if alpha == 1 else kernel * kernel.dtype.type(alpha)
    bias = None
    if call.value(2) is not None and beta != 0:
        bias = _row(call.weights(2) * kernel.dtype.type(beta), kernel.shape[1])
    return dense(call.sketch, call.view(0), kernel, bias)


@makes("MatMul")
def matmul(call: Call) -> Made:
    """A product with a constant matrix is a Dense layer; one of two views is part of attention."""
    if call.is_constant(1):
        return dense(call.sketch, call.view(0), call.weights(1, 2), None)
    if call.is_constant(0):
        raise Outside("its weights stand before the inputs, and would mix positions")
    return product(call.sketch, call.value(0), call.value(1))


def dense(sketch: Sketch, view: View, kernel: Array, bias: Array | None) -> View:
    """A Dense layer on the last axis, wherever the positions are."""
    view = on_channels(sketch, view, -1)
    view, kernel = _in_order(sketch, view, kernel)
    return sketch.on(view, Dense(np.ascontiguousarray(kernel), bias))


def _in_order(sketch: Sketch, view: View, kernel: Array) -> tuple[View, Array]:
    """The rows of the kernel in another order, instead of the channels that it reads."""
    layer = sketch.layer(view.source)
    order: Any = getattr(layer, "indices", None)
    if order is None or sorted(order) != list(range(len(kernel))):
        return view, kernel
    (source,) = sketch.sources[view.source]
    if len(order) != sketch.shape(source)[-1]:
        return view, kernel
    rows = np.empty_like(kernel)
    rows[list(order)] = kernel
    return attrs.evolve(view, source=source), rows


def _row(bias: Array, units: int) -> Array:
    try:
        row: Array = np.broadcast_to(bias, (1, units))[0]
    except ValueError:
        raise Outside(f"a bias of shape {list(bias.shape)} is none of {units} units") from None
    return row


def with_bias(sketch: Sketch, view: View, offset: Array) -> View | None:
    """The view with an offset put into the layer that makes it, which nobody else reads; None where none takes it."""
    layer = sketch.layer(view.source)
    fields = {} if layer is None else attrs.fields_dict(type(layer))  # type: ignore[arg-type]
    takes = layer is not None and layer.channels.kernel is not None and "bias" in fields
    if not takes or getattr(layer, "bias", 0) is not None or sketch.is_read(view.source):
        return None
    assert layer is not None
    units = standing(view.source, view.shape).shape[-1]
    sketch.replace(view.source, attrs.evolve(layer, bias=np.broadcast_to(offset, (units,))))  # type: ignore[misc]
    return view
