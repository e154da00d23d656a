from math import inf, nan

import attrs
import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.analysis.scores import accuracy_score, paper_score
from nas_surgery.network import Dense, keyed_generator
from nas_surgery.operations import (
    OPERATIONS,
    AddNeurons,
    Context,
    Identity,
    Operation,
    Proposal,
    RemoveNeurons,
)
from nas_surgery.strategies import Failure, Outcome, PaperStrategy, Setting
from nas_surgery.strategies.recommender import Limits, Recommender
from nas_surgery.surgery import Surgery, origins, proved
from nas_surgery.testing.builders import build

STEPS = 50  # batches in an epoch
NETWORK = build(20, 12, "relu", 12, "relu", 12, "relu", 4)
PROBE = np.random.default_rng(0).normal(size=(8, 20))
RETRAINING = {  # multiples of the re-training batches, as the appendix lists them
    "identity": 1,
    "add_neurons": 1,
    "add_layer": 10,
    "remove_neurons": 10,
    "remove_layer": 10,
    "truncated_svd": 1,
}
PAPER = {name: OPERATIONS[name] for name in RETRAINING}


class World:
    """Answers jobs without training: operations are carried out, accuracies come from a function.

    accuracy(job, network): a number, or None for a job that fails. Every round is checked for what
    the driver relies on.
    """

    def __init__(self, accuracy, operations=None, network=NETWORK):
        self.accuracy, self.operations, self.start = accuracy, operations or PAPER, network
        self.jobs, self.outcomes, self.rounds = {}, {}, []
        self.held = set()  # jobs whose weights the driver still has

    def search(self, settings=None, **setting):
        """Run the strategy to its end; the winner's id."""
        given = {"seed": 0, "max_epochs": 100, "score": paper_score, **setting}
        made = Setting(
            self.start,
            steps_per_epoch=STEPS,
            training_samples=16 * STEPS,
            operations=self.operations,
            **given,
        )
        generator = PaperStrategy(**(settings or {})).search(made)
        current = next(generator)
        while True:
            outcomes = self.answer(current)
            try:
                current = generator.send(outcomes)
            except StopIteration as end:
                self.winner = end.value
                assert self.winner in self.held
                return self

    def answer(self, current):
        self.rounds.append(current)
        assert current.best is None if len(self.rounds) == 1 else not self[current.best].failed
        assert set(current.live) <= self.held, "weights that were given up cannot come back"
        self.held = {*current.live, current.best, *(job.id for job in current.jobs)}
        for job in current.jobs:
            assert job.id == len(self.jobs)
            assert job.parent is None or job.parent in current.live
            assert job.steps >= 0
            self.jobs[job.id] = job
            self.outcomes[job.id] = self.perform(job)
        return [self[job.id] for job in current.jobs]

    def perform(self, job):
        before = self.start if job.parent is None else self[job.parent].network
        network = before
        for operation in job.operations:
            network = operation(network, seed=job.id, probe=PROBE)
        accuracy = self.accuracy(job, network)
        if accuracy is None:
            return Outcome(job.id, failure=Failure("as the test wants it"))
        proposals = ()
        if job.thresholds is not None:
            recommender = Recommender(self.operations, *job.thresholds)
            proposals = tuple(recommender.candidates(job.id, network, Limits()))
        return Outcome(
            job.id,
            accuracy,
            1 - accuracy,
            topology=network,
            position=job.steps + (0 if job.parent is None else self[job.parent].step),
            origins=origins(before, network) if job.operations else (),
            proposals=proposals,
        )

    def __getitem__(self, job):
        return self.outcomes[job]

    def lineage(self):
        """The jobs that led to the winner, the first one first."""
        jobs, place = [], self.winner
        while place is not None:
            jobs.insert(0, self.jobs[place])
            place = jobs[0].parent
        return jobs

    def decisions(self, key):
        return [current.decision for current in self.rounds if key in current.decision]

    def tries(self):
        """The tries of each decision: (round of candidates, round of branches) by epoch."""
        found = {}
        for first, second in zip(self.rounds, self.rounds[1:], strict=False):
            if "proposals" in first.decision:
                found.setdefault(first.decision["epoch"], []).append((first, second))
        return found


