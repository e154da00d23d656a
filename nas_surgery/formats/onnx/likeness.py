"""Export of a network with the face of the file that it came from: names, layout, head and metadata."""

from math import prod
from typing import Any

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.export import IR_VERSION, LARGEST, OPSET
from nas_surgery.formats.onnx.graph import Graph, Tensor, element_type
from nas_surgery.formats.onnx.interface import HeadConstant, Interface, Port
from nas_surgery.formats.onnx.layers import write_layer
from nas_surgery.formats.safetensors import named_arrays
from nas_surgery.network import Array, Network
from nas_surgery.network.wires import walk

HALVES = (10, 16)  # float16 and bfloat16, which networks compute in float32
ML_OPSET = 3
BATCH = "N"
_ENTRY = "the input"  # until all names are known; none that a graph makes has a blank


def export_like(network: Network, interface: Interface) -> bytes:
    """An ONNX model that takes the place of the file that `import_onnx` read: what it takes and gives has the
    names, the layout and the kinds of that file, and its head is behind the logits. Any batch fits.

    The network is the one that was read, or what became of it. Raises ModelFileError if its inputs or outputs
    are not those of the interface, or for more weights than a file holds.
    """
    from onnx import helper, numpy_helper

    _check(network, interface)
    graph = Graph(network)
    first = _entered(graph, interface, network)
    last = _written(graph, network, first)
    ending = interface.logits if interface.head else interface.outputs[0].name
    graph.nodes.append(helper.make_node("Identity", [_left(graph, interface, last)], [ending]))
    arrays = _renamed(graph, interface, ending)
    nodes = [*graph.nodes, *(_head_node(node) for node in interface.head)]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            [_port(interface.input)],
            [_output(port, interface) for port in interface.outputs],
            [
                *(numpy_helper.from_array(array, name) for name, array in arrays.items()),
                *(_constant(each) for each in interface.constants),
            ],
        ),
        opset_imports=_opsets(interface),
        ir_version=IR_VERSION,
        producer_name="nas-surgery",
    )
    helper.set_model_props(model, dict(interface.metadata))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _check(network: Network, interface: Interface) -> None:
    sizes = interface.input.sizes or ()
    shape = tuple(1 if axis < 0 else sizes[axis + 1] for axis in interface.layout)
    if network.input_shape != shape:
        raise ModelFileError(f"the file takes inputs of {shape}, the network {network.input_shape}")
    outputs, found = prod(interface.sizes), prod(network.output_shape)
    if outputs != found:
        raise ModelFileError(f"the file gives {outputs} outputs, the network {found}")
    if sum(array.nbytes for array in named_arrays(network).values()) > LARGEST:
        raise ModelFileError(f"an ONNX file holds {LARGEST:,} bytes of weights at most")


def _entered(graph: Graph, interface: Interface, network: Network) -> Tensor:
    """The file's input as the network's."""
    name, layout, shape = _ENTRY, interface.layout, network.input_shape
    graph.at(0, shape)
    if interface.input.kind != element_type(network.dtype):
        name = graph.node("Cast", name, name="input", to=element_type(network.dtype))
    if layout == (*range(1, len(layout)), 0) and len(layout) > 1:
        return Tensor(name, shape, first=True)
    old = [axis for axis in layout if axis >= 0]
    if old != sorted(old):
        name = graph.node("Transpose", name, name="layout", perm=[0, *(axis + 1 for axis in old)])
    if len(old) < len(layout):
        name = graph.node("Unsqueeze", name, graph.whole(len(layout)), name="channel")
    return Tensor(name, shape)


def _written(graph: Graph, network: Network, first: Tensor) -> Tensor:
    def write(address: int, *inputs: Tensor) -> Tensor:
        graph.at(address, network.shapes[address + 1])
        return write_layer(graph, network.layers[address], inputs)

    return walk(network.sources, first, write)


def _left(graph: Graph, interface: Interface, last: Tensor) -> str:
    """The network's outputs as the file's logits."""
    wanted = interface.sizes
    if len(wanted) > 1 and wanted == (last.shape[-1], *last.shape[:-1]) and _is_first(interface):
        return _halved(graph, interface, graph.first(last))
    name = graph.last(last)
    if list(interface.order) != sorted(interface.order):
        name = graph.node("Reshape", name, graph.whole(-1, *interface.split), name="split")
        order = [0, *(place + 1 for place in interface.order)]
        name = graph.node("Transpose", name, name="order", perm=order)
    if interface.sizes != last.shape or list(interface.order) != sorted(interface.order):
        name = graph.node("Reshape", name, graph.whole(-1, *interface.sizes), name="sizes")
    return _halved(graph, interface, name)


def _is_first(interface: Interface) -> bool:
    """Whether the file's logits have the channels first, and all else as the network has it."""
    sizes, count = interface.sizes, len(interface.order)
    order = (count - 1, *range(count - 1))
    return interface.order == order and interface.split == tuple(
        n for n in (*sizes[1:], sizes[0]) if n > 1
    )


def _halved(graph: Graph, interface: Interface, name: str) -> str:
    if interface.input.kind in HALVES:
        name = graph.node("Cast", name, name="half", to=interface.input.kind)
    return name


def _renamed(graph: Graph, interface: Interface, ending: str) -> dict[str, Array]:
    """Let no name of ours be one of the file's; the arrays by the names that they have now."""
    taken = {port.name for port in (interface.input, *interface.outputs)} | {ending}
    taken |= {name for node in interface.head for name in (*node.inputs, *node.outputs)}
    ours = {name for node in graph.nodes[:-1] for name in node.output} | set(graph.arrays)
    new = {name: _free(name, taken | ours) for name in sorted(ours & taken)}
    new[_ENTRY] = interface.input.name
    for node in graph.nodes:
        node.input[:] = [new.get(name, name) for name in node.input]
    for node in graph.nodes[:-1]:
        node.output[:] = [new.get(name, name) for name in node.output]
    return {new.get(name, name): array for name, array in graph.arrays.items()}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"network.{name}"
    return name


def _opsets(interface: Interface) -> list[Any]:
    from onnx import helper

    domains = {node.domain for node in interface.head} - {""}
    return [
        helper.make_opsetid("", OPSET),
        *(helper.make_opsetid(domain, ML_OPSET) for domain in sorted(domains)),
    ]


def _head_node(node: Any) -> Any:
    from onnx import helper

    return helper.make_node(
        node.operator, node.inputs, node.outputs, domain=node.domain, **node.attributes
    )


def _constant(held: HeadConstant) -> Any:
    from onnx import helper

    values: Any = [v.encode() if isinstance(v, str) else v for v in held.values]
    return helper.make_tensor(held.name, held.kind, held.sizes, values)


def _port(port: Port) -> Any:
    from onnx import helper

    sizes = [BATCH, *(port.sizes or ())[1:]]
    return helper.make_tensor_value_info(port.name, port.kind, sizes)


def _output(port: Port, interface: Interface) -> Any:
    """The declaration of an output; of maps by class where a ZipMap makes it."""
    from onnx import helper

    maker = next((node for node in interface.head if port.name in node.outputs), None)
    if maker is None or maker.operator != "ZipMap":
        sizes = None if port.sizes is None else [BATCH, *port.sizes[1:]]
        return helper.make_tensor_value_info(port.name, port.kind, sizes)
    key = 8 if "classlabels_strings" in maker.attributes else 7
    values = helper.make_tensor_type_proto(1, [])
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, values))
    return helper.make_value_info(port.name, kind)
