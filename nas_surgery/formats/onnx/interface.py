"""How a file that was imported meets the world: names, layouts, batch and head, which its network does not hold."""

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Array, ModelFileError, Network, Shape

Sizes = tuple[int | str | None, ...]


def _whole(values: Any) -> tuple[int, ...]:
    return tuple(values)


def _texts(values: Any) -> tuple[Any, ...]:
    return tuple(values)


def _sizes(value: Any) -> Sizes | None:
    return None if value is None else tuple(value)


@attrs.frozen
class Port:
    """An input or output of a file: its name, its number among ONNX's element types, its sizes."""

    name: str
    kind: int
    sizes: Sizes | None = attrs.field(converter=_sizes)


@attrs.frozen
class HeadNode:
    """An operator behind the logits, in the opset of exports."""

    operator: str
    domain: str
    inputs: tuple[str, ...] = attrs.field(converter=_texts)
    outputs: tuple[str, ...] = attrs.field(converter=_texts)
    attributes: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen
class HeadConstant:
    """A constant that such an operator reads. kind: its number among ONNX's element types."""

    name: str
    kind: int
    sizes: tuple[int, ...] = attrs.field(converter=_whole)
    values: tuple[Any, ...] = attrs.field(converter=_texts)


def _ports(values: Any) -> tuple[Port, ...]:
    return tuple(value if isinstance(value, Port) else Port(**value) for value in values)


def _nodes(values: Any) -> tuple[HeadNode, ...]:
    return tuple(value if isinstance(value, HeadNode) else HeadNode(**value) for value in values)


def _constants(values: Any) -> tuple[HeadConstant, ...]:
    return tuple(v if isinstance(v, HeadConstant) else HeadConstant(**v) for v in values)


@attrs.frozen
class Interface:
    """What `export_like` needs to give a network the face of the file that it came from.

    layout: for each axis of the network's input the file's axis, counted without the batch, or -1 for an axis
    of one channel that the file does not have. The network's outputs become the file's tensor `logits` when
    they are reshaped to `split`, transposed to `order` and reshaped to `sizes`, all without the batch. head: the operators behind that tensor, with their constants. metadata: what the file says of itself.
    """

    inputs: tuple[Port, ...] = attrs.field(converter=_ports)
    layout: tuple[int, ...] = attrs.field(converter=_whole)
    outputs: tuple[Port, ...] = attrs.field(converter=_ports)
    logits: str
    split: Shape = attrs.field(converter=_whole)
    order: tuple[int, ...] = attrs.field(converter=_whole)
    sizes: Shape = attrs.field(converter=_whole)
    head: tuple[HeadNode, ...] = attrs.field(converter=_nodes, default=())
    constants: tuple[HeadConstant, ...] = attrs.field(converter=_constants, default=())
    metadata: Mapping[str, str] = attrs.Factory(dict)

    @property
    def input(self) -> Port:
        """The one input."""
        return self.inputs[0]

    @property
    def head_operators(self) -> tuple[str, ...]:
        """What was taken off, such as ("Softmax",)."""
        return tuple(node.operator for node in self.head)

    def arrange(self, x: ArrayLike) -> Array:
        """Samples (N, ...) as the file takes them, as its network does: channels last."""
        values = np.asarray(x)
        moved = values.transpose(0, *(axis + 1 for axis in self.layout if axis >= 0))
        return moved[..., None] if -1 in self.layout else moved

    def restore(self, outputs: ArrayLike) -> Array:
        """Outputs (N, ...) of the network as the file's tensor `logits`."""
        values = np.asarray(outputs)
        split = values.reshape(len(values), *self.split)
        return split.transpose(0, *(i + 1 for i in self.order)).reshape(len(values), *self.sizes)

    @property
    def sample(self) -> Shape:
        """The sizes of one sample of the input, in the file's order."""
        return tuple(size for size in (self.input.sizes or ())[1:] if isinstance(size, int))

    def to_json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, text: str) -> "Interface":
        """The inverse of `to_json`, from its text; ModelFileError for anything else."""
        try:
            return cls(**strict_json(text))
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the interface is damaged: {error}") from None

    def describe(self) -> str:
        """Such as "input 'image' (N, 3, 224, 224), channels on axis 1; Softmax taken off"."""
        sizes = ", ".join(map(str, ("N", *self.sample)))
        axis = self.layout[-1] + 1 if self.layout[-1] >= 0 else None
        channels = f"channels on axis {axis}" if axis else "one channel"
        head = f"; {', '.join(self.head_operators)} taken off" if self.head else ""
        return f"input {self.input.name!r} ({sizes}), {channels}{head}"


@attrs.frozen(eq=False)
class Imported:
    """A network, and the interface of the file that it was read from; None of a file of nas-surgery's own."""

    network: Network
    interface: Interface | None
