"""A spec: TOML in, validated attrs classes out. Unknown keys are refused, with the nearest valid key."""

from collections.abc import Mapping
from itertools import pairwise
from os.path import abspath, exists, expanduser
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np
import tomli_w

from nas_surgery.data.splits import SCALINGS, SplitPlan
from nas_surgery.data.tables.encoding import MISSING
from nas_surgery.errors import ModelFileError, SpecError, SpecFileError
from nas_surgery.formats.structuring import GATHERED, is_utf8, structure
from nas_surgery.formats.toml import parse_toml, read_toml
from nas_surgery.network import ACTIVATIONS, INITIALIZERS, as_mapping, as_path
from nas_surgery.runs.overrides import OverrideError, blamed
from nas_surgery.training.augmentation import Augmentation
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import OPTIMIZERS, Optimizer
from nas_surgery.training.plans import STATE_AT_SURGERY, WEIGHTS_AT_SURGERY, Recipe, Schedule
from nas_surgery.validators import a, number, one_of, optional, settled, whole

MAX_UNITS = 1_000_000
MAX_LAYERS = 1_000
MAX_WEIGHTS = 1_000_000_000
MAX_BATCH = 1_000_000
MAX_THREADS = MAX_WORKERS = 1_024
ON_DISK = ("npz", "csv", "parquet", "svhn", "images")  # sources that are named by a path
SCHEDULES = ("constant", "cosine", "step")


def _share_or_count(_: Any, attribute: Any, value: Any) -> None:
    """A fraction between 0 and 1, or a count."""
    if attribute.name == "validation" and value == "test":
        return
    if isinstance(value, float):
        number(above=0, below=1)(_, attribute, value)
    elif isinstance(value, str):
        raise ValueError(f'{attribute.name} must be a fraction, a count or "test", got {value!r}')
    else:
        whole(1)(_, attribute, value)


def _layer_sizes(_: Any, attribute: Any, value: Any) -> None:
    """Not so many layers or weights between them that making them would take all memory."""
    for size in value:
        whole(1, MAX_UNITS)(_, attribute, size)
    weights = sum(a * b for a, b in pairwise(value))
    if len(value) > MAX_LAYERS or weights > MAX_WEIGHTS:
        raise ValueError(
            f"{attribute.name} must be at most {MAX_LAYERS} layers with {MAX_WEIGHTS} weights,"
            f" got {len(value)} with {weights}"
        )


@attrs.frozen
class DataSpec:
    """`[data]`: where samples come from and how they are split and scaled.

    source: needed, unless a run is given arrays. scaling: None for one that is chosen from the data.
    target, missing: of a table: the column of the labels, None for the last one, and whether missing
    values are refused, None or "error", or filled in, "impute". augment: how pictures are varied.
    """

    source: str | None = None
    train_limit: int | None = attrs.field(default=None, validator=optional(whole(1)))
    validation: Any = attrs.field(default=0.2, validator=_share_or_count)
    test: float = attrs.field(default=0.2, validator=number(minimum=0, below=1))
    shuffle: bool = True
    seed: int = attrs.field(default=0, validator=whole(0))
    scaling: str | None = attrs.field(default=None, validator=optional(one_of(*SCALINGS)))
    target: str | None = None
    missing: str | None = attrs.field(default=None, validator=optional(one_of(*MISSING)))
    augment: Augmentation | None = None

    def split_plan(self) -> SplitPlan:
        return SplitPlan(
            self.train_limit,
            self.validation,
            self.test,
            self.shuffle,
            self.seed,
            self.scaling,
            self.augment,
        )


@attrs.frozen
class NetworkSpec:
    """`[network]`: the start topology, or the file that holds it with its weights.

    hidden: None for widths that are chosen from the data.
    """

    hidden: tuple[int, ...] | None = attrs.field(default=None, validator=optional(_layer_sizes))
    activation: str = attrs.field(default="relu", validator=one_of(*ACTIVATIONS))
    initializer: str = attrs.field(default="glorot_uniform", validator=one_of(*INITIALIZERS))
    dropout: float = attrs.field(default=0.0, validator=number(minimum=0, below=1))
    file: str | None = None


