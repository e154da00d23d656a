"""What an operation is: data that can be applied to a network, proposed for one, and written as JSON."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import (
    Array,
    Group,
    Network,
    as_numbers,
    expect,
    expect_network,
    expect_seed,
    keyed_generator,
    read_only,
    refusal,
)
from nas_surgery.surgery import Surgery
from nas_surgery.validators import a, number


def _shown(values: ArrayLike | None) -> Array | None:
    return None if values is None else read_only(values)


@attrs.frozen(eq=False)
class Context:
    """What an operation may use besides the network: keyed randomness, and a probe batch or None.

    probe: (N, *input_shape) raw inputs; labels: their classes (N,) or targets (N, outputs), or None;
    both are read-only here. loss: what training minimises.
    """

    seed: int = 0
    key: tuple[int, ...] = ()
    probe: Array | None = attrs.field(default=None, converter=_shown)
    labels: Array | None = attrs.field(default=None, converter=_shown)
    loss: str = "cross_entropy"

    def generator(self) -> np.random.Generator:
        """The generator that belongs to this one application."""
        return keyed_generator(self.seed, "surgery", *self.key)


@attrs.frozen
class Operation(ABC):
    """One surgery with its arguments. Subclasses are frozen attrs classes with JSON fields.

    name: how specs, journals and the command line call it. retraining: multiplier of the batches
    that a candidate trains before it is judged (appendix of the paper).
    """

    name: ClassVar[str]
    retraining: ClassVar[int] = 1

    @abstractmethod
    def apply(self, network: Network, context: Context = Context()) -> Surgery:
        """The edited network and what it promises; OperationError where the arguments do not fit."""

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> "list[Proposal]":
        """What this operation would do to the network, each with its first-order score."""
        return []

    def parameters_after(self, network: Network) -> int:
        """Parameter count of the edited network; overridden where it is known without surgery."""
        return self.apply(network).network.parameter_count

    def macs_after(self, network: Network) -> int:
        """Multiply-accumulates of the edited network; overridden where surgery needs more than it."""
        return self.apply(network).network.macs

    def __call__(
        self,
        network: Network,
        *,
        seed: int = 0,
        probe: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        loss: str = "cross_entropy",
    ) -> Network:
        """Apply to the network and return the edited one; the arguments are those of Context.

        Raises ArgumentError where one of them is something else, and OperationError where the
        operation does not fit the network.
        """
        expect_network("network", network)
        expect_seed(seed)
        expect("loss", loss, str, "the name of a loss")
        batch = None if probe is None else as_numbers("probe", probe)
        targets = None if labels is None else _targets(network, batch, labels, loss)
        return self.apply(network, Context(seed, (), batch, targets, loss)).network

    def to_json(self) -> dict[str, Any]:
        """Name and fields that are set, as JSON values."""
        fields = attrs.asdict(self, recurse=False, filter=lambda _, value: value is not None)
        return {"name": self.name, **fields}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Construct from named arguments; OperationError names the argument that is wrong."""
        known = [field.name for field in attrs.fields(cls)]
        for name in fields:
            if name not in known:
                raise OperationError(
                    f"{cls.name}: unknown argument {name!r}; it takes {', '.join(known) or 'none'}"
                )
        for field in attrs.fields(cls):
            if field.default is attrs.NOTHING and field.name not in fields:
                raise OperationError(f"{cls.name}: argument {field.name!r} is missing")
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise OperationError(f"{cls.name}: {_first_line(error)}") from None

    def describe(self) -> str:
        """Such as `add_neurons(layer=1, count=2)`, leaving out what is at its default."""
        shown = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(type(self))
            if getattr(self, field.name) != field.default
        }
        return (
            f"{self.name}({', '.join(f'{k}={v}' for k, v in shown.items())})"
            if shown
            else self.name
        )

    def group(self, network: Network, layer: int) -> Group:
        """The channel group that the hidden linear layer at address `layer` writes."""
        expect_network("network", network)
        for group in network.groups():
            if layer in group.writers:
                return group
        known = [group.writers[0] for group in network.groups()]
        raise OperationError(
            f"{self.name}: layer {layer} is not a hidden linear layer of this network;"
            f" those are {', '.join(map(str, known)) or 'none'}"
        )


@attrs.frozen
class Proposal:
    """An operation, its first-order score (finite, higher is better) and the reason in a few words."""

    operation: Operation = attrs.field(validator=a(Operation))
    score: float = attrs.field(converter=float, validator=number())
    reason: str = attrs.field(validator=a(str))


def _targets(network: Network, probe: Array | None, labels: ArrayLike, loss: str) -> Array:
    """The labels of a probe batch, once they are such as the loss needs."""
    found, outputs = as_numbers("labels", labels), network.output_count
    count = 0 if probe is None or not probe.ndim else len(probe)
    if loss == "mean_squared_error":
        if found.shape != (count, outputs):
            raise refusal("labels", labels, f"targets of shape {(count, outputs)}, as the probe")
        return found
    whole = found.shape == (count,) and found.dtype.kind in "iub"
    if not whole or (count and not 0 <= found.min() <= found.max() < outputs):
        raise refusal(
            "labels", labels, f"{count} classes below {outputs}, one for each probe sample"
        )
    return found.astype(np.int64)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
