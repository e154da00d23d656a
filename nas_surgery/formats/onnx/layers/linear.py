"""Layers with kernels."""

from collections.abc import Callable
from typing import Any

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Conv, ConvTranspose, Dense, Layer
from nas_surgery.network.layers.windows import Windows


def _dense(graph: Graph, layer: Dense, x: Tensor) -> Tensor:
    names = [graph.array(field) for field in layer.arrays()]
    if x.rank == 2 and layer.bias is not None:
        return graph.made(graph.node("Gemm", x.name, *names))
    product = graph.node("MatMul", graph.last(x), names[0])
    return graph.made(product if layer.bias is None else graph.node("Add", product, names[1]))


def _conv(graph: Graph, layer: Conv, x: Tensor) -> Tensor:
    kernel = graph.node(
        "Transpose", graph.array("kernel"), name="kernel", perm=outputs_first(layer)
    )
    bias = [] if layer.bias is None else [graph.array("bias")]
    steps = window_attributes(layer.windows, x.shape[:-1])
    return graph.made(
        graph.node("Conv", graph.first(x), kernel, *bias, group=layer.groups, **steps), first=True
    )


def _conv_transpose(graph: Graph, layer: ConvTranspose, x: Tensor) -> Tensor:
    rank = layer.kernel.ndim
    order = (rank - 2, rank - 1, *range(rank - 2))
    kernel = graph.node("Transpose", graph.array("kernel"), name="kernel", perm=order)
    bias = [] if layer.bias is None else [graph.array("bias")]
    steps = window_attributes(layer.windows, x.shape[:-1])
    steps["output_padding"] = layer.output_padding
    return graph.made(
        graph.node("ConvTranspose", graph.first(x), kernel, *bias, **steps), first=True
    )


def outputs_first(layer: Conv) -> tuple[int, ...]:
    """The axes of a kernel (*window, in, out) as (out, in, *window)."""
    rank = layer.kernel.ndim
    return (rank - 1, rank - 2, *range(rank - 2))


def window_attributes(windows: Windows, positions: tuple[int, ...]) -> dict[str, Any]:
    """The attributes of a convolution or a pool over so many positions."""
    pairs = windows.pairs(positions)
    return {
        "kernel_shape": windows.size,
        "strides": windows.strides,
        "dilations": windows.dilations,
        "pads": [before for before, _ in pairs] + [after for _, after in pairs],
    }


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Dense: _dense,
    Conv: _conv,
    ConvTranspose: _conv_transpose,
}
