"""What is made of each operator, one family a file."""

from nas_surgery.formats.onnx.importer.operators import (
    arithmetic,
    attention,
    convolution,
    elementwise,
    joining,
    linear,
    normalization,
    padding,
    pooling,
    recurrent,
    resizing,
    shaping,
    tokens,
)
from nas_surgery.formats.onnx.importer.operators.calls import OPERATORS, Call

__all__ = ["OPERATORS", "Call"]
