"""The default strategy against simulated outcomes: surgery is real, training is a function."""

import inspect
import json
from collections.abc import Callable
from math import log2, nan

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.analysis.scores import paper_score
from nas_surgery.network import keyed_generator
from nas_surgery.operations import OPERATIONS
from nas_surgery.strategies import Cost, DefaultStrategy, Failure, Outcome, Setting
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.strategies.recommender import Limits
from nas_surgery.surgery import origins
from nas_surgery.testing.builders import build
from nas_surgery.training.plans import Recipe

BATCH = 16
NETWORK = build(20, 12, "relu", 8, "relu", 4)
FAILED = Failure("training diverged")


class World:
    """Answers jobs without training, and checks every round for what the driver relies on.

    loss(job, network, step): the validation loss, nan, or None for a job that fails. accuracy likewise.
    """

    def __init__(self, loss, accuracy=None, network=NETWORK, samples=16 * 50, epochs=50, **setting):
        self.loss, self.accuracy, self.start = loss, accuracy or (lambda *_: 0.5), network
        self.recipe = Recipe(batch_size=BATCH)
        self.setting = Setting(
            network=network,
            seed=0,
            max_epochs=epochs,
            steps_per_epoch=-(-samples // BATCH),
            training_samples=samples,
            score=paper_score,
            operations=OPERATIONS,
            **setting,
        )
        self.parts = lambda job, found: ()
        self.jobs, self.outcomes, self.rounds = {}, {}, []
        self.held, self.spent, self.check = set(), 0, lambda current, finished: None

    def search(self, **settings):
        self.strategy = DefaultStrategy(**settings)
        generator = self.strategy.search(self.setting)
        current = next(generator)
        while True:
            try:
                current = generator.send(self.answer(current))
            except StopIteration as end:
                self.winner = end.value
                assert self.winner in self.held
                return self

    def answer(self, current):
        assert set(current.live) <= self.held, "weights that were given up cannot come back"
        assert current.best is None or current.best in current.live
        json.dumps(current.decision, allow_nan=False)
        self.rounds.append(current)
        self.held = {*current.live, *(job.id for job in current.jobs)}
        finished = []
        for job in current.jobs:
            assert job.id == len(self.jobs)
            assert job.parent is None or job.parent in current.live
            self.jobs[job.id] = job
            self.outcomes[job.id] = self.perform(job)
            finished.append(self.outcomes[job.id])
            self.check(current, finished)
        return finished

    def perform(self, job):
        before = self.start if job.parent is None else self.outcomes[job.parent].network
        start = 0 if job.parent is None else self.outcomes[job.parent].step
        network = before
        for operation in job.operations:
            network = operation.apply(network).network
        samples = self.setting.training_samples + job.refit * self.setting.spare_samples
        count = self.recipe.plan_samples(samples, start, start + job.steps)
        cost = Cost(count, 3 * network.macs * count)
        self.spent += cost.training_macs
        found = self.loss(job, network, start + job.steps)
        if found is None:
            return Outcome(job.id, cost=cost, failure=FAILED)
        kept = origins(before, network) if job.operations else ()
        accuracy = self.accuracy(job, network, start + job.steps)
        return Outcome(
            job.id,
            accuracy,
            found,
            1 / (1 + start + job.steps),  # a training loss that always falls
            self.parts(job, found),
            topology=network,
            position=start + job.steps,
            origins=kept,
            cost=cost,
        )

    @property
    def network(self):
        return self.outcomes[self.winner].network

    def limit(self, network):
        """The most that may be spent if this network wins."""
        epochs, samples = self.setting.max_epochs, self.setting.training_samples
        return self.strategy.max_cost * 3 * network.macs * samples * epochs

    def events(self, name):
        return [r.decision for r in self.rounds if r.decision["event"] == name]


def by_size(slope, rate=0.0) -> Callable:
    """Losses that fall by `slope` nats for each doubling of parameters, and by `rate` over 50 epochs."""
    return lambda job, network, step: 2 - slope * log2(network.parameter_count) - rate * step / 2500


def parameters(world):
    return [
        world.outcomes[job].parameters for job in world.outcomes if not world.outcomes[job].failed
    ]


STARTS = [NETWORK, build(20, 3, "relu", 4), build(8, 200, "relu", 100, "tanh", 3), build(20, 4)]


@given(
    seed=st.integers(0, 2**32),
    start=st.sampled_from(STARTS),
    max_cost=st.sampled_from([0.02, 0.3, 1.0, 1.5, 4.0]),
    price=st.sampled_from([0.0, 0.01, 0.3]),
    failing=st.sampled_from([0.0, 0.1, 0.5]),
    slope=st.sampled_from([-0.2, 0.0, 0.05, 0.3]),
    samples=st.sampled_from([10, 300, 807]),
    epochs=st.sampled_from([1, 7, 50]),
    limit=st.sampled_from([None, 150, 2000]),
    weight_decay=st.sampled_from([0.0, 0.1]),
    spare=st.sampled_from([0, 5, 200]),
)
def test_the_cap_holds_whenever_a_run_stops(
    seed, start, max_cost, price, failing, slope, samples, epochs, limit, weight_decay, spare
):
    """Whatever comes out of jobs, and after whichever job it ends, no network that may be the result
    is too small for what was spent."""

    def loss(job, network, step):
        generator = keyed_generator(seed, "loss", job.id)
        if generator.random() < failing:
            return (None, nan)[int(generator.random() < 0.5)]
        return 2 - slope * log2(network.parameter_count) + generator.normal() * 0.02

    limits = Limits(max_parameters=limit)
    world = World(
        loss,
        lambda job, *_: keyed_generator(seed, "a", job.id).random(),
        start,
        samples=samples,
        epochs=epochs,
        limits=limits,
        weight_decay=weight_decay,
        spare_samples=spare,
    )

    def check(current, finished):
        best = [] if current.best is None else [world.outcomes[current.best]]
        for outcome in [*best, *finished]:
            if not outcome.failed:
                assert world.spent <= world.limit(outcome.network)

    world.check = check
    world.search(max_cost=max_cost, price=price)
    winner = world.outcomes[world.winner]
    assert winner.failed or world.spent <= world.limit(winner.network)
    refitted = world.jobs[world.winner].refit
    end = world.setting.max_epochs * world.setting.steps_per_epoch
    assert winner.failed or winner.step <= (1.1 if refitted else 1.0) * end


@given(
    seed=st.integers(0, 2**32),
    start=st.sampled_from(STARTS[:3]),
    limit=st.sampled_from([60, 150, 400]),
    measure=st.sampled_from(["max_parameters", "max_macs"]),
)
def test_limits_on_size_are_met_by_every_network(seed, start, limit, measure):
    """A start beyond them is cut first, and nothing ever grows past them."""
    noise = lambda job: keyed_generator(seed, "loss", job.id).normal() * 0.02  # noqa: E731
    world = World(
        lambda job, network, step: 1 - 0.2 * log2(network.parameter_count) + noise(job),
        network=start,
        limits=Limits(**{measure: limit}),
    ).search()
    smallest = (
        start.input_shape[0] + 2 + start.output_shape[0] * 2
    )  # one unit in each layer, and less
    for outcome in world.outcomes.values():
        size = outcome.network.macs if measure == "max_macs" else outcome.parameters
        assert size <= max(limit, smallest)


def test_growth_fills_a_limit_by_less_than_a_doubling():
    """A proposal that does not fit is made smaller, not dropped."""
    world = World(by_size(0.3), limits=Limits(max_parameters=500)).search()
    assert NETWORK.parameter_count == 392
    assert 470 <= max(parameters(world)) <= 500


@pytest.mark.parametrize("excluded", [0, 2, 4])
def test_excluded_layers_are_never_touched(excluded):
    """The layer of the start is the same object in every network, whatever pays."""
    layer = NETWORK.layers[excluded]
    for slope in (0.3, -0.3):
        world = World(by_size(slope), limits=Limits(exclude=(excluded,))).search()
        assert all(any(held is layer for held in o.network.layers) for o in world.outcomes.values())


def test_an_operation_that_touches_an_excluded_layer_cannot_win():
    """Even where the proposal did not say so, what came out is looked at."""
    world = World(by_size(0.3), limits=Limits(exclude=(0,)))
    perform = world.perform

    def meddling(job):
        outcome = perform(job)
        return attrs.evolve(outcome, origins=tuple(None for _ in outcome.origins))

    world.perform = meddling
    world.search()
    assert world.network.equals(NETWORK)


def test_identity_wins_where_nothing_pays():
    """A start that is as good as everything larger, and better than everything smaller, stays as it is;
    growth ends after as many lost races as `patience` says."""
    size = NETWORK.parameter_count

    def loss(job, network, step):
        return 1 + max(0.0, 0.3 * log2(size / network.parameter_count))

    for patience in (1, 2):
        world = World(loss).search(patience=patience)
        assert world.network.hidden == NETWORK.hidden
        races = [d for d in world.events("growth") if d["rung"] == 0]
        assert len(races) == patience


def test_growth_goes_on_while_it_pays_and_stops_at_the_price():
    """Widths double in proportion while a doubling gains more than the price says, and not below."""
    foresight = DefaultStrategy().foresight
    grown = World(by_size(1.1 * 0.05 / foresight)).search(price=0.05, removal_from=0.99)
    assert grown.network.parameter_count > 8 * NETWORK.parameter_count
    kept = World(by_size(0.9 * 0.05 / foresight)).search(price=0.05, removal_from=0.99)
    assert kept.network.hidden == NETWORK.hidden


def test_what_is_large_enough_does_not_grow():
    """A start with `ample` parameters for each sample is not even raced against larger ones."""
    world = World(by_size(0.3), samples=NETWORK.parameter_count // 20).search()
    assert not world.events("growth")
    assert max(parameters(world)) == NETWORK.parameter_count


def test_what_is_not_needed_is_removed():
    """Where size does not matter, the winner is smaller, and the budget says how much."""
    world = World(by_size(0.0)).search(growth_until=0.0)
    assert world.network.parameter_count < 0.6 * NETWORK.parameter_count
    richer = World(by_size(0.0)).search(growth_until=0.0, max_cost=4.0)
    assert richer.network.parameter_count < world.network.parameter_count


def test_removal_waits_while_the_network_learns_fast():
    """While a race's length of training gains more than a removal is worth, none is tried."""
    world = World(by_size(0.0, rate=5.0)).search(growth_until=0.0)
    assert not world.events("removal")
    assert world.network.equals(NETWORK)


def test_removals_that_cost_much_at_once_are_not_raced():
    """Damage before retraining decides whether a race is worth its price."""

    def loss(job, network, step):
        return 1.0 if network.parameter_count >= NETWORK.parameter_count else 1.5

    world = World(loss).search(growth_until=0.0)
    assert world.events("removal: damage measured")
    assert not world.events("removal")


@pytest.mark.parametrize("bad", [None, nan])
def test_failed_candidates_never_win(bad):
    """What fails or has no finite loss is nobody's parent, however large the gain of the others."""

    def loss(job, network, step):
        return bad if network.hidden != NETWORK.hidden else 1.0

    world = World(loss).search()
    assert world.network.hidden == NETWORK.hidden
    parents = {job.parent for job in world.jobs.values()} - {None}
    assert all(world.outcomes[p].network.hidden == NETWORK.hidden for p in parents)


def test_a_start_that_diverges_is_tried_again_at_a_lower_rate():
    """And the lower rate stays; if every try fails, the last one is the answer."""
    world = World(lambda job, *_: None if job.rate > 0.5 else 1.0).search()
    assert [world.jobs[i].rate for i in (0, 1)] == [1.0, pytest.approx(0.3)]
    assert not world.outcomes[world.winner].failed
    assert all(job.rate <= 0.3 + 1e-9 for job in world.jobs.values() if job.id)
    hopeless = World(lambda *_: None).search(retries=3)
    assert len(hopeless.jobs) == 4
    assert hopeless.winner == 3


def test_training_that_diverges_later_goes_back_and_slows_down():
    """A stretch between races that fails is repeated from the same network at a lower rate."""
    world = World(
        lambda job, network, step: None if step > 1000 and job.rate > 0.5 else 1.0
    ).search(max_cost=4.0)
    assert world.outcomes[world.winner].step == 2500
    failed = [o.job for o in world.outcomes.values() if o.failed]
    stretch = next(job for job in failed if world.jobs[job].purpose == "branch")
    assert world.jobs[stretch].parent == world.jobs[stretch + 1].parent


@given(seed=st.integers(0, 2**32))
def test_the_same_outcomes_lead_to_the_same_search(seed):
    """A search can be replayed: jobs, decisions and winner follow from outcomes alone."""

    def play():
        world = World(lambda job, *_: keyed_generator(seed, "loss", job.id).random())
        world.search()
        asked = [
            (r.decision, [job.to_json() for job in r.jobs], r.live, r.best) for r in world.rounds
        ]
        return world.winner, json.dumps(asked)

    assert play() == play()


def test_races_are_fair():
    """All runners of a rung train equally long, in the first from one network or what surgery alone
    made of it, with a control."""
    world = World(by_size(0.1)).search()

    def trained(job):
        """The job that a network has its training from."""
        while not world.jobs[job].steps and world.jobs[job].parent is not None:
            job = world.jobs[job].parent
        return job

    for current in world.rounds:
        if current.decision["event"] in ("growth", "removal"):
            assert len({job.steps for job in current.jobs}) == 1
            assert len({job.rate for job in current.jobs}) == 1
            assert not current.jobs[0].operations
            if current.decision["rung"] == 0:
                assert len({trained(job.parent) for job in current.jobs}) == 1


def test_decisions_say_who_raced_at_what_price_and_who_won():
    """Losses and prices of a judgement add up to the values by which its leader leads."""
    world = World(by_size(0.1)).search()
    judged = world.events("growth: judged")
    assert judged
    for decision in judged:
        values = {
            job: decision["losses"][job] + decision["size_prices"][job]
            for job in decision["losses"]
        }
        assert decision["selected"] == [int(min(values, key=values.__getitem__))]
    for decision in world.events("growth"):
        for entry in decision["entries"]:
            made = world.outcomes[entry["job"]].network
            assert (entry["parameters"], entry["macs"]) == (made.parameter_count, made.macs)


def test_two_endings_and_the_better_one_wins():
    """The last stretch is trained cooled and averaged, and as before, from the same network."""
    for favoured in (True, False):

        def loss(job, network, step, favoured=favoured):
            return 0.9 if bool(job.average) is favoured and step == 2500 else 1.0

        world = World(loss).search(max_cost=4.0)
        endings = [job for job in world.jobs.values() if world.outcomes[job.id].step == 2500]
        assert [(job.average, job.rate) for job in endings] == [(3, 0.2), (0, 1.0)]
        assert bool(world.jobs[world.winner].average) is favoured


def test_an_earlier_network_is_kept_only_if_it_is_clearly_better():
    """Losses of one network swing: the last wins unless the earlier is better by `regret`, in accuracy too."""

    def early(depth, accuracy):
        def loss(job, network, step):
            return 1 - depth if step == 1250 and not job.operations else 1.0

        world = World(loss, lambda job, network, step: accuracy if step == 1250 else 0.5)
        return world.search(growth_until=0.0, removal_until=0.0, patience=100)

    for world in (early(0.05, 0.6), early(0.3, 0.4)):
        assert world.outcomes[world.winner].step == 2500
    assert early(0.3, 0.6).outcomes[early(0.3, 0.6).winner].step == 1250


def test_training_that_goes_too_fast_is_taken_back_and_slows_down():
    """Where a lower rate helps, the search goes on with it to the end, from before it went wrong."""

    def loss(job, network, step):
        return 1 - step / 5000 + 10 * (step > 1000 and job.rate > 0.5)

    world = World(loss).search(max_cost=4.0)
    winner = world.outcomes[world.winner]
    assert winner.step == 2500
    assert winner.loss < 1
    assert not [each.ending for each in world.rounds if each.ending]
    parents = {job.parent for job in world.jobs.values()}
    assert not [o.job for o in world.outcomes.values() if o.loss > 2 and o.job in parents]


def overfitting(decay, since=300):
    """A loss that rises from some step on, unless the weight decay is at least so many times the first."""

    def loss(job, network, step):
        return 1 - min(step, since) / 1_000 + (job.decay < decay) * max(0, step - since) / 1_000

    return loss


@pytest.mark.parametrize("least", [2.0, 8.0])
def test_overfitting_raises_the_weight_decay(least):
    """After `stamina` looks without anything better, training goes on from the best network, firmer."""
    world = World(overfitting(least), weight_decay=0.1).search(stamina=2, look=0.02, max_cost=4.0)
    raised = [job for job in world.jobs.values() if job.decay > 1]
    assert {job.decay for job in raised} == {3.0, 9.0} if least > 3 else {3.0}
    assert world.outcomes[raised[0].parent].loss == pytest.approx(0.7, abs=0.1)
    assert world.outcomes[world.winner].step == 2500
    assert world.outcomes[world.winner].loss == pytest.approx(0.7, abs=0.1)
    assert all(job.rate in (1.0, 0.2) for job in world.jobs.values())  # that of the ending


def test_overfitting_that_no_weight_decay_stops_ends_with_the_best_network():
    """The decay is raised so far as `firmest` says; what comes later is worse, and does not win."""
    world = World(overfitting(1e9), weight_decay=0.1).search(max_cost=4.0, firmest=9.0)
    assert max(job.decay for job in world.jobs.values()) <= 9.0
    best = min(o.loss for o in world.outcomes.values())
    assert world.outcomes[world.winner].loss == best
    assert max(o.step for o in world.outcomes.values()) < 1500


def test_without_weight_decay_nothing_is_raised():
    """An optimizer that decays no weights trains in long stretches, and slows down where it must."""
    world = World(overfitting(2.0)).search()
    assert all(job.decay == 1.0 for job in world.jobs.values())


def test_a_worse_look_or_two_are_forgiven():
    """Losses swing; only `stamina` looks in a row, none of them better or more accurate, count."""
    swings = World(
        lambda job, network, step: 1 - step / 5_000 + 0.1 * (job.id % 3 > 0),
        weight_decay=0.1,
    ).search(stamina=3, growth_until=0.0, removal_until=0.0, max_cost=4.0)
    assert all(job.decay == 1.0 for job in swings.jobs.values())
    assert max(o.step for o in swings.outcomes.values()) == 2500


def doubtful(spread, loss, **setting):
    """A world whose losses differ by so much from part to part of the validation samples."""
    world = World(loss, weight_decay=0.1, **setting)

    def parts(job, found):
        noise = keyed_generator(0, "part", job.id).normal(size=20) * spread
        return tuple(found + noise - noise.mean())

    world.parts = parts
    return world


def first_race(world):
    return next(r for r in world.rounds if r.decision["event"] == "growth")


@pytest.mark.parametrize(("decay", "first", "rung"), [(0.0, 150, 100), (0.1, 50, 100)])
def test_growth_begins_earlier_where_weights_decay(decay, first, rung):
    """And what is given stays."""
    world = World(by_size(0.1), weight_decay=decay).search()
    assert world.jobs[0].steps == first
    assert first_race(world).jobs[0].steps == rung
    given = World(by_size(0.1), weight_decay=decay).search(warm_up=0.1, growth_rung=0.08)
    assert (given.jobs[0].steps, first_race(given).jobs[0].steps) == (250, 200)


def test_growth_must_be_ahead_beyond_doubt():
    """A gain that the choice of validation samples may have made keeps no wider network."""
    sure = doubtful(0.01, by_size(0.1)).search(removal_from=0.99, growth_doubt=1.0)
    assert sure.network.parameter_count > 4 * NETWORK.parameter_count
    unsure = doubtful(5.0, by_size(0.1)).search(removal_from=0.99, growth_doubt=1.0)
    assert unsure.network.hidden == NETWORK.hidden


def test_training_is_not_taken_back_on_a_doubtful_loss():
    """As far as the standard error over the validation samples reaches."""
    loss = lambda job, network, step: 1 + 0.05 * (step > 300)  # noqa: E731
    for spread, back in ((0.01, True), (5.0, False)):
        world = doubtful(spread, loss).search(growth_until=0.0, removal_until=0.0)
        assert (max(job.decay for job in world.jobs.values()) > 1) is back


@pytest.mark.parametrize(("spare", "decay"), [(0, 0.1), (100, 0.0)])
def test_the_winner_sees_all_samples_in_the_end(spare, decay):
    """Where there are any to spare and the optimizer decays weights; otherwise nothing is asked."""
    world = World(by_size(0.1), spare_samples=100, weight_decay=0.1).search()
    last = world.jobs[world.winner]
    assert last.refit
    assert not last.operations
    assert last.id == max(world.jobs)
    assert last.steps == 250
    others = World(by_size(0.1), spare_samples=spare, weight_decay=decay).search()
    assert not any(job.refit for job in others.jobs.values())


def test_a_refit_that_fails_or_fits_worse_leaves_the_winner_as_it_was():
    """The network that was measured is the result."""
    failing = World(lambda job, *_: None if job.refit else 1.0, spare_samples=9, weight_decay=0.1)
    assert not failing.search().jobs[failing.winner].refit
    worse = World(lambda job, *_: 0.0, spare_samples=9, weight_decay=0.1)
    perform = worse.perform

    def fitted(job):
        outcome = perform(job)
        return attrs.evolve(outcome, training_loss=2.0 if job.refit else 1.0)

    worse.perform = fitted
    assert not worse.search().jobs[worse.winner].refit


def test_stretches_of_no_length_do_not_count_against_patience():
    """A phase that begins late has nothing to train first."""
    world = World(by_size(0.0, rate=1.0)).search(removal_from=0.01, growth_until=0.5, patience=1)
    assert world.outcomes[world.winner].step == 2500


def test_training_that_only_worsens_ends():
    """As soon as `patience` stretches in a row lie behind the best network."""

    def loss(job, network, step):
        return 1 + step / 500

    world = World(loss, lambda job, network, step: 1 / (1 + step)).search(growth_until=0.0)
    assert max(o.step for o in world.outcomes.values()) < 2500
    assert world.outcomes[world.winner].step == min(o.step for o in world.outcomes.values())
    assert [each.ending for each in world.rounds if each.ending] == ["patience"]


def test_a_network_that_reaches_the_target_is_trimmed_while_it_holds():
    """It grows until it is accurate enough, and then loses what it can; the winner is accurate enough."""

    def accuracy(job, network, step):
        return min(0.9, 0.1 * log2(network.parameter_count / 40))

    world = World(by_size(0.1), accuracy, target_accuracy=0.5).search(max_cost=4.0)
    largest, winner = max(parameters(world)), world.outcomes[world.winner]
    assert winner.accuracy >= 0.5
    assert NETWORK.parameter_count < winner.parameters < largest
    smaller = [o for o in world.outcomes.values() if o.parameters < winner.parameters]
    assert smaller[-1].accuracy < 0.5


def test_nothing_is_removed_before_the_target_is_reached():
    """Where it cannot be reached, the network that was grown is trained to the end."""
    world = World(by_size(0.0), target_accuracy=0.9).search(growth_until=0.0)
    assert world.network.equals(NETWORK)
    assert world.outcomes[world.winner].step == 2500


def test_the_search_ends_when_the_target_is_reached():
    """But for what may be removed, nothing is asked for once the network is accurate enough."""

    def accuracy(job, network, step):
        return 0.9 if step > 800 and network.parameter_count >= NETWORK.parameter_count else 0.1

    world = World(by_size(0.1), accuracy, target_accuracy=0.8).search()
    assert world.outcomes[world.winner].accuracy >= 0.8
    reached = next(i for i, r in enumerate(world.rounds) if r.decision["event"] == "trimming")
    later = {r.decision["event"].split(":")[0] for r in world.rounds[reached:]}
    assert later == {"trimming", "removal"}


def test_silent_units_are_revived_before_a_race():
    """A network in which units were replaced is what the race starts from."""
    kernel = np.array(NETWORK.layers[0].kernel)
    bias = np.array(NETWORK.layers[0].bias)
    kernel[:, 0], bias[0] = 0.0, -1.0
    dead = NETWORK.with_parameters({"layers.0.kernel": kernel, "layers.0.bias": bias})
    world = World(lambda *_: 1.0, network=dead).search()
    revival, race = (
        next(r for r in world.rounds if r.decision["event"] == event)
        for event in ("revival", "growth")
    )
    assert race.jobs[0].parent == revival.jobs[0].id
    healthy = World(lambda *_: 1.0).search()
    race = next(r for r in healthy.rounds if r.decision["event"] == "growth")
    assert race.jobs[0].parent == 0


@pytest.mark.parametrize("start", [build(20, 4), build(20, 5, "tanh", 4)])
def test_odd_starts_are_trained_all_the_same(start):
    """No hidden layer, or an activation behind which no identity layer is exact."""
    world = World(by_size(0.1), network=start).search()
    assert world.outcomes[world.winner].step == 2500


def test_every_setting_is_explained():
    """Each has its name in the strategy's docstring."""
    text = inspect.getdoc(DefaultSettings)
    for field in attrs.fields(DefaultStrategy):
        assert field.name in text, field.name


@pytest.mark.parametrize(
    "settings",
    [
        {"price": -1.0},
        {"max_cost": 0.0},
        {"growth": 1.0},
        {"removal": 1.0},
        {"warm_up": 1.0},
        {"patience": 0},
        {"foresight": 0.5},
        {"growth_rungs": 0},
        {"growth_method": "bogus"},
        {"removal_method": "bogus"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    """By name, with the rule."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        DefaultStrategy(**settings)
