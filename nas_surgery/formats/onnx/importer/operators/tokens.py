"""Rows of a table by whole numbers of the input."""

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.views import View, whole
from nas_surgery.network import Embedding


def embedding(call: Call) -> Made:
    """A row of a constant table for each number of a tensor, in a new last axis."""
    if call.setting("axis", 0) != 0:
        raise Outside("rows of a table along another axis than the first")
    table, view = call.weights(0, 2), call.view(1)
    address = call.sketch.add(Embedding(np.ascontiguousarray(table)), view.source)
    shape = call.sketch.shape(address)
    return View(address, shape, (*view.axes, whole(len(shape) - 1, shape[-1])))