def rising(job, network):
    """Every job is a little more accurate than all before it, so that no branch ever falls behind."""
    return 0.1 + 1e-4 * job.id


def random_accuracy(seed, failing=0.0, purposes=("candidate",)):
    """Anything may happen; jobs of the named purposes may fail."""

    def accuracy(job, network):
        generator = keyed_generator(seed, "accuracy", job.id)
        fails = job.purpose in purposes and generator.random() < failing
        return None if fails else float(generator.random())

    return accuracy


def operation_of(job):
    return job.operations[0].name if job.operations else None


def test_the_settings_are_those_of_the_appendix():
    """Which the defaults of the strategy are."""
    settings = PaperStrategy()
    assert (settings.initial_epochs, settings.epoch_step) == (10, 10)
    assert (settings.branches, settings.redraws, settings.memory) == (2, 2, True)
    assert settings.retraining_batches == 25
    assert (settings.epsilon_relative, settings.epsilon_absolute) == (0.005, 0.3)
    assert (settings.mode, settings.random_draw) == ("best-per-operation", True)
    assert {name: cls.retraining for name, cls in PAPER.items()} == RETRAINING


def test_the_phases_are_those_of_algorithm_1():
    """10 epochs, then 9 decisions 10 epochs apart, each with candidates and two branches."""
    world = World(rising).search()
    assert len(world.rounds) == 1 + 9 * 2
    (first,) = world.rounds[0].jobs
    assert (first.parent, first.operations, first.steps) == (None, (), 10 * STEPS)
    assert list(world.tries()) == list(range(10, 100, 10))
    for ((candidates, branches),) in world.tries().values():
        assert {job.purpose for job in candidates.jobs} == {"candidate"}
        assert {job.purpose for job in branches.jobs} == {"branch"}
        assert len(branches.jobs) == 2
        for job in candidates.jobs:
            assert job.steps == 25 * RETRAINING[operation_of(job)]
        for job in branches.jobs:
            assert job.steps + world.jobs[job.parent].steps == 10 * STEPS


def test_a_try_is_identity_per_branch_the_best_of_each_operation_and_one_draw():
    """From the proposals of all branches together."""
    world = World(rising).search()
    for ((candidates, _),) in world.tries().values():
        proposals = candidates.decision["proposals"]
        names = [operation_of(job) for job in candidates.jobs]
        parents = {job.parent for job in candidates.jobs if operation_of(job) == "identity"}
        assert parents == {p["branch"] for p in proposals}
        assert names.count("identity") == len(parents)
        others = {p["operation"]["name"] for p in proposals} - {"identity"}
        assert set(names) == others | {"identity"}
        assert len(names) == len(parents) + len(others) + 1
        best = {}
        for p in proposals:
            best.setdefault(p["operation"]["name"], p["job"])
        assert set(best.values()) <= {job.id for job in candidates.jobs}
        assert sum(p["job"] is not None for p in proposals) == len(names)


def test_the_training_adds_up_to_the_papers_account():
    """Branches train 190 epochs, and 20 more for each re-draw: the paper's 290 at .56 a decision."""
    world = World(rising).search()
    trained = sum(job.steps for job in world.jobs.values() if job.purpose != "candidate")
    survivors = {job.parent for job in world.jobs.values() if job.purpose == "branch"}
    trained += sum(world.jobs[job].steps for job in survivors if world.jobs[job].operations)
    assert trained == 190 * STEPS
    assert pytest.approx(290, abs=1) == 190 + 0.56 * 9 * 20


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.9, 1.0]), st.integers(1, 3))
@hypothesis.settings(max_examples=15)
def test_the_winner_has_been_trained_for_100_epochs_whatever_happens(seed, failing, branches):
    """Exactly: re-draws, failures and branches that go on alone change nothing in that."""
    world = World(random_accuracy(seed, failing)).search({"branches": branches}, seed=seed)
    assert world[world.winner].step == 100 * STEPS
    assert sum(job.steps for job in world.lineage()) == 100 * STEPS
    assert not world[world.winner].failed


