"""From the bytes of a file to a network and its interface, or to every reason why there is none."""

from collections.abc import Sequence
from math import prod

from nas_surgery.formats.onnx.importer.ending import Ending, ended
from nas_surgery.formats.onnx.importer.heads import Cut, cut, kept
from nas_surgery.formats.onnx.importer.layouts import Layout, layouts, sample_shape, view_of
from nas_surgery.formats.onnx.importer.nodes import Graph
from nas_surgery.formats.onnx.importer.outside import Outside, Reason
from nas_surgery.formats.onnx.importer.parsing import parse
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Unknown, as_view
from nas_surgery.formats.onnx.importer.walking import Walk
from nas_surgery.formats.onnx.interface import Imported, Interface, Port
from nas_surgery.network import NetworkError, Shape

DOUBLE = 11
KINDS = {1: "float", 6: "int32", 7: "int64", 10: "float16", 11: "double", 16: "bfloat16"}
BATCHES = (7919, 7907, 7901, 7883, 7879, 7877, 7873, 7867)  # primes that stand for the batch
MAX_INPUT = 2**28  # numbers of one sample


class Refused(Exception):  # noqa: N818 (an answer, not an error)
    """Why a file is not imported."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__(str(reasons[0]))
        self.reasons = tuple(reasons)


def imported(content: bytes) -> Imported:
    """The network of a file with its interface; Refused with all reasons for any that cannot be held."""
    try:
        graph = parse(content)
        port = _only_input(graph)
        end = cut(graph)
        if end is None:
            raise Outside("its outputs are not made of one tensor")
    except Outside as outside:
        raise Refused([Reason(str(outside))]) from None
    tries = [_try(graph, port, end, layout) for layout in layouts(len(port.sizes or ()) - 1)]
    found = [result for result in tries if isinstance(result, Imported)]
    if found:
        return min(found, key=lambda held: len(held.network.layers))
    refusals = [result for result in tries if isinstance(result, list)]
    raise Refused(max(refusals, key=lambda reasons: reasons[0].place))  # that came farthest


def _only_input(graph: Graph) -> Port:
    """The one input, of known sizes but for the batch."""
    if len(graph.inputs) != 1:
        names = ", ".join(repr(port.name) for port in graph.inputs[:8])
        raise Outside(f"it has {len(graph.inputs)} inputs ({names}); a network has one")
    (port,) = graph.inputs
    if port.kind not in KINDS:
        raise Outside(f"input {port.name!r} holds no numbers that a network takes")
    if port.sizes is None or len(port.sizes) < 2:
        raise Outside(f"input {port.name!r} has no axes beside the batch")
    for axis, size in enumerate(port.sizes[1:], 1):
        if not isinstance(size, int) or size < 1:
            raise Outside(
                f"input {port.name!r} has no fixed size along axis {axis}; export the model with one"
            )
    if prod(_sample(port)) > MAX_INPUT:
        raise Outside(f"input {port.name!r} of {prod(_sample(port)):,} numbers is too large")
    return port


def _sample(port: Port) -> Shape:
    """The sizes of one sample."""
    assert port.sizes is not None
    return tuple(size for size in port.sizes[1:] if isinstance(size, int))


def _try(graph: Graph, port: Port, end: Cut, layout: Layout) -> Imported | list[Reason]:
    """The file read with channels where a layout has them, or why that cannot be."""
    assert port.sizes is not None
    batch, fixed, sizes = _batch(graph), port.sizes[0], _sample(port)
    sketch = Sketch(
        batch, fixed if isinstance(fixed, int) and fixed > 0 else None, sample_shape(sizes, layout)
    )
    walk = Walk(sketch, {**graph.constants, port.name: view_of(batch, sizes, layout)})
    walk.through(graph, end.body)
    value = walk.values.get(end.logits)
    if walk.reasons:
        return walk.reasons
    try:
        if value is None or isinstance(value, Unknown):
            raise Outside("its output is made by no node")
        network, ending = ended(sketch, as_view(sketch, value, "its output"), port.kind == DOUBLE)
        return Imported(network, _interface(graph, port, end, layout, ending))
    except (Outside, NetworkError) as error:
        return [_at_output(end, error)]


def _at_output(end: Cut, error: Exception) -> Reason:
    last = next((node for node in reversed(end.body) if end.logits in node.outputs), None)
    place = len(end.body)
    return Reason(str(error), last.name, last.operator, place) if last else Reason(str(error))


def _batch(graph: Graph) -> int:
    """A number that no size in the file is a multiple of."""
    sizes = {n for array in graph.constants.values() for n in array.shape}
    sizes |= {n for port in graph.inputs for n in port.sizes or () if isinstance(n, int)}
    return next((p for p in BATCHES if not any(n and n % p == 0 for n in sizes)), BATCHES[0])


def _interface(graph: Graph, port: Port, end: Cut, layout: Layout, ending: Ending) -> Interface:
    head, constants = kept(graph, end, len(ending.sizes) + 1)
    return Interface(
        inputs=(port,),
        layout=layout,
        outputs=graph.outputs,
        logits=end.logits,
        split=ending.split,
        order=ending.order,
        sizes=ending.sizes,
        head=head,
        constants=constants,
        metadata=graph.metadata,
    )
