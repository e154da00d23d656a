"""Surgery by hand: operations as text, applied one after the other."""

from collections.abc import Sequence
from typing import Any

from nas_surgery.data import load_dataset
from nas_surgery.errors import OperationError
from nas_surgery.lookup import operation
from nas_surgery.network import Network
from nas_surgery.operations import Context, Operation
from nas_surgery.plugins import default_registry
from nas_surgery.spec import parse_value

PROBE_SAMPLES = 1024


def operate_on(
    network: Network, texts: Sequence[str], source: str | None = None, seed: int = 0
) -> tuple[Network, list[str]]:
    """The edited network, and a line for each operation on what it promises.

    texts: such as "remove_neurons:layer=1,keep=100". source: data source of the probe batch.
    """
    probe = None
    if source is not None:
        dataset = load_dataset(source, default_registry().all("datasets"))
        probe = dataset.x[:PROBE_SAMPLES]
    lines = []
    for key, made in enumerate([parse_operation(text) for text in texts]):
        surgery = made.apply(network, Context(seed, (key,), probe))
        network = surgery.network
        lines.append(
            f"{made.describe()}: {surgery.promise.exactness.value}, {surgery.promise.reason}"
        )
    return network, lines


def parse_operation(text: str) -> Operation:
    """An operation from `NAME:KEY=VALUE,KEY=VALUE` or `NAME(KEY=VALUE, …)`, as `inspect` prints it.

    OperationError where it is neither.
    """
    name, _, rest = text.rstrip(")").replace("(", ":", 1).partition(":")
    fields: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, separator, value = item.partition("=")
        if not separator:
            raise OperationError(f"{name}: {item!r} should be KEY=VALUE")
        fields[key.strip()] = parse_value(value)
    return operation(name.strip(), **fields)