@pytest.mark.parametrize("epochs", [1, 9, 10, 11, 25])
def test_other_numbers_of_epochs_are_kept_too(epochs):
    """Shorter than the pre-training, or no multiple of the step."""
    world = World(rising).search(max_epochs=epochs)
    assert world[world.winner].step == epochs * STEPS
    assert list(world.tries()) == [start for start in (10, 20) if start < epochs]


def test_retraining_never_goes_beyond_the_epoch_step():
    """With few batches in an epoch, a multiplier of 10 would overrun the decision point."""
    world = World(rising).search({"retraining_batches": 400, "epoch_step": 10})
    for ((candidates, branches),) in world.tries().values():
        for job in candidates.jobs:
            assert job.steps == min(400 * RETRAINING[operation_of(job)], 10 * STEPS)
        for job in branches.jobs:
            assert job.steps == 10 * STEPS - world.jobs[job.parent].steps


def test_identity_all_the_way_is_the_start_network():
    """Where nothing beats it, the winner is what plain training gives."""

    def accuracy(job, network):
        changed = network is not NETWORK
        return 0.9 + 1e-4 * job.id - (0.5 if changed else 0)

    world = World(accuracy).search()
    assert world[world.winner].network is NETWORK
    assert {operation_of(job) for job in world.lineage()} == {None, "identity"}
    assert sum(operation_of(job) == "identity" for job in world.lineage()) == 9


def test_branches_are_the_best_two_by_eq_16():
    """Accuracy, gain against the parent at the decision point, and the exact parameter fraction."""
    world = World(random_accuracy(3)).search({"memory": False})
    for ((candidates, branches),) in world.tries().values():
        scores = {}
        for job in candidates.jobs:
            outcome, parent = world[job.id], world[job.parent]
            gain = outcome.accuracy - parent.accuracy
            scores[job.id] = paper_score(
                outcome.accuracy, gain, outcome.parameters / parent.parameters
            )
        ranked = sorted(scores, key=lambda job: -scores[job])
        assert [job.parent for job in branches.jobs] == ranked[:2]
        assert branches.decision["scores"] == {str(job): scores[job] for job in ranked}
        assert branches.decision["selected"] == ranked[:2]


@pytest.mark.parametrize("redraws", [0, 1, 2])
def test_a_decision_is_redrawn_at_most_so_often(redraws):
    """Until a branch keeps up; no try takes what an earlier one took."""

    def accuracy(job, network):
        return 0.9 - 1e-3 * job.id if job.purpose == "branch" else 0.9

    world = World(accuracy).search({"redraws": redraws}, max_epochs=20)
    (tries,) = world.tries().values()
    assert len(tries) == 1 + redraws
    assert [first.decision["try"] for first, _ in tries] == list(range(1 + redraws))
    taken = [(job.parent, job.operations) for first, _ in tries for job in first.jobs]
    assert len(set(taken)) == len(taken)
    for first, _ in tries[1:]:
        assert "identity" not in {operation_of(job) for job in first.jobs}


def test_a_try_that_keeps_up_ends_the_redraws():
    """Here the second one does; a branch that falls behind is dropped beside one that does not."""

    def accuracy(job, network):
        if job.purpose == "candidate":
            return 0.5
        return 0.8 if job.parent is None or job.id == keeps_up else 0.7

    keeps_up = None
    trial = World(accuracy).search(max_epochs=20)
    ((_, _), (_, second), *_) = next(iter(trial.tries().values()))
    keeps_up = second.jobs[1].id
    world = World(accuracy).search(max_epochs=20)
    assert len(next(iter(world.tries().values()))) == 2
    assert world.winner == keeps_up


def test_as_good_as_before_is_good_enough():
    """The memory asks for no improvement, only for no loss; without memory not even that."""
    world = World(lambda job, network: 0.5).search()
    assert all(len(tries) == 1 for tries in world.tries().values())

    def declining(job, network):
        return 0.9 - 1e-4 * job.id

    world = World(declining).search({"memory": False})
    assert all(len(tries) == 1 for tries in world.tries().values())


