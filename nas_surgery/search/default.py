"""The default strategy: grow while it pays, shrink while it pays, on a fixed budget."""

from typing import ClassVar

import attrs

from nas_surgery.search.budget import Budget
from nas_surgery.search.course import Course
from nas_surgery.search.growing import grow
from nas_surgery.search.moves import Moves
from nas_surgery.search.shrinking import shrink
from nas_surgery.search.strategy import Search, Setting, Strategy
from nas_surgery.search.stretches import finish, warm_up
from nas_surgery.validators import number, whole

_share = number(minimum=0, below=1)
_positive = number(above=0)


@attrs.frozen
class DefaultStrategy(Strategy):
    """Races on validation loss, with a price for size.

    A figure that is a share counts in training lengths (`max_epochs`), so that the schedule fits
    short and long runs alike; a race is never shorter than `least_batches`. The reasons given with
    numbers were measured on MNIST and digits.

    price: nats of validation loss that a doubling of the parameters must gain in the end: the knob
    between small and accurate.
    max_cost: multiply-accumulates that the whole search may train, ÷ those of training its winner for
    `max_epochs`. Never exceeded; half as much again is enough for all candidates.
    foresight: how far a race misjudges what a change is worth in the end. Growth goes on gaining
    after the race (two to three times as much), and what a removal cost is partly learned again (half
    of it). So growth is raced at the price ÷ foresight, and removal at the price × foresight.
    ample: parameters for each training sample from which a network is large enough. Nothing grows
    beyond: there, a wider network only learns faster, which a race cannot tell from capacity.
    patience: races in a row that the unchanged network wins before growth ends, and stretches in a row
    that fall behind the best network before training ends. A single one is noise.
    warm_up: training before the first race; until then losses tell about the initial weights.
    growth: factor of all widths. growth_until: no growth is raced later; new units need time to learn.
    growth_rung, growth_rungs: length and number of the rungs of a growth race. Two epochs of fifty:
    races of fewer than 600 batches rank candidates badly.
    removal: factor of the width of one layer. removal_from, removal_until: when removals
    are tried. Earlier there is little yet to lose, so that damage tells nothing; later there is no
    time to recover.
    removal_rung: length of the race against the unchanged network. With half of it the damage looks
    a sixth larger.
    pause: training between two tries of removals, and between looks at the best network.
    ending: the last stretch, trained twice: with the learning rate times `cooling` and the weights
    averaged over its epochs, and as before. The first wins where weights swing, the second where the
    network still learns fast.
    regret: an earlier network takes the last one's place if its loss is lower by this share, and its
    accuracy no lower: the losses of one network swing by 3 % from epoch to epoch.
    backoff, retries: training that diverged is tried again with the learning rate times `backoff`.
    growth_method, removal_method: of `add_neurons` and `remove_neurons`.
    least_batches: races of 25 batches choose almost blindly.
    """

    repairs_size: ClassVar[bool] = True

    price: float = attrs.field(default=0.01, validator=number(minimum=0))
    max_cost: float = attrs.field(default=1.5, validator=_positive)
    foresight: float = attrs.field(default=2.5, validator=number(minimum=1))
    ample: float = attrs.field(default=20.0, validator=_positive)
    patience: int = attrs.field(default=2, validator=whole(1))
    warm_up: float = attrs.field(default=0.06, validator=_share)
    growth: float = attrs.field(default=2.0, validator=number(above=1))
    growth_until: float = attrs.field(default=0.3, validator=_share)
    growth_rung: float = attrs.field(default=0.02, validator=_share)
    growth_rungs: int = attrs.field(default=2, validator=whole(1))
    removal: float = attrs.field(default=0.7, validator=number(above=0, below=1))
    removal_from: float = attrs.field(default=0.3, validator=_share)
    removal_until: float = attrs.field(default=0.8, validator=_share)
    removal_rung: float = attrs.field(default=0.02, validator=_share)
    pause: float = attrs.field(default=0.1, validator=_share)
    ending: float = attrs.field(default=0.06, validator=_share)
    cooling: float = attrs.field(default=0.2, validator=_positive)
    regret: float = attrs.field(default=0.1, validator=number(minimum=0))
    backoff: float = attrs.field(default=0.3, validator=number(above=0, below=1))
    retries: int = attrs.field(default=2, validator=whole(0))
    growth_method: str = "pairs"
    removal_method: str = "activation"
    least_batches: int = attrs.field(default=100, validator=whole(1))

    def search(self, setting: Setting) -> Search:
        budget = Budget.of(setting, self.max_cost)
        course = Course(setting, budget, self.price, self.regret, self.patience)
        moves = Moves(setting.operations, setting.limits, self.growth_method, self.removal_method)
        first = yield from warm_up(course, moves, self)
        if course.head is None:
            return first
        yield from grow(course, moves, self)
        yield from shrink(course, moves, self)
        yield from finish(course, self)
        return course.winner.outcome.job