@attrs.frozen
class TrainingSpec:
    """`[training]`: backend, optimizer and loss.

    optimizer, learning_rate, weight_decay, batch_size, schedule, state_at_surgery: None for what
    `nas_surgery.runs.defaults` chooses. What else is None is the optimizer's own default.

    loss: "auto" follows from the labels, as `nas_surgery.data.labels` says.
    state_at_surgery: whether an edited network gets a fresh optimizer ("reset") or keeps the state of
    what remains ("carry"). weights_at_surgery: whether it keeps its weights (None or "carry"), which is what
    surgery is for, or gets new ones ("redraw"): a control that tells what they are worth.
    """

    backend: str = "numpy"
    device: str = "cpu"
    loss: str = attrs.field(default="auto", validator=one_of("auto", *LOSSES))
    batch_size: int | None = attrs.field(default=None, validator=optional(whole(1, MAX_BATCH)))
    optimizer: str | None = attrs.field(default=None, validator=optional(one_of(*OPTIMIZERS)))
    learning_rate: float | None = attrs.field(default=None, validator=optional(number(above=0)))
    momentum: float | None = attrs.field(
        default=None, validator=optional(number(minimum=0, below=1))
    )
    nesterov: bool | None = None
    weight_decay: float | None = attrs.field(default=None, validator=optional(number(minimum=0)))
    beta1: float | None = attrs.field(default=None, validator=optional(number(minimum=0, below=1)))
    beta2: float | None = attrs.field(default=None, validator=optional(number(minimum=0, below=1)))
    rho: float | None = attrs.field(default=None, validator=optional(number(minimum=0, below=1)))
    epsilon: float | None = attrs.field(default=None, validator=optional(number(above=0)))
    clip_norm: float | None = attrs.field(default=None, validator=optional(number(above=0)))
    schedule: str | None = attrs.field(default=None, validator=optional(one_of(*SCHEDULES)))
    schedule_epochs: int = attrs.field(default=30, validator=whole(1))
    schedule_factor: float = attrs.field(default=0.1, validator=number(above=0))
    state_at_surgery: str | None = attrs.field(
        default=None, validator=optional(one_of(*STATE_AT_SURGERY))
    )
    weights_at_surgery: str | None = attrs.field(
        default=None, validator=optional(one_of(*WEIGHTS_AT_SURGERY))
    )

    def make_optimizer(self) -> Optimizer:
        """The optimizer with its settings; SpecError for a setting that it does not have."""
        cls = OPTIMIZERS[settled(self.optimizer)]
        taken = {field.name for field in attrs.fields(cls)}
        names = (
            "learning_rate",
            "momentum",
            "nesterov",
            "weight_decay",
            "beta1",
            "beta2",
            "rho",
            "epsilon",
        )
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for name in given:
            if name not in taken:
                raise SpecError(f"training.{name}: {self.optimizer} has no such setting")
        return cls(**given)

    def recipe(self, loss: str, seed: int, steps_per_epoch: int, max_epochs: int) -> Recipe:
        """How this spec trains, with the learning-rate schedule in steps."""
        schedule = Schedule(
            settled(self.schedule),
            total_steps=max_epochs * steps_per_epoch,
            every=self.schedule_epochs * steps_per_epoch,
            factor=self.schedule_factor,
        )
        return Recipe(
            self.make_optimizer(),
            loss,
            settled(self.batch_size),
            self.clip_norm,
            schedule,
            seed,
            settled(self.state_at_surgery),
        )


@attrs.frozen
class SearchSpec:
    """`[search]`: strategy, score and limits; `settings` are the strategy's own keys.

    operations: names of those that the search may use; none means all that are registered, but with
    the paper's strategy those alone that are built in or come from a file in `plugins`. exclude:
    addresses in the start network of layers that surgery leaves alone. max_epochs: None for as many as
    the data need.
    """

    strategy: str = "default"
    score: str = "paper"
    max_epochs: int | None = attrs.field(default=None, validator=optional(whole(1)))
    max_parameters: int | None = attrs.field(default=None, validator=optional(whole(1)))
    max_macs: int | None = attrs.field(default=None, validator=optional(whole(1)))
    max_seconds: float | None = attrs.field(default=None, validator=optional(number(above=0)))
    target_accuracy: float | None = attrs.field(default=None, validator=optional(number(maximum=1)))
    exclude: tuple[int, ...] = attrs.field(
        default=(), validator=attrs.validators.deep_iterable(whole(0))
    )
    operations: tuple[str, ...] = ()
    settings: dict[str, Any] = attrs.field(factory=dict, metadata=GATHERED)


@attrs.frozen
class RunSpec:
    """`[run]`: how jobs are carried out; nothing here changes what comes out but `threads`.

    threads: of linear algebra, in each process. executor: "local", "processes" with that many `workers`,
    or the name of an installed one, whose own settings are `[run.NAME]`. job_seconds: a job that takes longer in a worker is killed and fails. max_failures:
    jobs that may fail in a row before the run ends with the best network so far. baseline: also train
    the start topology; beside the search where there are workers, unless its seconds are limited.
    """

    executor: str = attrs.field(default="local", validator=a(str))
    workers: int = attrs.field(default=2, validator=whole(1, MAX_WORKERS))
    threads: int = attrs.field(default=1, validator=whole(1, MAX_THREADS))
    job_seconds: float | None = attrs.field(default=None, validator=optional(number(above=0)))
    max_failures: int = attrs.field(default=10, validator=whole(1))
    baseline: bool = False
    settings: dict[str, Any] = attrs.field(factory=dict, metadata=GATHERED)