@pytest.mark.parametrize("identity", [0.9, 0.1])
def test_the_best_known_branch_goes_on_when_every_try_falls_behind(identity):
    """Without surgery. Where it was selected unchanged it is trained already, and not again."""

    def accuracy(job, network):
        if job.purpose == "candidate":
            return identity if operation_of(job) == "identity" else 0.5
        return 0.8 if job.purpose == "pretrain" else 0.4

    world = World(accuracy).search(max_epochs=20)
    kinds = [operation_of(job) for job in world.lineage()]
    assert world[world.winner].network is NETWORK
    if identity == 0.9:
        assert kinds == [None, "identity", None]
        assert world.jobs[world.winner].id in {job.id for job in world.rounds[2].jobs}
    else:
        assert kinds == [None, None]
        assert world.rounds[-1].decision["event"] == "every try fell behind"
        assert world.rounds[-1].jobs == (world.jobs[world.winner],)


@pytest.mark.parametrize("branches", [1, 2, 3])
def test_so_many_branches_are_kept(branches):
    """And the candidates of the next decision are drawn from all of them."""
    world = World(rising).search({"branches": branches}, max_epochs=30)
    assert [len(current.jobs) for current in world.rounds[2::2]] == [branches, branches]
    assert len({p["branch"] for p in world.rounds[3].decision["proposals"]}) == branches


def test_the_memory_is_of_the_best_branch():
    """Whichever place it has: the others do not lower what must be reached."""
    first = World(rising).search(max_epochs=30)
    accuracies = {first.rounds[2].jobs[0].id: 0.5, first.rounds[2].jobs[1].id: 0.9}

    def accuracy(job, network):
        return accuracies.get(job.id, 0.7 if len(accuracies) and job.id > max(accuracies) else 0.3)

    world = World(accuracy).search(max_epochs=30)
    assert len(world.tries()[20]) == 3


def test_of_equally_accurate_branches_the_smaller_wins():
    """At the end as everywhere."""

    def accuracy(job, network):
        return 0.5 if job.purpose == "pretrain" else 0.9

    def score(parameters):
        return parameters  # so that the largest branch comes first

    world = World(accuracy).search({"branches": 3}, max_epochs=20, score=score)
    ends = [world[job.id] for job in world.rounds[-1].jobs]
    assert len({outcome.parameters for outcome in ends}) > 1
    assert world[world.winner].parameters == min(outcome.parameters for outcome in ends)


def test_the_best_of_two_branches_goes_on():
    """Not the first one."""

    def accuracy(job, network):
        first_decision = job.id < 20 and job.purpose == "branch" and len(world.rounds) <= 3
        if job.purpose == "candidate" or not first_decision:
            return 0.3
        return 0.5 + 0.01 * job.id

    world = World(accuracy)
    world.search(max_epochs=30)
    two = world.rounds[2].jobs
    assert len(two) == 2
    assert two[1] in world.lineage()
    assert two[0] not in world.lineage()


@given(st.integers(0, 10**6))
@hypothesis.settings(max_examples=10)
def test_failed_jobs_never_win(seed):
    """Neither do they take a place among the branches, nor branches that fail themselves."""
    world = World(random_accuracy(seed, 0.5, ("candidate", "branch"))).search()
    for current in world.rounds:
        for job in current.jobs:
            assert job.parent is None or not world[job.parent].failed
    assert not any(world[job.id].failed for job in world.lineage())


def test_a_start_that_fails_is_the_result():
    """The driver says so; no other job can follow."""
    world = World(lambda job, network: None).search()
    assert (world.winner, len(world.jobs)) == (0, 1)


def test_branches_that_all_fail_end_the_search_with_the_best_so_far():
    """What was trained before them is valid still."""
    world = World(lambda job, network: None if job.id else 0.5).search()
    assert world.winner == 0


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_scores_that_are_no_numbers_never_win(value):
    """However accurate the candidate is."""

    def score(accuracy, size_fraction):
        return value if size_fraction > 1 else accuracy

    world = World(lambda job, network: network.parameter_count / 1e6).search(score=score)
    for _, branches in (pair for tries in world.tries().values() for pair in tries):
        for job in branches.jobs:
            parent = world.jobs[job.parent].parent
            assert world[job.parent].parameters <= world[parent].parameters


