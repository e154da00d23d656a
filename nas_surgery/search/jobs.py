"""What a strategy asks for and is told: jobs, rounds of jobs, outcomes."""

from typing import Any

import attrs

from nas_surgery.network import Network
from nas_surgery.operations import Operation
from nas_surgery.training import TrainState


@attrs.frozen
class Job:
    """Take the network that job `parent` left (None: the start network), operate, train, evaluate.

    id: counts up from 0 within a run, and keys the randomness of the operations. steps: batches to
    train. purpose: a word for people ("pretrain", "candidate", "branch"). rate: factor of the
    learning rate. average: the network is the mean over the ends of this many last epochs.
    """

    id: int
    parent: int | None
    operations: tuple[Operation, ...] = ()
    steps: int = 0
    purpose: str = "branch"
    rate: float = 1.0
    average: int = 0

    def to_json(self) -> dict[str, Any]:
        operations = [operation.to_json() for operation in self.operations]
        return {
            "id": self.id,
            "parent": self.parent,
            "operations": operations,
            "steps": self.steps,
            "purpose": self.purpose,
            **({"rate": self.rate} if self.rate != 1.0 else {}),
            **({"average": self.average} if self.average else {}),
        }


@attrs.frozen
class Cost:
    """What was spent: training samples and multiply-accumulates (a training sample costs three forward
    passes), and samples and multiply-accumulates of forward passes only (evaluations, probes)."""

    training_samples: int = 0
    training_macs: int = 0
    forward_samples: int = 0
    forward_macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        pairs = zip(attrs.astuple(self), attrs.astuple(other), strict=True)
        return Cost(*(a + b for a, b in pairs))

    @property
    def macs(self) -> int:
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

    accuracy, loss: on the validation part (R² in accuracy's place for regression). training_loss:
    mean over the last batches, up to an epoch, before their updates. state: the trained network, None
    if the job failed. exactness: what its operations promised. origins: for each layer, its address
    in the parent, or None if an operation made or changed it; empty without operations. seconds: spent
    on surgery, training and evaluation; not part of the journal.
    """

    job: int
    accuracy: float = float("nan")
    loss: float = float("nan")
    training_loss: float = float("nan")
    state: TrainState | None = None
    exactness: tuple[str, ...] = ()
    origins: tuple[int | None, ...] = ()
    cost: Cost = Cost()
    failure: Failure | None = None
    seconds: dict[str, float] = attrs.Factory(dict)

    @property
    def failed(self) -> bool:
        return self.state is None

    @property
    def network(self) -> Network:
        """The trained network; only of a job that did not fail."""
        assert self.state is not None
        return self.state.network

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights; shapes and sizes instead."""
        if self.state is None:
            failure = attrs.asdict(self.failure) if self.failure else None
            return {"job": self.job, "failure": failure, "cost": attrs.asdict(self.cost)}
        return {
            "job": self.job,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "training_loss": self.training_loss,
            "hidden": list(self.network.hidden),
            "parameters": self.network.parameter_count,
            "step": self.state.step,
            "exactness": list(self.exactness),
            "origins": list(self.origins),
            "cost": attrs.asdict(self.cost),
        }


@attrs.frozen(eq=False)
class Round:
    """Jobs that may run side by side.

    live: earlier jobs whose networks may still be asked for; every other may be forgotten. best: the
    job whose network is the result if the run stops now. decision: what led here, as JSON values.
    """

    jobs: tuple[Job, ...]
    live: tuple[int, ...] = ()
    best: int | None = None
    decision: dict[str, Any] = attrs.Factory(dict)