@attrs.frozen
class Spec:
    """Everything that a run needs to know."""

    seed: int = attrs.field(default=0, validator=whole(0, 2**63 - 1))
    plugins: tuple[str, ...] = ()
    data: DataSpec = DataSpec()
    network: NetworkSpec = NetworkSpec()
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    run: RunSpec = RunSpec()

    @classmethod
    def from_toml(cls, path: str | Path, overrides: Mapping[str, Any] | None = None) -> Self:
        """Read a TOML file; SpecError names the file, the key and the rule.

        overrides: values by dotted key, such as {"search.max_epochs": 20}. Relative paths in the file
        are taken from the working directory, or else from the folder of the file.
        """
        file = as_path("path", path)
        try:
            spec = cls.from_dict(read_toml(file), overrides)
        except OverrideError:
            raise
        except (SpecError, ModelFileError) as error:
            raise SpecFileError(f"{file}: {error}") from None
        return spec.with_paths(file.parent)

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
    ) -> Self:
        """From nested plain values, as TOML gives them; SpecError names the key and the rule."""
        merged, given = _copy(as_mapping("spec", values)), as_mapping("overrides", overrides)
        try:
            for key, value in given.items():
                _set(merged, key, _copy(value))
            _gather_settings(merged)
            _gather_executors(merged)
            _take_one_width(merged)
            return structure(cls, merged)
        except SpecError as error:
            raise blamed(error, given, None) from None

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values without those that are None; `from_dict` gives the same spec again."""
        values = attrs.asdict(self, filter=lambda _, value: value is not None)
        for table in ("search", "run"):
            values[table].update(values[table].pop("settings"))
        return values

    def to_toml(self) -> str:
        return tomli_w.dumps(self.to_dict())

    def with_paths(self, folder: Path) -> Self:
        """Paths made absolute, if they are found from the working directory or else from `folder`."""
        source = self.data.source and _source_found(self.data.source, folder)
        file = self.network.file and _found(self.network.file, folder)
        return attrs.evolve(
            self,
            plugins=tuple(_found(name, folder) for name in self.plugins),
            data=attrs.evolve(self.data, source=source),
            network=attrs.evolve(self.network, file=file),
        )


def parse_override(text: str) -> tuple[str, Any]:
    """`key=value` as on the command line; the value is TOML, or a string where it is not."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise SpecError(f"--set {text!r}: KEY=VALUE is needed")
    return key.strip(), parse_value(value)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except SpecError:
        return text.strip()


def _found(name: str, folder: Path) -> str:
    """The absolute path of a file that is there, so that a resume finds it from anywhere."""
    path = expanduser(name)
    there = (abspath(candidate) for candidate in (path, folder / path) if exists(candidate))
    found = next(there, path)
    if not is_utf8(found):
        raise SpecError(f"{found!r}: a path in a spec must be UTF-8, as the spec is")
    return found


def _source_found(source: str, folder: Path) -> str:
    """A source with its path as `_found` has it, if it names one."""
    scheme, _, rest = source.partition(":")
    if scheme not in ON_DISK:
        return source
    path, separator, size = rest.rpartition("@") if scheme == "images" else (rest, "", "")
    if not path or exists(expanduser(rest)):
        path, separator, size = rest, "", ""
    return f"{scheme}:{_found(path, folder)}{separator}{size}"


def _copy(value: Any) -> Any:
    """Plain values that are the callee's own; NumPy's scalars become Python's."""
    if isinstance(value, Mapping):
        return {str(k): _copy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, name = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise SpecError(f"{key}: {table} is not a table")
    values[name] = value


def _take_one_width(values: dict[str, Any]) -> None:
    """`hidden = 5` is one hidden layer."""
    network = values.get("network")
    if isinstance(network, dict) and type(network.get("hidden")) is int:
        network["hidden"] = [network["hidden"]]


def _gather_settings(values: dict[str, Any]) -> None:
    """Keys of [search] that are not its own belong to the strategy."""
    search = values.get("search")
    if isinstance(search, dict):
        own = {field.name for field in attrs.fields(SearchSpec)} - {"settings"}
        values["search"] = {k: v for k, v in search.items() if k in own}
        values["search"]["settings"] = {k: v for k, v in search.items() if k not in own}


def _gather_executors(values: dict[str, Any]) -> None:
    """Tables in [run] are the settings of executors."""
    run = values.get("run")
    if isinstance(run, dict):
        own = {field.name for field in attrs.fields(RunSpec)} - {"settings"}
        tables = {k: v for k, v in run.items() if k not in own and isinstance(v, dict)}
        values["run"] = {k: v for k, v in run.items() if k not in tables} | {"settings": tables}
