"""The default strategy: grow while it pays, shrink while it pays, on a fixed budget."""

from typing import Any, ClassVar, Self

import attrs

from nas_surgery.operations.add_neurons import METHODS as GROWTH_METHODS
from nas_surgery.operations.remove_neurons import METHODS as REMOVAL_METHODS
from nas_surgery.strategies.default.budget import SPARE
from nas_surgery.strategies.strategy import Setting, Strategy
from nas_surgery.validators import number, one_of, optional, whole

_share = number(minimum=0, below=1)
_positive = number(above=0)
PLAIN: dict[str, Any] = {"warm_up": 0.06, "growth_rung": 0.02}
DECAYED: dict[str, Any] = {"warm_up": 0.02, "growth_rung": 0.01}


@attrs.frozen
class DefaultSettings(Strategy):
    """Races on validation loss, with a price for size.

    A figure that is a share counts in training lengths (`max_epochs`, or what a small `max_cost` leaves
    of them), so that the schedule fits short and long runs alike; a race is never shorter than
    `least_batches`. The reasons given with numbers were measured on MNIST and digits.

    price: nats of validation loss that a doubling of the parameters must gain in the end: the knob
    between small and accurate. (For a regression: mean squared error of standardised targets.)
    max_cost: multiply-accumulates that the whole search may train, ÷ those of training its winner for
    `max_epochs`. Never exceeded; half as much again is enough for all candidates.
    foresight: how far a race misjudges what a change is worth in the end. Growth goes on gaining
    after the race (two to three times as much), and what a removal cost is partly learned again (half
    of it). So growth is raced at the price ÷ foresight, and removal at the price × foresight.
    ample: parameters for each training sample from which a network is large enough. Nothing grows
    beyond: there, a wider network only learns faster, which a race cannot tell from capacity.
    patience: races in a row that the unchanged network wins before growth ends, and how often in a row
    training may be taken back before the search ends. A single time is noise.
    warm_up: training before the first race; until then losses tell about the initial weights. None: .06,
    and .02 where the optimizer decays weights: what grows late there has overfitted what it grew from.
    growth: factor of all widths. growth_until: no growth is raced later; new units need time to learn.
    growth_rung, growth_rungs: length and number of the rungs of a growth race. None: .02, and .01 where the
    optimizer decays weights. Two epochs of fifty: races of fewer than 600 batches of SGD rank candidates badly.
    removal: factor of the width of one layer. removal_from, removal_until: when removals
    are tried. Earlier there is little yet to lose, so that damage tells nothing; later there is no
    time to recover.
    removal_rung: length of the race against the unchanged network. With half of it the damage looks
    a sixth larger.
    pause: training between two tries of removals, and between looks at the best network.
    ending: the last stretch, trained twice: with the learning rate times `cooling` and the weights
    averaged over its epochs, and as before. The first wins where weights swing, the second where the
    network still learns fast.
    refit: the last stretch of all, of the winner, on the validation samples too, at `refit_rate` times the
    optimizer's learning rate, falling to zero. Only where the optimizer decays weights, and not on a
    validation part that came as it is. Worth .1 to 1.5 points on eleven small sets. `max_cost` holds it.
    regret: training is taken back if the loss was lower before by this share, and the accuracy no
    lower: the losses of one network swing by 3 % from epoch to epoch.
    stamina: looks in a row that find nothing better, where the optimizer decays weights, before training
    goes back to the best network. If the training loss fell, it goes on with the weight decay times
    `firmer`, up to `firmest` times the first.
    doubt: standard errors, over the validation samples, by which losses must differ for training to be
    taken back where the optimizer decays weights. growth_doubt: by which growth must gain there. More
    than none starves it: on noisy targets every gain is doubtful.
    look: training between two looks at the validation loss.
    backoff, retries: training that diverged, or was taken back, is tried again with the learning rate
    times `backoff`, which stays.
    growth_method, removal_method: of `add_neurons` and `remove_neurons`. "gradient" did not do better
    in races than "pairs", which needs no labels.
    least_batches: races of 25 batches choose almost blindly.
    """

    judges_by_score: ClassVar[bool] = False
    uses: ClassVar[tuple[str, ...] | None] = (
        "identity",
        "add_neurons",
        "add_layer",
        "remove_neurons",
        "revive",
    )

    price: float = attrs.field(default=0.01, validator=number(minimum=0))
    max_cost: float = attrs.field(default=1.5, validator=_positive)
    foresight: float = attrs.field(default=2.5, validator=number(minimum=1))
    ample: float = attrs.field(default=20.0, validator=_positive)
    patience: int = attrs.field(default=2, validator=whole(1))
    warm_up: float | None = attrs.field(default=None, validator=optional(_share))
    growth: float = attrs.field(default=2.0, validator=number(above=1))
    growth_until: float = attrs.field(default=0.3, validator=_share)
    growth_rung: float | None = attrs.field(default=None, validator=optional(_share))
    growth_rungs: int = attrs.field(default=2, validator=whole(1))
    removal: float = attrs.field(default=0.7, validator=number(above=0, below=1))
    removal_from: float = attrs.field(default=0.3, validator=_share)
    removal_until: float = attrs.field(default=0.8, validator=_share)
    removal_rung: float = attrs.field(default=0.02, validator=_share)
    pause: float = attrs.field(default=0.1, validator=_share)
    ending: float = attrs.field(default=0.06, validator=_share)
    cooling: float = attrs.field(default=0.2, validator=_positive)
    refit: float = attrs.field(default=0.1, validator=_share)
    refit_rate: float = attrs.field(default=1.0, validator=_positive)
    regret: float = attrs.field(default=0.1, validator=number(minimum=0))
    stamina: int = attrs.field(default=3, validator=whole(1))
    firmer: float = attrs.field(default=3.0, validator=number(minimum=1))
    firmest: float = attrs.field(default=9.0, validator=number(minimum=1))
    growth_doubt: float = attrs.field(default=0.0, validator=number(minimum=0))
    doubt: float = attrs.field(default=1.0, validator=number(minimum=0))
    look: float = attrs.field(default=0.025, validator=_share)
    backoff: float = attrs.field(default=0.3, validator=number(above=0, below=1))
    retries: int = attrs.field(default=2, validator=whole(0))
    growth_method: str = attrs.field(default="pairs", validator=one_of(*GROWTH_METHODS))
    removal_method: str = attrs.field(default="activation", validator=one_of(*REMOVAL_METHODS))
    least_batches: int = attrs.field(default=100, validator=whole(1))

    def fitting(self, setting: Setting) -> Self:
        """The settings with those filled in that hang on the optimizer."""
        usual = DECAYED if setting.weight_decay > 0 else PLAIN
        missing = {key: value for key, value in usual.items() if getattr(self, key) is None}
        return attrs.evolve(self, **missing)

    def refit_share(self, setting: Setting) -> float:
        """What the refit may cost, in training lengths of the winner."""
        wanted = setting.weight_decay > 0 and setting.spare_samples > 0
        return self.refit * min(1.0, self.max_cost / SPARE) if wanted else 0.0