def test_a_score_that_raises_fails_its_candidates_and_not_the_run():
    """The run is told by name; if it always raises, the start is trained without surgery."""
    told = []

    def score(size_fraction):
        if size_fraction != 1:
            raise ZeroDivisionError("no score")
        return 1.0

    def report(name, error):
        told.append((name, str(error)))

    world = World(rising).search(score=score, score_name="mine", report=report)
    assert set(told) == {("mine", "no score")}
    assert {operation_of(job) for job in world.lineage()} == {None, "identity"}

    def broken(accuracy):
        raise SystemExit(3)

    world = World(rising).search(score=broken, report=report)
    assert {operation_of(job) for job in world.lineage()} == {None}
    assert world[world.winner].step == 100 * STEPS


def test_any_branch_may_reach_the_target():
    """The second one too."""
    first = World(rising).search(max_epochs=30)
    second = first.rounds[2].jobs[1].id
    world = World(lambda job, network: 0.9 if job.id == second else 0.5)
    world.search({"memory": False}, max_epochs=30, target_accuracy=0.8)
    assert world.winner == second
    assert len(world.rounds) == 3


@pytest.mark.parametrize("target", [0.05, 0.105, 1.0])
def test_the_search_ends_where_the_target_is_reached(target):
    """At the next decision point, with the branch that reached it."""
    world = World(rising).search(target_accuracy=target)
    reached = [o for o in world.outcomes.values() if o.accuracy >= target]
    if target == 0.05:
        assert len(world.jobs) == 1
    elif target == 0.105:
        assert world[world.winner] in reached
        assert world[world.winner].step < 100 * STEPS
        assert max(world[job].accuracy for job in world.rounds[-2].live) < target
    else:
        assert world[world.winner].step == 100 * STEPS


@attrs.frozen
class Swap(Operation):
    """As a plugin may be: it changes a layer that its arguments do not name."""

    name = "swap"
    where: int = 2

    def apply(self, network, context=None):
        old = network.layers[self.where]
        changed = attrs.evolve(old, kernel=old.kernel * 1.0)
        return Surgery(network.replace({self.where: (changed,)}), proved("a copy"))

    @classmethod
    def propose(cls, network, analysis):
        places = [i for i, layer in enumerate(network.layers[:-1]) if isinstance(layer, Dense)]
        return [Proposal(cls(i), 1.0, "") for i in places]


@given(st.integers(0, 10**6), st.sets(st.sampled_from([0, 2, 4, 6]), min_size=1, max_size=2))
@hypothesis.settings(max_examples=15)
def test_exclusions_follow_the_layers(seed, excluded):
    """Wherever layers are inserted and removed before them, the layers themselves stay as they were."""
    world = World(random_accuracy(seed), {**PAPER, "swap": Swap})
    world.search({"memory": False}, max_epochs=60, limits=Limits(exclude=tuple(excluded)))
    for current in world.rounds:
        for job in (job for job in current.jobs if job.purpose == "branch"):
            kept = {id(layer) for layer in world[job.id].network.layers}
            assert all(id(NETWORK.layers[address]) in kept for address in excluded)
        for job in (job for job in current.jobs if operation_of(job) in PAPER):
            kept = {id(layer) for layer in world[job.id].network.layers}
            assert all(id(NETWORK.layers[address]) in kept for address in excluded)


def test_limits_hold_for_every_candidate():
    """Proposals beyond them are not made."""
    limit = NETWORK.parameter_count + 30
    world = World(rising).search(limits=Limits(max_parameters=limit))
    assert max(outcome.parameters for outcome in world.outcomes.values()) <= limit


