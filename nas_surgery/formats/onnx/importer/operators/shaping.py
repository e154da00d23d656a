"""What only moves values: views of what is there, and layers where a part is taken."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.picking import picked
from nas_surgery.formats.onnx.importer.settling import arranged, channel_axis
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Listed, Score
from nas_surgery.formats.onnx.importer.views import View, cut_alike, reshaped, transposed
from nas_surgery.network import Dropout
from nas_surgery.network.wires import INPUT


@makes("Identity")
def identity(call: Call) -> Made:
    """The value itself, a promise too."""
    value = call.value(0)
    assert value is not None
    return value


@makes("Cast", "CastLike")
def cast(call: Call) -> Made:
    """Between kinds of floats, which a network does not tell apart."""
    whole_numbers = call.setting("to") in (6, 7) and call.view(0).source == INPUT
    if whole_numbers and call.next == {"Gather"}:
        return identity(call)
    if call.node.operator == "Cast" and call.setting("to") not in (1, 10, 11, 16):
        raise Outside("values of the network become other than floats")
    return identity(call)


@makes("Dropout")
def dropout(call: Call) -> Made:
    """Nothing at inference; the rate is kept for training."""
    training = call.optional(2)
    if training is not None and training.any():
        raise Outside("it is in training mode; export the model in evaluation mode")
    ratio = call.optional(1) if call.version >= 12 else call.setting("ratio", 0.5)
    rate = 0.5 if ratio is None else float(np.asarray(ratio).reshape(()))
    if not 0 < rate < 1 or isinstance(call.value(0), Score):
        return identity(call)
    return call.sketch.on(call.view(0), Dropout(rate))


@makes("Transpose")
def transpose(call: Call) -> Made:
    """Axes in another order, by default from the last to the first."""
    order = call.setting("perm")
    return call.moved(lambda view: transposed(view, order or range(view.rank)[::-1]))


@makes("Reshape")
def reshape(call: Call) -> Made:
    """To sizes of which 0 means the one that is there, and -1 what is left."""
    given = [int(n) for n in call.constant(1).ravel()]
    copied = not call.setting("allowzero", 0)

    def function(view: View) -> View:
        sizes = _copied(view, given) if copied else given
        return _reshaped(call.sketch, view, whole_sizes(call.sketch, view, sizes))

    return call.moved(function)


def _reshaped(sketch: Sketch, view: View, sizes: Sequence[int]) -> View:
    """As it is if that can be, else with the positions put together first."""
    try:
        return reshaped(view, sizes)
    except Outside:
        view = cut_alike(view)
        return reshaped(arranged(sketch, view, channel_axis(view)), sizes)


def _copied(view: View, sizes: list[int]) -> list[int]:
    """Sizes with those of the view where they are 0."""
    if any(n == 0 and i >= view.rank for i, n in enumerate(sizes)):
        raise Outside(f"shape {sizes} takes over an axis that is not there")
    return [view.sizes[i] if n == 0 else n for i, n in enumerate(sizes)]


@makes("Flatten")
def flatten(call: Call) -> Made:
    """Two axes, the second from `axis` on."""
    view = call.view(0)
    axis = int(call.setting("axis", 1))
    axis = axis if axis >= 0 else axis + view.rank
    return reshaped(view, (prod(view.sizes[:axis]), prod(view.sizes[axis:])))


@makes("Squeeze")
def squeeze(call: Call) -> Made:
    """Without axes of size 1."""
    axes = call.numbers("axes", 1)
    return call.moved(lambda view: _squeezed(view, axes))


def _squeezed(view: View, axes: list[int] | None) -> View:
    gone = (
        {i for i, n in enumerate(view.sizes) if n == 1}
        if axes is None
        else {view.axis(axis) for axis in axes}
    )
    if any(view.sizes[i] != 1 for i in gone):
        raise Outside(f"axes {sorted(gone)} of {view.sizes} are not all of size 1")
    return attrs.evolve(view, axes=tuple(a for i, a in enumerate(view.axes) if i not in gone))


@makes("Unsqueeze")
def unsqueeze(call: Call) -> Made:
    """With more axes of size 1."""
    axes = call.numbers("axes", 1) or []
    return call.moved(lambda view: _unsqueezed(view, axes))


def _unsqueezed(view: View, axes: list[int]) -> View:
    rank = view.rank + len(axes)
    if any(not -rank <= axis < rank for axis in axes) or rank > 16:
        raise Outside(f"axes {axes} do not fit {view.rank} axes")
    new = {axis % rank for axis in axes}
    old = iter(view.axes)
    return attrs.evolve(view, axes=tuple(() if i in new else next(old) for i in range(rank)))


@makes("Expand")
def expand(call: Call) -> Made:
    """Nothing, where all is as large already."""
    view = call.view(0)
    sizes = [int(n) for n in call.constant(1).ravel()]
    own = (1,) * (len(sizes) - view.rank) + view.sizes
    if any(
        n not in (1, m, _batch(call.sketch, m))
        for n, m in zip(sizes[::-1], own[::-1], strict=False)
    ):
        raise Outside(f"{view.sizes} is spread to {tuple(sizes)}")
    more = max(len(sizes) - view.rank, 0)
    if any(n != 1 for n in sizes[:more]):
        raise Outside(f"{view.sizes} is spread to {tuple(sizes)}")
    return attrs.evolve(view, axes=((),) * more + view.axes)


def _batch(sketch: Sketch, size: int) -> int | None:
    """What a file that was made for so many samples says instead of the batch."""
    return sketch.fixed if size == sketch.batch else None


@makes("Split")
def split(call: Call) -> Made:
    """Parts of the sizes given, or equal ones."""
    view = call.view(0)
    axis = view.axis(int(call.setting("axis", 0)))
    size, count = view.sizes[axis], len(call.node.outputs)
    parts = call.numbers("split", 1)
    if parts is None:
        part = -(-size // count)
        parts = [min(part, size - i * part) for i in range(count)]
    if sum(parts) != size or len(parts) != count or min(parts) < 1:
        raise Outside(f"{size} values are not {count} parts of {parts}")
    starts = np.cumsum([0, *parts])
    return tuple(picked(call.sketch, view, axis, np.arange(a, b)) for a, b in pairwise(starts))


@makes("SplitToSequence")
def split_to_sequence(call: Call) -> Made:
    """Parts of the sizes given, which are kept."""
    view = call.view(0)
    axis, sizes = view.axis(int(call.setting("axis", 0))), call.constant(1).ravel()
    if call.constant(1).ndim == 0:
        size = max(int(sizes[0]), 1)
        sizes = np.diff(np.append(np.arange(0, view.sizes[axis], size), view.sizes[axis]))
    if sizes.sum() != view.sizes[axis] or sizes.min() < 1:
        raise Outside(f"{view.sizes[axis]} values are not parts of {sizes.tolist()}")
    starts = np.cumsum([0, *sizes])
    return Listed(
        tuple(picked(call.sketch, view, axis, np.arange(a, b)) for a, b in pairwise(starts))
    )


@makes("SequenceAt")
def sequence_at(call: Call) -> Made:
    """One of the parts."""
    held = call.value(0)
    if not isinstance(held, Listed):
        raise Outside("it reads what is no sequence of parts")
    return held.parts[int(call.constant(1).reshape(()))]


@makes("Slice")
def slices(call: Call) -> Made:
    """From starts to ends by steps, which are attributes or inputs."""
    view = call.view(0)
    starts, ends = call.numbers("starts", 1), call.numbers("ends", 2)
    if starts is None or ends is None:
        raise Outside("it has no starts or no ends")
    axes = call.numbers("axes", 3)
    axes = list(range(len(starts))) if axes is None else axes
    steps = call.numbers("steps", 4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Outside("starts, ends, axes and steps do not fit each other")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = view.axis(axis)
        size = view.sizes[axis]
        bounds = slice(start, None if step < 0 and end < -size else end, step)
        view = picked(call.sketch, view, axis, np.arange(size)[bounds])
    return view


@makes("Gather")
def gather(call: Call) -> Made:
    """Constant indices take parts; indices that depend on the input take rows of a table."""
    if call.is_constant(0):
        from nas_surgery.formats.onnx.importer.operators.tokens import embedding

        return embedding(call)
    view = call.view(0)
    axis, index = view.axis(int(call.setting("axis", 0))), call.constant(1)
    if index.dtype.kind not in "iu":
        raise Outside(f"indices of {index.dtype}")
    size = view.sizes[axis]
    places = index.reshape(-1).astype(np.int64)
    if places.size == 0 or places.min() < -size or places.max() >= size:
        raise Outside(f"indices {places[:4].tolist()} are not those of {size} values")
    result = picked(call.sketch, view, axis, np.where(places < 0, places + size, places))
    if index.ndim == 1:
        return result
    if index.ndim:
        sizes = (*view.sizes[:axis], *index.shape, *view.sizes[axis + 1 :])
        return _reshaped(call.sketch, result, sizes)
    return attrs.evolve(result, axes=(*result.axes[:axis], *result.axes[axis + 1 :]))


def whole_sizes(sketch: Sketch, view: View, sizes: Sequence[int]) -> list[int]:
    """Sizes without -1, and with the batch in them, also where the file was made for a fixed one."""
    total, sizes = prod(view.sizes), list(sizes)
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1 or 0 in sizes:
        raise Outside(f"{sizes} is no shape")
    symbolic = sketch.fixed is None or any(n % sketch.batch == 0 for n in sizes)
    if not symbolic:
        assert sketch.fixed is not None
        total = total // sketch.batch * sketch.fixed
    rest = prod(n for n in sizes if n != -1)
    found = [total // rest if n == -1 else n for n in sizes]
    if prod(found) != total:
        raise Outside(f"{total} values, {view.sizes}, do not fill {sizes}")
    return found if symbolic else _rebatched(sketch, view, found)


def _rebatched(sketch: Sketch, view: View, sizes: list[int]) -> list[int]:
    """Sizes that were meant for a fixed batch, for any."""
    before, now, fixed = _before_batch(view), 1, sketch.fixed
    assert fixed is not None
    for i, size in enumerate(sizes):
        if now == before and size % fixed == 0:
            if size > fixed == 1 and 0 < i == len(sizes) - 1:
                i, size = (
                    i - 1,
                    sizes[i - 1],
                )  # one sample goes with positions sooner than with channels
            return [*sizes[:i], size // fixed * sketch.batch, *sizes[i + 1 :]]
        now *= size
    raise Outside(f"the batch of {fixed} is not to be found in {sizes}")


def _before_batch(view: View) -> int:
    """How many values there are outside of the batch."""
    count = 1
    for factor in (factor for axis in view.axes for factor in axis):
        if factor.axis == 0:
            return count
        count *= factor.size
    return count
