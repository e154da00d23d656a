"""What belongs to a study: which specs, seeds, repeats and controls, and so which runs."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Self

import attrs

from nas_surgery.errors import RunError, SpecError
from nas_surgery.formats.structuring import structure
from nas_surgery.network import keyed_generator
from nas_surgery.runs.accounts import differences
from nas_surgery.runs.spec import Spec
from nas_surgery.search.journal import plain
from nas_surgery.studies.controls import CONTROLS
from nas_surgery.validators import one_of, whole

FORMAT = 1
MAX_NAME = 60  # characters of a spec's name, which is a folder's too
MAX_REPEATS = 10_000
MAX_SEED = 2**63 - 1
_NAME = re.compile(r"\w[\w .,+=-]*")


@attrs.frozen
class Task:
    """One run of a study. repeat: counts from 1. control: None for the search itself and its baseline."""

    spec: str
    seed: int
    repeat: int
    control: str | None = None

    @property
    def path(self) -> PurePosixPath:
        """Of its run directory, in that of the study."""
        what = f"-{self.control}" if self.control else ""
        return PurePosixPath("runs", self.spec, f"seed-{self.seed}-repeat-{self.repeat}{what}")

    @property
    def search(self) -> "Task":
        """The search that a control belongs to."""
        return attrs.evolve(self, control=None)

    @property
    def run_seed(self) -> int:
        """The seed of the run itself: the study's in the first repeat, and one drawn from it in the others."""
        if self.repeat == 1:
            return self.seed
        return int(keyed_generator(self.seed, "repeat", self.repeat).integers(2**31))


def _names(_: Any, attribute: Any, value: Collection[str]) -> None:
    for name in value:
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
            raise ValueError(
                f"{attribute.name}: {name!r} cannot name a spec: it has to begin with a letter or digit, go on"
                f" with these, spaces and any of . , + = - _, and have at most {MAX_NAME} characters"
            )


def _different(_: Any, attribute: Any, value: Collection[Any]) -> None:
    if not value or len(set(value)) < len(value):
        raise ValueError(f"{attribute.name} must be one or more different ones, got {list(value)}")


@attrs.frozen
class Plan:
    """A study. specs: by name, as nested plain values without their seed."""

    seeds: tuple[int, ...] = attrs.field(
        validator=[attrs.validators.deep_iterable(whole(0, MAX_SEED)), _different]
    )
    repeats: int = attrs.field(validator=whole(1, MAX_REPEATS))
    controls: tuple[str, ...] = attrs.field(
        validator=attrs.validators.deep_iterable(one_of(*CONTROLS))
    )
    specs: dict[str, dict[str, Any]] = attrs.field(validator=[_names, _different])
    format: int = attrs.field(default=FORMAT, validator=whole(FORMAT, FORMAT))

    @classmethod
    def of(
        cls,
        specs: Mapping[str, Spec],
        seeds: Collection[int],
        repeats: int,
        controls: Collection[str],
    ) -> Self:
        """A plan of valid specs; SpecError names what is wrong with anything else."""
        kept = [name for name in CONTROLS if name in controls]
        unknown = [name for name in controls if name not in CONTROLS]
        values = {
            "seeds": list(seeds),
            "repeats": repeats,
            "controls": [*kept, *unknown],
            "specs": {name: _without_seed(spec) for name, spec in specs.items()},
        }
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, as the plan file holds them; SpecError names the key and the rule."""
        plan = structure(cls, values)
        for spec in plan.specs.values():
            Spec.from_dict(spec)
        return plan

    def to_bytes(self) -> bytes:
        """As JSON."""
        return (json.dumps(plain(attrs.asdict(self)), indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def searches(self) -> Iterator[Task]:
        """The searches with their baselines, in order."""
        for name in self.specs:
            for seed in self.seeds:
                for repeat in range(1, self.repeats + 1):
                    yield Task(name, seed, repeat)

    @property
    def control_runs(self) -> Iterator[Task]:
        """The controls of each search, in order."""
        for task in self.searches:
            for control in self.controls:
                yield attrs.evolve(task, control=control)

    def spec_of(self, task: Task) -> dict[str, Any]:
        """What the search of a task runs, with its baseline."""
        spec = self.specs[task.spec]
        return {**spec, "seed": task.run_seed, "run": {**spec.get("run", {}), "baseline": True}}

    def check_continues(self, former: "Plan") -> None:
        """RunError unless this is the former plan, or more of it: nothing in it changed or left out."""
        for name, spec in former.specs.items():
            if name in self.specs:
                changes = differences(_deciding(spec), _deciding(self.specs[name]))
                if changes:
                    raise RunError(f"{name} was begun differently: {'; '.join(changes)}")
        kinds = (("spec", "specs"), ("seed", "seeds"), ("control", "controls"))
        for word, kind in kinds:
            left = [each for each in getattr(former, kind) if each not in getattr(self, kind)]
            if left:
                raise RunError(f"the {word} {left[0]} belongs to it and is left out")
        if self.repeats < former.repeats:
            raise RunError(f"it has {former.repeats} repeats, not {self.repeats}")


def _without_seed(spec: Spec) -> dict[str, Any]:
    values: dict[str, Any] = plain(spec.to_dict())
    del values["seed"]
    return values


def _deciding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What of a spec the results depend on: not how its jobs are carried out."""
    return {**spec, "run": {"threads": spec.get("run", {}).get("threads", 1)}}


def check_names(specs: Mapping[str, Any]) -> None:
    """SpecError for names that no folder can have."""
    try:
        _names(None, attrs.fields(Plan).specs, specs)
    except ValueError as error:
        raise SpecError(str(error)) from None
