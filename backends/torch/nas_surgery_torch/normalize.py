"""Normalize as a module that torch alone can load: a traced `(x - mean) / scale`.

torch has no module that subtracts and divides by constants of any shape. BatchNorm is not one: it
multiplies first, which loses digits where the mean is large.
"""

import operator
from typing import Any

import torch
from torch import fx, nn

import nas_surgery.network as ir

STEPS = (("sub", "mean"), ("truediv", "scale"))


def normalize_module(layer: ir.Normalize) -> fx.GraphModule:
    """The layer with its mean and scale as buffers of these names."""
    buffers, graph = nn.Module(), fx.Graph()
    value = graph.placeholder("x")
    for function, name in STEPS:
        buffers.register_buffer(name, torch.tensor(getattr(layer, name)))
        operand = graph.get_attr(name)
        value = graph.call_function(getattr(operator, function), (value, operand))
    graph.output(value)
    return fx.GraphModule(buffers, graph, "Normalize")


def is_normalize(module: Any) -> bool:
    """Whether a module is what `normalize_module` makes; the values of its buffers do not matter."""
    if not isinstance(module, fx.GraphModule):
        return False
    names = [
        (node.op, getattr(node.target, "__name__", node.target)) for node in module.graph.nodes
    ]
    steps = [step for f, name in STEPS for step in (("get_attr", name), ("call_function", f))]
    return names == [("placeholder", "x"), *steps, ("output", "output")]
