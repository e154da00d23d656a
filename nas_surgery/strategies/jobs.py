"""What a strategy asks for and is told: jobs, rounds of jobs, outcomes. All of it is JSON but the weights."""

from collections.abc import Mapping
from math import nan
from typing import Any, Self

import attrs
from attrs.validators import deep_iterable

from nas_surgery.network import Network
from nas_surgery.operations import Operation
from nas_surgery.strategies.recommender import Candidate
from nas_surgery.strategies.stopping import EARLY
from nas_surgery.strategies.topology import describe_topology, skeleton
from nas_surgery.training.epochs import Point
from nas_surgery.training.state import TrainState
from nas_surgery.validators import a, number, one_of, optional, whole

Operations = Mapping[str, type[Operation]]

PASSES = 3  # forward passes that one training sample costs: one forwards, and two backwards


@attrs.frozen
class Job:
    """Take the network that job `parent` left (None: the start network), operate, train, evaluate.

    id: counts up from 0 within a run, and keys the randomness of the operations. steps: batches to
    train. purpose: a word for people ("pretrain", "candidate", "branch"). rate, decay: factors of the
    learning rate and of the weight decay. parts: of the validation part whose losses are wanted. average: the network is the mean over the ends of this many last epochs. refit: train on the validation
    part too, while the learning rate falls to zero from the optimizer's own. thresholds:
    (ε₁, ε₂) of eq. 13, for proposals on the trained network; None for no proposals.
    """

    id: int = attrs.field(validator=a(int))
    parent: int | None = attrs.field(validator=optional(whole(0)))
    operations: tuple[Operation, ...] = attrs.field(
        default=(), validator=deep_iterable(a(Operation))
    )
    steps: int = attrs.field(default=0, validator=whole(0))
    purpose: str = attrs.field(default="branch", validator=a(str))
    rate: float = attrs.field(default=1.0, validator=number(above=0))
    decay: float = attrs.field(default=1.0, validator=number(minimum=0))
    average: int = attrs.field(default=0, validator=whole(0))
    parts: int = attrs.field(default=0, validator=whole(0))
    refit: bool = attrs.field(default=False, validator=a(bool))
    thresholds: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "parent": self.parent,
            "operations": [operation.to_json() for operation in self.operations],
            "steps": self.steps,
            "purpose": self.purpose,
            **({"rate": self.rate} if self.rate != 1.0 else {}),
            **({"decay": self.decay} if self.decay != 1.0 else {}),
            **({"average": self.average} if self.average else {}),
            **({"parts": self.parts} if self.parts else {}),
            **({"refit": True} if self.refit else {}),
            **({"thresholds": list(self.thresholds)} if self.thresholds else {}),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any], operations: Operations) -> Self:
        """The inverse of `to_json`."""
        fields = {
            **record,
            "operations": tuple(_operation(o, operations) for o in record["operations"]),
        }
        if "thresholds" in fields:
            fields["thresholds"] = tuple(fields["thresholds"])
        return cls(**fields)


@attrs.frozen
class Cost:
    """What was spent: training samples and multiply-accumulates (a training sample costs three forward
    passes), and samples and multiply-accumulates of forward passes only (evaluations, probes)."""

    training_samples: int = 0
    training_macs: int = 0
    forward_samples: int = 0
    forward_macs: int = 0

    @classmethod
    def of_training(cls, samples: int, macs: int) -> "Cost":
        """What it costs to train on so many samples a network of so many forward macs."""
        return cls(samples, PASSES * macs * samples)

    def __add__(self, other: "Cost") -> "Cost":
        pairs = zip(attrs.astuple(self), attrs.astuple(other), strict=True)
        return Cost(*(a + b for a, b in pairs))

    @property
    def macs(self) -> int:
        """Of training and forward passes together."""
        return self.training_macs + self.forward_macs


@attrs.frozen
class Failure:
    """Why a job gave no valid network; plugin: name and version of the plugin at fault, if it was one."""

    reason: str
    plugin: str | None = None
    traceback: str | None = None


