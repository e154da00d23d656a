"""Networks as torch's own modules."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import fx, nn

from nas_surgery.network import Layer, Network, Shape
from nas_surgery.network.wires import INPUT
from nas_surgery_torch.layout import order, torch_dtype
from nas_surgery_torch.native import elementwise, linear, norms, pools, positions, recurrent
from nas_surgery_torch.native.lies import (
    Lie,
    behind,
    flattened,
    passes_order,
    reorder,
    reordered,
    turn,
)
from nas_surgery_torch.native.tracing import traced
from nas_surgery_torch.operators import Place, operator

FIRST, LAST, EITHER = True, False, None

Build = Callable[[Any, Shape], nn.Module | None]

PLAIN: dict[str, tuple[bool | None, Build]] = {
    "activation": (EITHER, elementwise.activation),
    "average_pool": (FIRST, pools.average_pool),
    "batch_norm": (FIRST, norms.batch_norm),
    "conv": (FIRST, linear.convolution),
    "conv_transpose": (FIRST, linear.transposed),
    "dense": (LAST, linear.linear),
    "dropout": (EITHER, elementwise.dropout),
    "embedding": (LAST, linear.embedding),
    "flatten": (EITHER, elementwise.flatten),
    "global_average_pool": (FIRST, pools.global_average_pool),
    "global_max_pool": (FIRST, pools.global_max_pool),
    "group_norm": (FIRST, norms.group_norm),
    "gru": (LAST, recurrent.gru),
    "instance_norm": (FIRST, norms.instance_norm),
    "layer_norm": (LAST, norms.layer_norm),
    "lstm": (LAST, recurrent.lstm),
    "max_pool": (FIRST, pools.max_pool),
    "pad": (FIRST, positions.pad),
    "prelu": (FIRST, elementwise.prelu),
    "rms_norm": (LAST, norms.rms_norm),
    "softmax": (LAST, norms.softmax),
}
"""By kind of layer: whether the module wants channels first, and what makes it, or None where torch has none.

