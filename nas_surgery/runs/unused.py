"""What a spec sets and its run does not use: said once, when the run begins."""

from collections.abc import Callable, Collection
from pathlib import Path

import attrs

from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.runs.parts import ARRAYS
from nas_surgery.runs.preparation import Preparation


@attrs.frozen
class _Rule:
    """Keys of a spec that change nothing where `holds`, and why. holds: of the preparation, and of whether
    the caller gave a network."""

    keys: tuple[str, ...]
    holds: Callable[[Preparation, bool], bool]
    why: str


RULES = (
    _Rule(
        ("run.workers", "run.job_seconds"),
        lambda made, _: made.spec.run.executor == "local",
        'run.executor = "local" carries out one job after the other',
    ),
    _Rule(
        ("search.score",),
        lambda made, _: not made.strategy.judges_by_score,
        "the strategy judges by a measure of its own",
    ),
    _Rule(
        ("training.schedule_epochs", "training.schedule_factor"),
        lambda made, _: made.spec.training.schedule != "step",
        'only training.schedule = "step" has steps',
    ),
    _Rule(
        (
            "network.hidden",
            "network.activation",
            "network.initializer",
            "network.dropout",
            "data.scaling",
        ),
        lambda made, network: network or made.spec.network.file is not None,
        "the start network is used as it is given",
    ),
    _Rule(("network.file",), lambda _, network: network, "a network was given"),
    _Rule(
        ("data.target", "data.missing"),
        lambda made, _: made.encoding is None,
        "only a table, such as of csv:PATH, has columns",
    ),
    _Rule(("data.source",), lambda made, _: made.spec.data.source == ARRAYS, "data were given"),
)


def unused(made: Preparation, given: Collection[str], network: bool) -> list[str]:
    """A line for each key that was given and that the run does not use.

    given: dotted keys. network: whether the caller gave a network of their own.
    """
    lines = [
        f"{key} is set and not used: {rule.why}"
        for rule in RULES
        for key in rule.keys
        if key in given and rule.holds(made, network)
    ]
    return lines + _idle_executors(made) + _idle_operations(made)


def _idle_executors(made: Preparation) -> list[str]:
    """A line for the settings of each executor that is not the run's."""
    run = made.spec.run
    return [
        f'run.{name} is set and not used: run.executor = "{run.executor}"'
        for name in run.settings
        if name != run.executor
    ]


def _idle_operations(made: Preparation) -> list[str]:
    """A line for each operation that the spec names, itself or by its file, and that the strategy knows
    nothing to do with."""
    uses, spec = made.strategy.uses, made.spec
    if uses is None:
        return []
    named = [*spec.search.operations, *made.registry.from_files("operations", spec.plugins)]
    return [
        f"operation {name} is named and not used: the strategy works with {', '.join(uses) or 'none'}"
        for name in named
        if name not in uses
    ]


def warnings_said(events: Path) -> list[str]:
    """What a run was warned of when it began, by its event log; damaged lines count nothing."""
    said = []
    lines = read_regular(events, size_limit()).split(b"\n") if events.exists() else []
    for line in lines:
        try:
            event = strict_json(line)
            if event["kind"] == "warning":
                said.append(str(event["text"]))
        except (ValueError, TypeError, KeyError):
            continue
    return list(dict.fromkeys(said))
