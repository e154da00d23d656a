"""Layers of networks for sequences: norms over channels, tokens, recurrence, attention."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.formats.onnx.layers.norms import scale_and_offset
from nas_surgery.network import (
    GRU,
    LSTM,
    Array,
    Attend,
    Embedding,
    Layer,
    LayerNorm,
    RMSNorm,
    Softmax,
    Token,
)
from nas_surgery.network.layers.recurrent import Recurrent

INT64 = 7  # as ONNX counts element types
_GATES = {LSTM: (0, 3, 1, 2), GRU: (1, 0, 2)}  # where ONNX has i, o, f, c and z, r, h


def _layer_norm(graph: Graph, layer: LayerNorm, x: Tensor) -> Tensor:
    scale, offset = scale_and_offset(graph, layer, x.shape[-1])
    arrays = (scale, offset) if layer.offset is not None else (scale,)
    return graph.made(
        graph.node("LayerNormalization", graph.last(x), *arrays, axis=-1, epsilon=layer.epsilon)
    )


def _rms_norm(graph: Graph, layer: RMSNorm, x: Tensor) -> Tensor:
    name = graph.last(x)
    mean = graph.node("ReduceMean", graph.node("Mul", name, name), graph.whole(-1), keepdims=1)
    epsilon = graph.constant(f"epsilon.{layer.epsilon!r}", layer.epsilon)
    size = graph.node("Sqrt", graph.node("Add", mean, epsilon))
    return graph.made(graph.node("Mul", graph.node("Div", name, size), graph.array("scale")))


def _softmax(graph: Graph, layer: Softmax, x: Tensor) -> Tensor:
    return graph.made(graph.node("Softmax", graph.last(x), axis=-1))


def _embedding(graph: Graph, layer: Embedding, x: Tensor) -> Tensor:
    tokens = graph.node("Cast", graph.last(x), name="tokens", to=INT64)
    return graph.made(graph.node("Gather", graph.array("table"), tokens, axis=0))


def _token(graph: Graph, layer: Token, x: Tensor) -> Tensor:
    name = graph.last(x)
    shape = graph.node("Concat", _batch(graph, name), graph.whole(*layer.values.shape), axis=0)
    values = graph.node("Expand", graph.array("values"), shape)
    return graph.made(graph.node("Concat", values, name, axis=1))


def _batch(graph: Graph, name: str) -> str:
    """The number of samples, as a vector of one."""
    return graph.node("Shape", name, start=0, end=1)


def _recurrent(graph: Graph, layer: Recurrent, x: Tensor) -> Tensor:
    name = graph.last(x)
    count = _batch(graph, name)
    steps = graph.node("Transpose", _never_empty(graph, name, count), perm=(1, 0, 2))
    kernels = [_kernel(graph, layer, field) for field in ("kernel", "recurrent")]
    options: dict[str, Any] = {"linear_before_reset": 1} if isinstance(layer, GRU) else {}
    every = graph.node(
        type(layer).__name__,
        *(steps, *kernels, *_bias(graph, layer)),
        hidden_size=layer.units,
        direction="reverse" if layer.reverse else "forward",
        **options,
    )
    if layer.sequences:
        alone = graph.node("Squeeze", every, graph.whole(1))
        found = graph.node("Transpose", alone, perm=(1, 0, 2))
    else:
        last = 0 if layer.reverse else x.shape[0] - 1
        final = graph.node("Gather", every, graph.whole(last), axis=0)
        found = graph.node("Squeeze", final, graph.whole(0, 1))
    zero = graph.whole(0)
    return graph.made(graph.node("Slice", found, zero, count, zero))


def _never_empty(graph: Graph, name: str, count: str) -> str:
    """The samples (N, L, in), or one of zeros where there is none: onnxruntime ends the process without."""
    one = graph.whole(1)
    missing = graph.node("Sub", one, graph.node("Min", count, one))
    pads = graph.node("Concat", graph.whole(0, 0, 0), missing, graph.whole(0, 0), axis=0)
    return graph.node("Pad", name, pads)


def _kernel(graph: Graph, layer: Recurrent, field: str) -> str:
    """An array (in, gates, units) as (1, gates · units, in), gates in ONNX's order."""
    array: Array = getattr(layer, field)
    rows = graph.node("Transpose", _ordered(graph, layer, field, 1), perm=(1, 2, 0))
    return graph.node("Reshape", rows, graph.whole(1, layer.gates * layer.units, len(array)))


def _bias(graph: Graph, layer: Recurrent) -> tuple[str, ...]:
    """Both biases side by side, (1, 2 · gates · units), if there is one."""
    size = layer.gates * layer.units
    held = layer.arrays()
    if not held.keys() & {"bias", "recurrent_bias"}:
        return ()
    none = graph.constant(f"zeros.1_{size}", np.zeros((1, size)))
    parts = [
        graph.node("Reshape", _ordered(graph, layer, field, 0), graph.whole(1, size))
        if field in held
        else none
        for field in ("bias", "recurrent_bias")
    ]
    return (graph.node("Concat", *parts, axis=1),)


def _ordered(graph: Graph, layer: Recurrent, field: str, axis: int) -> str:
    order = graph.whole(*_GATES[type(layer)])
    return graph.node("Gather", graph.array(field), order, axis=axis)


def _attend(graph: Graph, layer: Attend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    queries = graph.node("Mul", _heads(graph, layer, q), _scale(graph, layer, q.shape[-1]))
    scores = graph.node("MatMul", queries, _heads(graph, layer, k, turned=True))
    if layer.bias is not None:
        scores = graph.node("Add", scores, graph.array("bias"))
    if layer.causal:
        length = q.shape[-2]
        scores = graph.node("Add", scores, graph.constant(f"mask.{length}", layer.mask(length)))
    shares = graph.node("Softmax", scores, axis=-1)
    found = graph.node("MatMul", shares, _heads(graph, layer, v))
    outer = len(q.shape) - 1  # axes before the heads
    together = graph.node("Transpose", found, perm=(*range(outer), outer + 1, outer, outer + 2))
    return graph.made(graph.node("Reshape", together, graph.whole(0, *q.shape[:-1], v.shape[-1])))


def _scale(graph: Graph, layer: Attend, width: int) -> str:
    """A number, which onnxruntime takes into the product; of float64 it would round it to float32 there."""
    scale, size = layer.scale_for(width), width // layer.heads
    if graph.wide:
        return graph.constant(f"scale.{scale!r}.{size}", np.full(size, scale))
    return graph.constant(f"scale.{scale!r}", scale)


def _heads(graph: Graph, layer: Attend, x: Tensor, turned: bool = False) -> str:
    """(N, ..., L, heads · d) as (N, ..., heads, L, d); `turned` as (N, ..., heads, d, L)."""
    *positions, width = x.shape
    shape = graph.whole(0, *positions, layer.heads, width // layer.heads)
    split = graph.node("Reshape", graph.last(x), shape)
    length = len(positions)  # its axis in the graph, before heads and width
    heads, width = length + 1, length + 2
    order = (heads, width, length) if turned else (heads, length, width)
    return graph.node("Transpose", split, perm=(*range(length), *order))


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    LayerNorm: _layer_norm,
    RMSNorm: _rms_norm,
    Softmax: _softmax,
    Embedding: _embedding,
    Token: _token,
    LSTM: _recurrent,
    GRU: _recurrent,
    Attend: _attend,
}
