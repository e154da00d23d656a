"""A smaller network is trained for a while, with what the original puts out as its targets.

Behind a refit the weights are where training should end, so its rate is low and falls to zero. What comes
out is kept only where it is better on the samples held back.
"""

from collections.abc import Sequence

import attrs
import numpy as np

from nas_surgery.errors import ArgumentError, BackendError, NasSurgeryError
from nas_surgery.network import Array, Network
from nas_surgery.plugins.registry import default_registry
from nas_surgery.shrinking.samples import Judge, Samples
from nas_surgery.shrinking.telling import Told
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import Adam
from nas_surgery.training.plans import Recipe, Schedule
from nas_surgery.training.state import Samples as TrainingSamples
from nas_surgery.training.state import TrainState

RATE = 3e-4  # of Adam: a third of what is usual, which would undo the refit
BATCH = 64
LOOKS = 4  # at the samples held back, in an epoch
LABELLED = 0.25  # of the training is by labels, where there are some, behind the rest
CHEAP = ("numpy", "torch")  # backends to begin with, in this order
EASY_ON_LABELS = 0.1  # times the rate: so little is left to be learned there


@attrs.frozen
class Retraining:
    """How long, by which backend (None: the first that can), on which device, and at which rate."""

    epochs: float
    backend: str | None = None
    device: str = "cpu"
    rate: float = RATE

    @classmethod
    def of(
        cls, epochs: float, backend: str | None, device: str, rate: float | None
    ) -> "Retraining | None":
        """None for no epochs; ArgumentError for what is no number of them, or no rate."""
        for name, value, least in (
            ("retrain", epochs, 0),
            ("rate", RATE if rate is None else rate, 1e-12),
        ):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value < float("inf"):
                raise ArgumentError(
                    f"{name}: a number of {least:g} or more is needed, got {value!r}"
                )
        if not epochs:
            return None
        return cls(float(epochs), backend, device, RATE if rate is None else float(rate))

    def backend_for(self, networks: Sequence[Network]) -> Backend:
        """The backend that trains these; BackendError, which says why, where none does."""
        names = default_registry().names("backends")
        reasons = []
        for name in (self.backend,) if self.backend else sorted(names, key=_dearness):
            try:
                made: Backend = default_registry().get("backends", name)()
                for network in networks:
                    made.check_training(network)
                return made
            except NasSurgeryError as error:
                reasons.append(f"{name}: {error}")
        raise BackendError(f"no backend can retrain this network; {'; '.join(reasons)}")


def _dearness(name: str) -> tuple[int, str]:
    """Cheap ones to start first."""
    return CHEAP.index(name) if name in CHEAP else len(CHEAP), name


def retrained(
    network: Network,
    original: Network,
    samples: Samples,
    judge: Judge,
    retraining: Retraining,
    seed: int,
    told: Told,
) -> Network:
    """The network that is best on the samples held back, of the one given and those on the way.

    Trained on `samples.x`, with the outputs of `original` as targets, and in the end by labels, if any.
    """
    backend = retraining.backend_for((network, original))
    device = backend.device(retraining.device)
    looks = max(1, round(LOOKS * retraining.epochs))
    last = 0 if samples.labels is None else max(1, round(LABELLED * looks))
    course = _Course(backend, device, samples.x, retraining, seed, looks)
    targets = backend.predict(original, samples.x).astype(network.dtype)
    best, state = (judge.verdict(network), network), TrainState(network)
    for look in range(looks):
        told("retraining", look, looks)
        labelled = look >= looks - last
        if labelled and look == looks - last:
            state = TrainState(best[1], None, state.step)
        state = course.trained(state, samples.labels if labelled else targets, look, labelled)
        if not _finite(state.network):
            break
        verdict = judge.verdict(state.network)
        if verdict.better(best[0]):
            best = (verdict, state.network)
    told("retraining", looks, looks)
    return attrs.evolve(best[1], classes=network.classes)


@attrs.frozen(eq=False)
class _Course:
    """The whole training, a look at a time."""

    backend: Backend
    device: str
    x: Array
    retraining: Retraining
    seed: int
    looks: int

    def trained(self, state: TrainState, y: Array | None, look: int, labelled: bool) -> TrainState:
        """The state at the end of a look that trains on targets `y`."""
        per_epoch = -(-len(self.x) // BATCH)
        total = max(self.looks, round(self.retraining.epochs * per_epoch))
        edges = np.linspace(0, total, self.looks + 1).astype(int)
        recipe = Recipe(
            optimizer=Adam(self.retraining.rate * (EASY_ON_LABELS if labelled else 1)),
            loss="cross_entropy" if labelled else "mean_squared_error",
            batch_size=BATCH,
            schedule=Schedule("cosine", total_steps=total),
            seed=self.seed,
        )
        assert y is not None
        placed = self.backend.place(TrainingSamples(self.x, y), self.device)
        plan = recipe.plan(len(self.x), int(edges[look]), int(edges[look + 1] - edges[look]))
        return self.backend.train(state, placed, plan)[0]


def _finite(network: Network) -> bool:
    return all(np.isfinite(array).all() for array in network.parameters().values())