@attrs.frozen(eq=False)
class Outcome:
    """What became of a job.

    accuracy, loss: on the validation part (R² in accuracy's place for regression); behind a refit, which
    trains on it, those of the network before. training_loss:
    mean over the last batches, up to an epoch, before their updates. part_losses: the loss on each part
    of the validation samples, if the job asked. curve: how the network stood after each epoch, where the
    job trained one or more. topology: of the trained network. step: its place in the order of batches. digest: SHA-256 of its weights. exactness: what
    the operations promised. origins: for each layer, its address in the parent, or None if an
    operation made or changed it; empty without operations. proposals: what the operations propose for
    it, if the job asked. faults: plugins that raised while they proposed. seconds: spent on surgery,
    training and evaluation. state: the weights, only until the driver has taken them.
    """

    job: int
    accuracy: float = nan
    loss: float = nan
    training_loss: float = nan
    part_losses: tuple[float, ...] = ()
    curve: tuple[Point, ...] = ()
    state: TrainState | None = None
    topology: Network | None = None
    position: int | None = None
    digest: str = ""
    exactness: tuple[str, ...] = ()
    origins: tuple[int | None, ...] = ()
    proposals: tuple[Candidate, ...] = ()
    faults: tuple[Failure, ...] = ()
    damage: dict[str, Any] | None = None
    cost: Cost = Cost()
    failure: Failure | None = None
    seconds: dict[str, float] = attrs.Factory(dict)

    @property
    def failed(self) -> bool:
        """Whether there is no valid network."""
        return self.failure is not None or (self.state is None and self.topology is None)

    @property
    def network(self) -> Network:
        """The topology of the trained network; its weights are not for strategies to read."""
        if self.topology is not None:
            return self.topology
        assert self.state is not None, "a failed job has no network"
        return self.state.network

    @property
    def parameters(self) -> int:
        """Parameter count of the network."""
        return self.network.parameter_count

    @property
    def step(self) -> int:
        """Batches that the network and its ancestors have trained."""
        if self.position is not None:
            return self.position
        assert self.state is not None, "a failed job has no network"
        return self.state.step

    def to_json(self) -> dict[str, Any]:
        """Everything but weights and seconds; `from_json` gives it back."""
        shared = {"job": self.job, "cost": list(attrs.astuple(self.cost))}
        if self.failed:
            return {**shared, "failure": attrs.asdict(self.failure) if self.failure else None}
        return {
            **shared,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "training_loss": self.training_loss,
            **({"part_losses": list(self.part_losses)} if self.part_losses else {}),
            "step": self.step,
            "hidden": list(self.network.hidden),
            "parameters": self.parameters,
            "exactness": list(self.exactness),
            "origins": list(self.origins),
            **({"damage": self.damage} if self.damage is not None else {}),
            **({"proposals": [c.to_json() for c in self.proposals]} if self.proposals else {}),
            **({"faults": [attrs.asdict(fault) for fault in self.faults]} if self.faults else {}),
            "topology": describe_topology(self.network),
            "digest": self.digest,
            **({"curve": [point.to_json() for point in self.curve]} if self.curve else {}),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any], operations: Operations) -> Self:
        """The outcome that a journal holds, without weights."""
        cost = Cost(*record["cost"])
        if "failure" in record:
            failure = record["failure"] or {"reason": "unknown"}
            return cls(record["job"], cost=cost, failure=Failure(**failure))
        held = record.get("proposals", ())
        return cls(
            job=record["job"],
            accuracy=_number(record["accuracy"]),
            loss=_number(record["loss"]),
            training_loss=_number(record["training_loss"]),
            part_losses=tuple(map(_number, record.get("part_losses", ()))),
            curve=tuple(map(Point.from_json, record.get("curve", ()))),
            topology=skeleton(record["topology"]),
            position=record["step"],
            digest=record["digest"],
            exactness=tuple(record["exactness"]),
            origins=tuple(record["origins"]),
            proposals=tuple(Candidate.from_json(item, record["job"], operations) for item in held),
            faults=tuple(Failure(**fault) for fault in record.get("faults", ())),
            damage=record.get("damage"),
            cost=cost,
        )


def _operation(record: Mapping[str, Any], operations: Operations) -> Operation:
    fields = {key: value for key, value in record.items() if key != "name"}
    return operations[record["name"]].from_fields(fields)


def _number(value: float | None) -> float:
    return nan if value is None else value


@attrs.frozen(eq=False)
class Round:
    """Jobs that may run side by side.

    live: earlier jobs whose networks may still be asked for; every other may be forgotten. best: the
    job whose network is the result if the run stops now. decision: what led here, as JSON values. ending:
    "oscillation" or "patience" where the search has decided to end early; it stays said.
    """

    jobs: tuple[Job, ...]
    live: tuple[int, ...] = ()
    best: int | None = None
    decision: dict[str, Any] = attrs.Factory(dict)
    ending: str | None = attrs.field(default=None, validator=optional(one_of(*EARLY)))