Such layers, and those of other kinds, are traced.
"""

KEEPS_LAST = {"attend", "depth_to_space", "flatten", "rearrange", "space_to_depth", "token"}
"""Layers that are not PLAIN and at home where channels come last."""


@attrs.frozen
class Built:
    """A module, by the names of what it reads."""

    name: str
    module: nn.Module
    sources: tuple[str, ...]


class Builder:
    """Modules for the layers of a network, one after the other, with what they need between them."""

    def __init__(
        self, network: Network, first: bool | None = None, names: Mapping[int, str] | None = None
    ) -> None:
        self.network, self._names = network, names or {}
        self.built: list[Built] = []
        first = wants_first(network) if first is None else first
        self._found: dict[int, tuple[str, Lie]] = {INPUT: ("x", Lie(first=first))}
        for address in range(len(network.layers)):
            self._found[address] = self._layer(address)
        last = len(network.layers) - 1
        self.output = self._straight(*self._found[last])

    def _layer(self, address: int) -> tuple[str, Lie]:
        layer, shapes = self.network.layers[address], self.network.shapes_before(address)
        sources = [self._found[source] for source in self.network.sources[address]]
        name, lie = sources[0]
        if layer.kind == "flatten":
            return self._add(self._name(address), nn.Flatten(), name), flattened(shapes[0], lie)
        if lie.order is not None and passes_order(layer, shapes[0]):
            native = reordered(layer, lie.order.argsort())
            return self._made(address, native, [(name, Lie())])[0], behind(layer, lie)
        straight = [(self._straight(name, lie), Lie(lie.first)) for name, lie in sources]
        return self._made(address, layer, straight)

    def _made(
        self, address: int, layer: Layer, sources: Sequence[tuple[str, Lie]]
    ) -> tuple[str, Lie]:
        """The module of a layer behind sources whose channels are in order."""
        shapes = self.network.shapes_before(address)
        dtype = torch_dtype(self.network.dtype)
        module, first = module_of(layer, shapes, sources[0][1].first, dtype)
        names = [
            name
            if lie.first == first or len(shape) == 1
            else self._add(_plain(f"{name}_turned"), turn(first), name)
            for (name, lie), shape in zip(sources, shapes, strict=True)
        ]
        made = self._add(self._name(address), module, *names)
        return made, Lie(first and len(self.network.shapes[address + 1]) > 1)

    def _straight(self, name: str, lie: Lie) -> str:
        """The name of the same with channels in the order of the IR."""
        return (
            name
            if lie.order is None
            else self._add(_plain(f"{name}_ordered"), reorder(lie.order), name)
        )

    def append(self, name: str, module: nn.Module) -> None:
        """Let a module of no layer follow."""
        self.output = self._add(name, module, self.output)

    def _name(self, address: int) -> str:
        return self._names.get(address, f"layer{address}")

    def _add(self, name: str, module: nn.Module, *sources: str) -> str:
        names = {each.name for each in self.built}
        while name in names:
            name += "_"
        self.built.append(Built(name, module, sources))
        return name


def _plain(name: str) -> str:
    """A name that stands in no other module."""
    return name.replace(".", "_")


def wants_first(network: Network) -> bool:
    """Whether a model takes samples with channels first: where the first layer that cares does."""
    sides = (_side(layer.kind) for layer in network.layers)
    return len(network.input_shape) > 1 and next((s for s in sides if s is not EITHER), LAST)


def _side(kind: str) -> bool | None:
    if kind in KEEPS_LAST:
        return LAST
    return PLAIN[kind][0] if kind in PLAIN else EITHER


def module_of(
    layer: Any, shapes: tuple[Shape, ...], first: bool, dtype: torch.dtype
) -> tuple[nn.Module, bool]:
    """The module of a layer whose first source lies like that, and how it wants its sources."""
    if layer.kind == "normalize":
        return elementwise.normalize(layer, shapes[0], first), first
    wanted, build = PLAIN.get(layer.kind, (EITHER, lambda layer, shape: None))
    module = build(layer, shapes[0])
    if module is not None:
        return module, first if wanted is EITHER else wanted
    return _traced(layer, Place(shapes, first), dtype)


def _traced(layer: Layer, place: Place, dtype: torch.dtype) -> tuple[nn.Module, bool]:
    made = operator(layer, place)
    arrays = {
        field: torch.tensor(array).permute(order(layer, field)).contiguous()
        for field, array in layer.arrays().items()
    }
    constants = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in made.constants.items()
    }
    name, count = type(layer).__name__, len(place.shapes)
    return traced(name, made.run, {**arrays, **constants}, count, layer.trainable), made.first


def to_native(
    network: Network,
    first: bool | None = None,
    names: Mapping[int, str] | None = None,
    behind: Sequence[nn.Module] = (),
) -> nn.Module:
    """The network as modules in evaluation mode: as it stands it computes `Network.forward`.

    A chain is an nn.Sequential, all else an fx.GraphModule. Samples are (N, channels, *positions) where
    `wants_first`, or as `first` says, else as in the IR. names: of modules by address, with dots where
    they stand in others; then it is an fx.GraphModule in any case. behind: what follows in the end.
    """
    builder = Builder(network, first, names)
    for i, module in enumerate(behind):
        builder.append(f"head{i}", module)
    model = _graph(builder) if network.wires or names else _sequence(builder.built)
    return model.eval()


def _sequence(built: Sequence[Built]) -> nn.Sequential:
    modules = [each.module for each in built]
    flat = [inner for m in modules for inner in (m if type(m) is nn.Sequential else [m])]
    return nn.Sequential(*flat)


def _put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Let a module stand where a path with dots says."""
    *outer, name = path.split(".")
    for part in outer:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(name, module)


def _graph(builder: Builder) -> fx.GraphModule:
    root, graph = nn.Module(), fx.Graph()
    nodes = {"x": graph.placeholder("x")}
    for each in builder.built:
        _put(root, each.name, each.module)
        arguments = tuple(nodes[source] for source in each.sources)
        nodes[each.name] = graph.call_module(each.name, arguments)
    graph.output(nodes[builder.output])
    return fx.GraphModule(root, graph, "Network")
