"""Pools as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

from torch import nn

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery.network.layers.windows import Windows
from nas_surgery_torch.native.settings import Reading, require

MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
GLOBAL_MEANS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
GLOBAL_MAXIMA = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)

Kinds = tuple[type[nn.Module], ...]


def max_pool(layer: ir.MaxPool, shape: Shape) -> nn.Module | None:
    """nn.MaxPool1d to 3d."""
    padding = _padding(layer.windows, shape)
    if padding is None:
        return None
    make = MAXIMA[len(padding) - 1]
    return make(layer.window, layer.strides, padding, layer.dilations, ceil_mode=layer.ceil)


def average_pool(layer: ir.AveragePool, shape: Shape) -> nn.Module | None:
    """nn.AvgPool1d to 3d."""
    padding = _padding(layer.windows, shape)
    if padding is None:
        return None
    make = MEANS[len(padding) - 1]
    return make(layer.window, layer.strides, padding, layer.ceil, layer.count_padding)


def _padding(windows: Windows, shape: Shape) -> tuple[int, ...] | None:
    """The padding, if it is as much on both sides and half a window at most."""
    pairs = windows.pairs(shape[:-1])
    if any(b != a or 2 * b > reach for (b, a), reach in zip(pairs, windows.reach, strict=True)):
        return None
    return tuple(before for before, _ in pairs)


def global_average_pool(layer: ir.GlobalAveragePool, shape: Shape) -> nn.Module | None:
    """nn.AdaptiveAvgPool1d to 3d."""
    return _global(GLOBAL_MEANS, layer.keep, shape)


def global_max_pool(layer: ir.GlobalMaxPool, shape: Shape) -> nn.Module | None:
    """nn.AdaptiveMaxPool1d to 3d."""
    return _global(GLOBAL_MAXIMA, layer.keep, shape)


def _global(kinds: Kinds, keep: bool, shape: Shape) -> nn.Module | None:
    if len(shape) - 1 > len(kinds):
        return None
    module = kinds[len(shape) - 2](1)
    return module if keep else nn.Sequential(module, nn.Flatten())


def read_max_pool(module: Any, reading: Reading) -> Layer:
    """A MaxPool."""
    require(module, return_indices=False)
    window, strides, padding = _settings(module, MAXIMA)
    return ir.MaxPool(window, strides, padding, module.dilation, module.ceil_mode)


def read_average_pool(module: Any, reading: Reading) -> Layer:
    """An AveragePool."""
    if getattr(module, "divisor_override", None) is not None:
        require(module, divisor_override=None)
    window, strides, padding = _settings(module, MEANS)
    return ir.AveragePool(window, strides, padding, module.ceil_mode, module.count_include_pad)


def _settings(module: Any, kinds: Kinds) -> tuple[Any, Any, Any]:
    """Window, strides and padding; one number is meant for each axis."""
    rank = 1 + next(i for i, kind in enumerate(kinds) if isinstance(module, kind))
    window = module.kernel_size
    return (window,) * rank if isinstance(window, int) else window, module.stride, module.padding


def read_global_average_pool(module: Any, reading: Reading) -> Layer:
    """A GlobalAveragePool, which keeps the position axes."""
    _require_one(module)
    return ir.GlobalAveragePool(keep=True)


def read_global_max_pool(module: Any, reading: Reading) -> Layer:
    """A GlobalMaxPool, which keeps the position axes."""
    _require_one(module)
    require(module, return_indices=False)
    return ir.GlobalMaxPool(keep=True)


def _require_one(module: Any) -> None:
    size = module.output_size
    if size != 1 and set(size if isinstance(size, tuple) else (size,)) != {1}:
        require(module, output_size=1)


READ: dict[type[nn.Module], Callable[..., Layer]] = {
    **dict.fromkeys(MAXIMA, read_max_pool),
    **dict.fromkeys(MEANS, read_average_pool),
    **dict.fromkeys(GLOBAL_MEANS, read_global_average_pool),
    **dict.fromkeys(GLOBAL_MAXIMA, read_global_max_pool),
}
