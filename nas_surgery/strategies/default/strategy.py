"""The default strategy: grow while it pays, shrink while it pays, on a fixed budget."""

import attrs

from nas_surgery.network import Network
from nas_surgery.strategies.default.budget import Budget
from nas_surgery.strategies.default.course import Course
from nas_surgery.strategies.default.growing import grow
from nas_surgery.strategies.default.moves import Moves
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.strategies.default.shrinking import shrink, trim
from nas_surgery.strategies.default.stretches import finish, refitted, warm_up
from nas_surgery.strategies.jobs import Operations
from nas_surgery.strategies.recommender import Limits
from nas_surgery.strategies.strategy import Search, Setting, refuse_beyond


@attrs.frozen
class DefaultStrategy(DefaultSettings):
    """Races on validation loss, with a price for size; `DefaultSettings` says what can be set, and why."""

    def check(self, network: Network, limits: Limits, operations: Operations) -> None:
        """Whether the start can be cut to the limits."""
        move = self._moves(operations, limits).fitting(network, limits.exclude)
        kept = ", as search.exclude keeps layers as they are," if limits.exclude else ""
        what = f"the start network cannot be cut so far{kept}: cut, it has"
        refuse_beyond(limits, network if move is None else move.topology, what)

    def _moves(self, operations: Operations, limits: Limits) -> Moves:
        return Moves(operations, limits, self.growth_method, self.removal_method)

    def search(self, setting: Setting) -> Search:
        return self.fitting(setting).phases(setting)

    def phases(self, setting: Setting) -> Search:
        """The search, once every setting is known."""
        budget = Budget.of(setting, self.max_cost - self.refit_share(setting))
        course = Course(setting, budget, self)
        moves = self._moves(setting.operations, setting.limits)
        first = yield from warm_up(course, moves, self)
        if course.head is None:
            return first
        yield from grow(course, moves, self)
        if setting.target_accuracy is None:
            yield from shrink(course, moves, self)
        yield from finish(course, self)
        if course.reached:
            course.settle_on(course.place)
            yield from trim(course, moves, self)
        return (yield from refitted(course, self))
