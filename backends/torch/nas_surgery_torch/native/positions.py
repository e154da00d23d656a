"""Layers that move values between positions as torch's modules, and back."""

from collections.abc import Callable
from typing import Any

from torch import nn

import nas_surgery.network as ir
from nas_surgery.network import Layer, Shape
from nas_surgery_torch.native.linear import ZEROS
from nas_surgery_torch.native.settings import Reading
from nas_surgery_torch.operators.linear import sides

MIRRORS = (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d)
EDGES = (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d)
MODULES: dict[str, tuple[type[Any], ...]] = {"constant": ZEROS, "reflect": MIRRORS, "edge": EDGES}


def pad(layer: ir.Pad, shape: Shape) -> nn.Module | None:
    """The module of that mode, up to three axes."""
    modules, rank = MODULES[layer.mode], len(layer.amounts)
    if rank > len(modules):
        return None
    value = (layer.value,) if layer.mode == "constant" else ()
    return modules[rank - 1](tuple(sides(layer.amounts)), *value)


def read_pad(module: Any, reading: Reading) -> Layer:
    """A Pad."""
    mode = next(mode for mode, kinds in MODULES.items() if isinstance(module, kinds))
    given = module.padding
    pairs = [tuple(given[i : i + 2]) for i in range(0, len(given), 2)]
    return ir.Pad(pairs[::-1], mode, module.value if mode == "constant" else 0.0)


def read_pixel_shuffle(module: nn.PixelShuffle, reading: Reading) -> Layer:
    """A DepthToSpace."""
    return ir.DepthToSpace(module.upscale_factor, "channels_outer")


def read_pixel_unshuffle(module: nn.PixelUnshuffle, reading: Reading) -> Layer:
    """A SpaceToDepth."""
    return ir.SpaceToDepth(module.downscale_factor, "channels_outer")


READ: dict[type[nn.Module], Callable[..., Layer]] = {
    **{kind: read_pad for kinds in MODULES.values() for kind in kinds},
    nn.ZeroPad1d: read_pad,
    nn.ZeroPad2d: read_pad,
    nn.ZeroPad3d: read_pad,
    nn.PixelShuffle: read_pixel_shuffle,
    nn.PixelUnshuffle: read_pixel_unshuffle,
}
