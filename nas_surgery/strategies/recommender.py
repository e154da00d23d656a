"""Which surgeries are worth trying: proposals ranked by two criteria, and what a try draws from them.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.2. The
first criterion is the operation's own score; the second is the parameter count of the edited network
(BIC with everything but k neglected, eqs. 14, 15), fewer first.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import attrs
import numpy as np

from nas_surgery.analysis.spectra import EPSILON_ABSOLUTE, EPSILON_RELATIVE, analyse
from nas_surgery.network import Network
from nas_surgery.operations import Operation, Proposal

MODES = ("best-per-operation", "top-n")
IDENTITY = "identity"


@attrs.frozen
class Candidate:
    """A proposal for one branch. branch: the caller's id of it; parameters: of the edited network."""

    branch: int
    proposal: Proposal
    parameters: int

    @property
    def operation(self) -> Operation:
        """What is proposed."""
        return self.proposal.operation

    def to_json(self) -> dict[str, Any]:
        """Operation and both criteria, as JSON values."""
        return {
            "operation": self.operation.to_json(),
            "score": self.proposal.score,
            "parameters": self.parameters,
            "reason": self.proposal.reason,
        }

    @classmethod
    def from_json(
        cls, values: Mapping[str, Any], branch: int, operations: Mapping[str, type[Operation]]
    ) -> Self:
        """The inverse of `to_json` for a branch."""
        fields = {key: value for key, value in values["operation"].items() if key != "name"}
        operation = operations[values["operation"]["name"]].from_fields(fields)
        return cls(
            branch, Proposal(operation, values["score"], values["reason"]), values["parameters"]
        )


@attrs.frozen
class Limits:
    """What a proposal must keep to. exclude: addresses of layers that surgery leaves alone."""

    max_parameters: int | None = None
    max_macs: int | None = None
    exclude: tuple[int, ...] = ()

    def excess(self, network: Network) -> list[tuple[str, int, int]]:
        """Each limit on size that the network is beyond: its key, the size, and the limit."""
        sizes = (
            ("max_parameters", network.parameter_count, self.max_parameters),
            ("max_macs", network.macs, self.max_macs),
        )
        return [
            (key, size, limit) for key, size, limit in sizes if limit is not None and size > limit
        ]


@attrs.frozen
class Recommender:
    """Ranks what the operations propose.

    epsilon_relative ε₁, epsilon_absolute ε₂: thresholds of eq. 13. report: told by name of an operation
    that raises, which then proposes nothing; None lets it raise.
    """

    operations: Mapping[str, type[Operation]]
    epsilon_relative: float = EPSILON_RELATIVE
    epsilon_absolute: float = EPSILON_ABSOLUTE
    report: Callable[[str, BaseException], None] | None = None

    def candidates(self, branch: int, network: Network, limits: Limits) -> list[Candidate]:
        """Everything proposed for one branch that keeps to the limits, best first."""
        analysis = analyse(network, self.epsilon_relative, self.epsilon_absolute)
        found: list[Candidate] = []
        for name, operation in self.operations.items():
            try:
                found += [
                    self._as_recorded(
                        Candidate(branch, proposal, proposal.operation.parameters_after(network))
                    )
                    for proposal in operation.propose(network, analysis)
                ]
            except (Exception, SystemExit) as error:
                if self.report is None:
                    raise
                self.report(name, error)
        return rank(candidate for candidate in found if allowed(candidate, network, limits))

    def _as_recorded(self, candidate: Candidate) -> Candidate:
        """As the journal gives it back, so that a plugin's NumPy numbers and tuples make no difference."""
        text = json.dumps(candidate.to_json(), default=lambda value: value.item())
        return Candidate.from_json(json.loads(text), candidate.branch, self.operations)


def allowed(candidate: Candidate, network: Network, limits: Limits) -> bool:
    """Whether a candidate for this network keeps to the limits; its weights do not matter."""
    operation = candidate.operation
    if touches(operation, network, limits.exclude):
        return False
    return within(operation, network, candidate.parameters, limits)


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """First score descending, then fewer parameters, then the order in which they came."""
    return sorted(candidates, key=lambda c: (-c.proposal.score, c.parameters))


def choose(
    ranked: Sequence[Candidate],
    tried: Sequence[Candidate] = (),
    *,
    mode: str = MODES[0],
    count: int = 5,
    generator: np.random.Generator | None = None,
) -> list[Candidate]:
    """The candidates of one try: every branch unchanged, the best by `mode`, and one random draw.

    mode "best-per-operation": the best of each operation over all branches; "top-n": the best `count`.
    tried: what earlier tries of the same decision took, and is excluded. generator: None for no draw.
    """
    fresh = [candidate for candidate in ranked if candidate not in tried]
    chosen = [candidate for candidate in fresh if candidate.operation.name == IDENTITY]
    rest = [candidate for candidate in fresh if candidate.operation.name != IDENTITY]
    if mode == "top-n":
        chosen += rest[:count]
    else:
        best: dict[str, Candidate] = {}
        for candidate in rest:
            best.setdefault(candidate.operation.name, candidate)
        chosen += best.values()
    left = [candidate for candidate in rest if candidate not in chosen]
    if generator is not None and left:
        chosen.append(left[int(generator.integers(len(left)))])
    return chosen


def touches(operation: Operation, network: Network, addresses: Sequence[int]) -> bool:
    """Whether an operation on a layer would rewrite one of the addressed layers."""
    layer = getattr(operation, "layer", None)
    if layer is None or not addresses:
        return False
    for group in network.groups():
        if layer in group.writers:
            return not group.rewritten.isdisjoint(addresses)
    return False


def within(operation: Operation, network: Network, parameters: int, limits: Limits) -> bool:
    """Whether the edited network keeps to the limits; what does not grow is always allowed."""
    if limits.max_parameters is not None and parameters > limits.max_parameters:
        if parameters > network.parameter_count:
            return False
        if operation.name != IDENTITY and parameters == network.parameter_count:
            return False
    if limits.max_macs is None or operation.name == IDENTITY:
        return True
    try:
        return operation.macs_after(network) <= max(limits.max_macs, network.macs)
    except Exception:  # what cannot say its size cannot be held to a limit
        return False
