"""Convolutions."""

from collections.abc import Sequence

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged
from nas_surgery.network import Conv, ConvTranspose, Shape

Pairs = tuple[tuple[int, int], ...]


@makes("Conv")
def conv(call: Call) -> Made:
    """Kernels (out, in / groups, *window) become (*window, in / groups, out)."""
    kernel = call.weights(1)
    if not 3 <= kernel.ndim <= 5:
        raise Outside(f"windows of {kernel.ndim - 2} axes; one to three can be held")
    view = arranged(call.sketch, call.view(0), 1)
    window = kernel.shape[2:]
    layer = Conv(
        np.moveaxis(kernel, (0, 1), (-1, -2)),
        call.bias(2),
        strides=strides(call, len(window)),
        dilations=per_axis(call, "dilations", len(window)),
        padding=padding(call, window, view.shape[1:-1]),
        groups=int(call.setting("group", 1)),
    )
    return call.sketch.channels_first(call.sketch.add(layer, view.source))


@makes("ConvTranspose")
def conv_transpose(call: Call) -> Made:
    """Kernels (in, out, *window) become (*window, in, out)."""
    kernel = call.weights(1)
    if not 3 <= kernel.ndim <= 5:
        raise Outside(f"windows of {kernel.ndim - 2} axes; one to three can be held")
    if call.setting("group", 1) != 1:
        raise Outside("transposed convolutions of groups of channels")
    view = arranged(call.sketch, call.view(0), 1)
    rank, positions = kernel.ndim - 2, view.shape[1:-1]
    more = tuple(call.setting("output_padding", [0] * rank))
    steps, spread = strides(call, rank), per_axis(call, "dilations", rank)
    layer = ConvTranspose(
        np.moveaxis(kernel, (0, 1), (-2, -1)),
        call.bias(2),
        strides=steps,
        dilations=spread,
        padding=_cut(call, positions, kernel.shape[2:], steps, spread, more),
        output_padding=more,
    )
    return call.sketch.channels_first(call.sketch.add(layer, view.source))


def _cut(
    call: Call, positions: Shape, window: Shape, steps: Shape, spread: Shape, more: Shape
) -> Pairs:
    """What is cut off the full output before and after, along each axis."""
    wanted = call.setting("output_shape")
    automatic = call.setting("auto_pad", "NOTSET")
    if wanted is None and automatic in ("NOTSET", "VALID"):
        pairs = padding(call, window, positions)
        assert not isinstance(pairs, str)
        return pairs
    if wanted is None:
        wanted = [n * s for n, s in zip(positions, steps, strict=True)]
    cut: list[tuple[int, int]] = []
    for n, k, s, d, m, size in zip(
        positions, window, steps, spread, more, wanted[-len(window) :], strict=True
    ):
        total = (n - 1) * s + d * (k - 1) + 1 + m - size
        half = total // 2
        cut.append((half, total - half) if automatic != "SAME_LOWER" else (total - half, half))
    return tuple(cut)


def per_axis(call: Call, name: str, rank: int) -> Shape:
    """Numbers of an attribute, one for each axis of a window; ones where it is left out."""
    found = call.setting(name, [1] * rank)
    if not isinstance(found, Sequence) or len(found) != rank:
        raise Outside(f"{name} {found} does not fit windows of {rank} axes")
    return tuple(int(n) for n in found)


def strides(call: Call, rank: int) -> Shape:
    """How far windows are apart, along each axis."""
    return per_axis(call, "strides", rank)


def padding(call: Call, window: Shape, positions: Shape) -> str | Pairs:
    """What is put beside the inputs, as layers have it."""
    rank = len(window)
    automatic = call.setting("auto_pad", "NOTSET")
    if automatic == "SAME_UPPER":
        return "same"
    if automatic == "VALID":
        return ((0, 0),) * rank
    if automatic == "SAME_LOWER":
        return _lower(call, window, positions)
    if automatic != "NOTSET":
        raise Outside(f"auto_pad {automatic!r}")
    pads = call.setting("pads", [0] * 2 * rank)
    if len(pads) != 2 * rank:
        raise Outside(f"pads {pads} does not fit windows of {rank} axes")
    if min(pads, default=0) < 0:
        raise Outside(f"pads {pads} cut off inputs")
    return tuple((int(b), int(a)) for b, a in zip(pads[:rank], pads[rank:], strict=True))


def _lower(call: Call, window: Shape, positions: Shape) -> Pairs:
    """As many outputs as inputs by the stride, the odd zero before."""
    rank = len(window)
    axes = zip(
        window, positions, strides(call, rank), per_axis(call, "dilations", rank), strict=True
    )
    missing = [max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0) for k, n, s, d in axes]
    return tuple((m - m // 2, m // 2) for m in missing)
