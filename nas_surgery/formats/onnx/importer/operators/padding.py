"""Values beside the positions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged, behind, channel_axis
from nas_surgery.formats.onnx.importer.views import View, cut_alike
from nas_surgery.network import Pad


@makes("Pad")
def pad(call: Call) -> Made:
    """Constants, reflections or the values at the edge, along position axes."""
    view = cut_alike(call.view(0))
    amounts = _amounts(call, view)
    mode = call.setting("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise Outside(f"padding by {mode!r}")
    if not any(map(any, amounts)):
        return view
    if any(n < 0 for pair in amounts for n in pair):
        raise Outside(f"padding of {amounts}, which cuts off")
    return _padded(call, view, amounts, mode)


def _padded(call: Call, view: View, amounts: Sequence[tuple[int, int]], mode: str) -> View:
    channel = channel_axis(view, [i for i, pair in enumerate(amounts) if any(pair)])
    view = arranged(call.sketch, view, channel)
    others = [i for i in range(view.rank) if i not in (view.batch, channel)]
    if any(amounts[i] != (0, 0) for i in (view.batch or 0, channel)):
        raise Outside("channels or samples are padded")
    layer = Pad(amounts=tuple(amounts[i] for i in others), mode=mode, **_value(call, mode))
    address = call.sketch.add(layer, view.source)
    return behind(call.sketch, address, view, channel, others)


def _amounts(call: Call, view: View) -> list[tuple[int, int]]:
    """Before and after, for each axis."""
    numbers = call.setting("pads") if call.version < 11 else call.numbers("", 1)
    axes = call.numbers("", 3) if call.version >= 18 else None
    axes = list(range(view.rank)) if axes is None else [view.axis(axis) for axis in axes]
    if numbers is None or len(numbers) != 2 * len(axes):
        raise Outside(f"pads {numbers} does not fit {len(axes)} axes")
    amounts = [(0, 0)] * view.rank
    pairs = zip(numbers[: len(axes)], numbers[len(axes) :], strict=True)
    for axis, (before, after) in zip(axes, pairs, strict=True):
        amounts[axis] = (int(before), int(after))
    return amounts


def _value(call: Call, mode: str) -> dict[str, Any]:
    if mode != "constant":
        return {}
    value = call.setting("value", 0.0) if call.version < 11 else call.optional(2)
    return {} if value is None else {"value": float(np.asarray(value).reshape(()))}
