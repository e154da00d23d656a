"""How a file that was imported meets the world: names, layouts, batch and head, which its network does not hold."""

from collections.abc import Mapping
from typing import Any

import attrs

from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import ModelFileError, Network, Shape

Sizes = tuple[int | str | None, ...]


def _sizes(value: Any) -> Sizes:
    return tuple(value)


@attrs.frozen
class Port:
    """An input or output of a file: its name, its number among ONNX's element types, its sizes."""

    name: str
    kind: int
    sizes: Sizes | None = attrs.field(converter=attrs.converters.optional(_sizes))


def _port(value: Any) -> Port:
    return value if isinstance(value, Port) else Port(**value)


def _ports(value: Any) -> tuple[Port, ...]:
    return tuple(_port(item) for item in value)


def _whole(value: Any) -> tuple[int, ...]:
    return tuple(value)


@attrs.frozen
class Interface:
    """What `export_like` needs to give a network the face of the file that it came from.

    layout: for each axis of the network's input the file's axis, counted without the batch, or -1 for an axis
    of one channel that the file does not have. The network's outputs, a vector, become the file's tensor
    `logits` when they are reshaped to `split`, transposed to `order` and reshaped to `sizes`, all without the
    batch. head: the nodes behind that tensor, as an ONNX graph in base64. opsets: versions by domain.
    """

    input: Port = attrs.field(converter=_port)
    layout: tuple[int, ...] = attrs.field(converter=_whole)
    outputs: tuple[Port, ...] = attrs.field(converter=_ports)
    logits: str
    split: Shape = attrs.field(converter=_whole)
    order: tuple[int, ...] = attrs.field(converter=_whole)
    sizes: Shape = attrs.field(converter=_whole)
    head: str = ""
    opsets: Mapping[str, int] = attrs.Factory(dict)
    metadata: Mapping[str, str] = attrs.Factory(dict)

    def to_json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, text: str) -> "Interface":
        """The inverse of `to_json`, from its text; ModelFileError for anything else."""
        try:
            return cls(**strict_json(text))
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the interface is damaged: {error}") from None


@attrs.frozen(eq=False)
class Imported:
    """A network, and the interface of the file that it was read from."""

    network: Network
    interface: Interface
