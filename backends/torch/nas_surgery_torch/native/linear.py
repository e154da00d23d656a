"""Linear layers as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery_torch.native.settings import Reading, array, require
from nas_surgery_torch.native.tracing import traced
from nas_surgery_torch.operators.linear import sides

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
ZEROS = (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)


def linear(layer: ir.Dense, shape: Shape) -> nn.Module:
    """nn.Linear."""
    with torch.device("meta"):  # the weights that it would draw are not wanted
        module = nn.Linear(layer.fan_in, layer.units, bias=layer.bias is not None)
    return weighted(module, weight=layer.kernel.T, bias=layer.bias)


def convolution(layer: ir.Conv, shape: Shape) -> nn.Module:
    """nn.Conv1d to 3d; behind a module of zeros where padding differs from side to side."""
    rank = len(layer.window)
    pairs = layer.windows.pairs(shape[:-1])
    even = all(before == after for before, after in pairs)
    same = even and layer.padding == "same" and set(layer.strides) == {1}
    with torch.device("meta"):
        module = CONVOLUTIONS[rank - 1](
            layer.fan_in,
            layer.units,
            layer.window,
            layer.strides,
            "same" if same else tuple(b for b, _ in pairs) if even else 0,
            layer.dilations,
            layer.groups,
            layer.bias is not None,
        )
    weighted(module, weight=np.moveaxis(layer.kernel, (-1, -2), (0, 1)), bias=layer.bias)
    if even:
        return module
    return nn.Sequential(ZEROS[rank - 1](tuple(sides(pairs)), 0.0), module)


def transposed(layer: ir.ConvTranspose, shape: Shape) -> nn.Module | None:
    """nn.ConvTranspose1d to 3d, where as much is cut off on both sides."""
    if any(before != after for before, after in layer.padding):
        return None
    *size, fan_in, units = layer.kernel.shape
    with torch.device("meta"):
        module = TRANSPOSED[len(size) - 1](
            fan_in,
            units,
            tuple(size),
            layer.strides,
            tuple(before for before, _ in layer.padding),
            layer.output_padding,
            1,
            layer.bias is not None,
            layer.dilations,
        )
    return weighted(module, weight=np.moveaxis(layer.kernel, (-2, -1), (0, 1)), bias=layer.bias)


def embedding(layer: ir.Embedding, shape: Shape) -> nn.Module:
    """nn.Embedding, behind a cast to whole numbers."""
    table = nn.Embedding.from_pretrained(torch.tensor(layer.table), freeze=False)
    return traced("Embedding", lambda held, x: held["embedding"](x.long()), {"embedding": table})


def weighted(module: Any, **arrays: np.ndarray | None) -> nn.Module:
    """A module with copies of these arrays as its parameters; None where it shall have none."""
    for name, values in arrays.items():
        held = None if values is None else nn.Parameter(torch.tensor(np.ascontiguousarray(values)))
        module.register_parameter(name, held)
    return module


def read_linear(module: nn.Linear, reading: Reading) -> Layer:
    """A Dense."""
    return ir.Dense(array(module.weight).T, array(module.bias))


def read_convolution(module: Any, reading: Reading) -> Layer:
    """A Conv."""
    require(module, padding_mode="zeros")
    return ir.Conv(
        np.moveaxis(array(module.weight), (0, 1), (-1, -2)),
        array(module.bias),
        module.stride,
        module.dilation,
        module.padding,
        module.groups,
    )


def read_transposed(module: Any, reading: Reading) -> Layer:
    """A ConvTranspose."""
    require(module, padding_mode="zeros", groups=1)
    return ir.ConvTranspose(
        np.moveaxis(array(module.weight), (0, 1), (-2, -1)),
        array(module.bias),
        module.stride,
        module.dilation,
        module.padding,
        module.output_padding,
    )


READ: dict[type[nn.Module], Callable[..., Layer]] = {
    nn.Linear: read_linear,
    **dict.fromkeys(CONVOLUTIONS, read_convolution),
    **dict.fromkeys(TRANSPOSED, read_transposed),
}