@pytest.mark.parametrize("mode", ["best-per-operation", "top-n"])
def test_the_modes_choose_as_many_as_they_say(mode):
    """top-n takes n beside the unchanged branches; without a draw there is nothing random."""
    settings = {"mode": mode, "top_n": 3, "random_draw": False}
    first, second = (World(rising).search(settings, seed=seed) for seed in (1, 2))
    assert [r.decision for r in first.rounds] == [r.decision for r in second.rounds]
    for ((candidates, _),) in first.tries().values():
        names = [operation_of(job) for job in candidates.jobs]
        if mode == "top-n":
            assert len(names) - names.count("identity") == 3


def as_json(world):
    """Everything that a search asked for and decided."""
    return [
        ([job.to_json() for job in current.jobs], current.live, current.best, current.decision)
        for current in world.rounds
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_same_outcomes_lead_to_the_same_search(seed):
    """And the seed alone changes the draws."""
    first, second = (World(random_accuracy(seed)).search(seed=seed) for _ in range(2))
    assert as_json(first) == as_json(second)


def test_draws_depend_on_the_seed():
    """On nothing else that is random."""
    searches = [as_json(World(rising).search(seed=seed)) for seed in range(3)]
    assert searches[0] != searches[1] != searches[2]


def test_a_search_is_replayed_from_what_the_journal_holds():
    """Outcomes without weights, as JSON gives them back, lead to the same jobs."""

    accuracy = random_accuracy(5)
    first, second = World(accuracy).search(), Journaled(accuracy).search()
    assert as_json(first) == as_json(second)


class Journaled(World):
    """Keeps the networks to itself, and answers with what the journal would hold."""

    def answer(self, current):
        full = super().answer(current)
        return [Outcome.from_json(outcome.to_json(), self.operations) for outcome in full]


@attrs.frozen
class Turn(Operation):
    """Widens a layer of twelve units, and narrows one of thirteen."""

    name = "turn"

    def apply(self, network, context=None):
        wide = network.hidden[0] == 13
        turned = RemoveNeurons(0, keep=12, method="magnitude") if wide else AddNeurons(0, 1, "zero")
        return turned.apply(network, context or Context())

    @classmethod
    def propose(cls, network, analysis):
        return [Proposal(cls(), 1.0, "")]


def turning(accuracy):
    """A network whose only edit leads back."""
    return World(accuracy, {"identity": Identity, "turn": Turn}, build(20, 12, "relu", 4))


def restless(job, network):
    """More accurate with every job, and most of all behind an operation that changes the width."""
    return 0.1 + 1e-4 * job.id + 1e-5 * any(o.name == "turn" for o in job.operations)


def ended(accuracy, **settings):
    """What one branch comes to, judged by its accuracy alone."""
    given = {"branches": 1, "redraws": 0, **settings}
    return turning(accuracy).search(given, score=accuracy_score)


def test_a_search_that_turns_in_circles_ends():
    """Twelve, thirteen, twelve, thirteen units: the last two changes lead back. Without the setting it goes
    on to its last epoch."""
    found = ended(restless, oscillation=2)
    last = found.rounds[-1]
    assert (last.jobs, last.ending) == ((), "oscillation")
    assert last.decision == {"epoch": 40, "event": "stopped early", "stopped": "oscillation"}
    assert [
        found[job.id].network.hidden for job in found.lineage() if job.purpose != "candidate"
    ] == [
        (12,),
        (13,),
        (12,),
        (13,),
    ]
    usual = ended(restless)
    assert [current.ending for current in usual.rounds if current.ending] == []
    assert usual[usual.winner].step == 100 * 50


def test_a_search_that_gets_no_better_ends_with_its_best():
    """Two decisions behind the most accurate network, which is the winner although others went on."""

    def falling(job, network):
        return 0.9 - 1e-3 * job.id

    found = ended(falling, patience=2, memory=False)
    assert found.rounds[-1].ending == "patience"
    assert found.rounds[-1].decision["epoch"] == 30
    assert found.winner == 0
    assert all(current.best == 0 for current in found.rounds[1:])
    patient = ended(falling, patience=100, memory=False)
    assert patient[patient.winner].step < 100 * 50 <= max(o.step for o in patient.outcomes.values())


def test_progress_gives_new_patience():
    """As long as something gets better there is no end."""
    found = ended(restless, patience=1)
    assert [current.ending for current in found.rounds if current.ending] == []
