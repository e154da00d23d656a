"""Surgery by hand: operations as text, applied one after the other."""

from collections.abc import Sequence
from typing import Any

import attrs

from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.splits import SplitPlan, split
from nas_surgery.errors import DataError, OperationError
from nas_surgery.network import Network
from nas_surgery.operations import Context, Operation
from nas_surgery.plugins.lookup import operation as find_operation
from nas_surgery.plugins.registry import default_registry
from nas_surgery.runs.spec import parse_value
from nas_surgery.search.workbench import PROBE_SAMPLES
from nas_surgery.shrinking.calibration import Calibration


@attrs.frozen
class Step:
    """One operation that was carried out, and what it promises: how exact it is, and why."""

    operation: Operation
    exactness: str
    reason: str

    def __str__(self) -> str:
        return f"{self.operation.describe()}: {self.exactness}, {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        promise = {"exactness": self.exactness, "reason": self.reason}
        return {"operation": self.operation.to_json(), **promise}


def operate_on(
    network: Network,
    texts: Sequence[str],
    source: str | None = None,
    seed: int = 0,
    given: Calibration | None = None,
) -> tuple[Network, list[Step]]:
    """The edited network, and each operation with what it promises.

    texts: such as "remove_neurons:layer=1,keep=100". source: data source of the probe batch, and of
    its labels where they are classes that the network tells apart; given: samples in its place.
    """
    made = [parse_operation(text) for text in texts]
    if given is not None:
        labels = None if given.y is None else given.y[:PROBE_SAMPLES]
        context = Context(seed, (), given.x[:PROBE_SAMPLES], labels)
    else:
        context = Context(seed) if source is None else _context(network, source, seed)
    steps = []
    for key, operation in enumerate(made):
        surgery = operation.apply(network, attrs.evolve(context, key=(key,)))
        network = surgery.network
        promise = surgery.promise
        steps.append(Step(operation, promise.exactness.value, promise.reason))
    return network, steps


def _context(network: Network, source: str, seed: int) -> Context:
    """A probe batch with its labels, drawn as a run would draw it."""
    loss = "mean_squared_error" if network.output_shape == (1,) else "auto"
    parts = split(load_dataset(source, default_registry().all("datasets")), SplitPlan(), loss)
    if parts.train.x.shape[1:] != network.input_shape:
        raise DataError(
            f"{source}: samples of shape {parts.train.x.shape[1:]},"
            f" the network takes {network.input_shape}"
        )
    known = network.classes is None or network.classes == parts.classes
    told_apart = bool(parts.classes) and known and network.output_shape == (parts.outputs,)
    labels = parts.train.y[:PROBE_SAMPLES] if told_apart else None
    return Context(seed, (), parts.train.x[:PROBE_SAMPLES], labels)


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
    return find_operation(name.strip(), **fields)
