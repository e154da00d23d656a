"""Positions nearer or farther apart; blocks of positions as channels, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import DepthToSpace, Resize, SpaceToDepth


@makes("Resize", "Upsample")
def resize(call: Call) -> Made:
    """By nearest or linear interpolation, to sizes or by scales of each axis."""
    view = arranged(call.sketch, call.view(0), 1)
    sizes = _sizes(call, view)
    if sizes[:2] != list(view.sizes[:2]):
        raise Outside("channels or samples are resized")
    mode = call.setting("mode", "nearest")
    if mode not in ("nearest", "linear") or call.setting("antialias", 0):
        raise Outside(
            f"{mode} interpolation" + " with antialiasing" * bool(call.setting("antialias", 0))
        )
    address = call.sketch.add(
        Resize(size=tuple(sizes[2:]), mode=mode, **_places(call, mode)), view.source
    )
    return call.sketch.channels_first(address)


def _places(call: Call, mode: str) -> dict[str, Any]:
    """How places of outputs are places of inputs."""
    if call.version < 11:
        return {"coordinates": "asymmetric", "rounding": "floor"}
    coordinates = call.setting("coordinate_transformation_mode", "half_pixel")
    rounding = call.setting("nearest_mode", "round_prefer_floor")
    if mode != "nearest":
        return {"coordinates": coordinates}
    return {"coordinates": coordinates, "rounding": rounding}


def _sizes(call: Call, view: View) -> list[int]:
    """Sizes of all axes behind it."""
    axes = call.setting("axes") or list(range(view.rank))
    place = {1: 1}.get(len(call.inputs) - 1, 2) if call.version >= 11 else 1
    scales = call.setting("scales") if call.version < 10 and call.setting("scales") else None
    if scales is None and call.version >= 11:
        sizes = call.numbers("", 3)
        if sizes:
            return _for_axes(
                view, axes, [_batched(call, view, n, a) for n, a in zip(sizes, axes, strict=True)]
            )
    if scales is None:
        array = call.optional(2 if call.version >= 11 else place)
        if array is None or array.size != len(axes):
            raise Outside("it has neither sizes nor scales that fit")
        scales = [float(n) for n in array.ravel()]
    return _for_axes(
        view, axes, [int(np.floor(view.sizes[a] * s)) for a, s in zip(axes, scales, strict=True)]
    )


def _batched(call: Call, view: View, size: int, axis: int) -> int:
    fixed = view.batch == axis and size == call.sketch.fixed
    return call.sketch.batch if fixed else size


def _for_axes(view: View, axes: Sequence[int], sizes: Sequence[int]) -> list[int]:
    found = list(view.sizes)
    for axis, size in zip(axes, sizes, strict=True):
        found[axis] = size
    return found


@makes("DepthToSpace")
def depth_to_space(call: Call) -> Made:
    """Channels as blocks of positions; DCR has the place in the block outer, CRD the channel."""
    view = arranged(call.sketch, call.view(0), 1)
    order = {"DCR": "positions_outer", "CRD": "channels_outer"}[call.setting("mode", "DCR")]
    layer = DepthToSpace(int(call.setting("blocksize", 1)), order=order)
    return call.sketch.channels_first(call.sketch.add(layer, view.source))


@makes("SpaceToDepth")
def space_to_depth(call: Call) -> Made:
    """Blocks of positions as channels, the place in the block outer."""
    view = arranged(call.sketch, call.view(0), 1)
    layer = SpaceToDepth(int(call.setting("blocksize", 1)), order="positions_outer")
    return call.sketch.channels_first(call.sketch.add(layer, view.source))
