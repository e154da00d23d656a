"""Which axis of an input holds channels; a file does not say, so what its nodes need decides."""

from collections.abc import Iterator

from nas_surgery.formats.onnx.importer.views import Factors, View, whole
from nas_surgery.network import Shape
from nas_surgery.network.wires import INPUT

NEW = -1  # an axis of one channel that the file's input does not have
Layout = tuple[
    int, ...
]  # of the network's axes: where the file has them, counted without the batch


def layouts(rank: int) -> Iterator[Layout]:
    """What the axes of an input (batch, *rank axes) may be, the likeliest first; channels are last."""
    axes = tuple(range(rank))
    if rank >= 2:
        yield (*axes[1:], axes[0])
    yield axes
    yield (*axes, NEW)


def sample_shape(sizes: Shape, layout: Layout) -> Shape:
    """The shape of one sample, channels last, of a file's input without its batch."""
    return tuple(1 if axis == NEW else sizes[axis] for axis in layout)


def view_of(batch: int, sizes: Shape, layout: Layout) -> View:
    """The file's input as a view of the network's."""
    shape = (batch, *sample_shape(sizes, layout))
    axes: list[Factors] = [whole(layout.index(i) + 1, n) for i, n in enumerate(sizes)]
    return View(INPUT, shape, (whole(0, batch), *axes))
