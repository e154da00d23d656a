"""From a spec to everything that a run needs. Whatever can be wrong is found here, before a file is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.analysis.scores import Score, wanted
from nas_surgery.data.splits import Splits, scaling_layer
from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.units import in_training_units, output_layer
from nas_surgery.errors import DataError, NasSurgeryError, PluginError, SpecError
from nas_surgery.executors import ExecutorSettings
from nas_surgery.formats.models import load
from nas_surgery.formats.structuring import structure, unknown_key
from nas_surgery.network import Network, check_finite
from nas_surgery.operations import Operation
from nas_surgery.plugins.registry import Registry, default_registry, load_registry
from nas_surgery.plugins.trials import sound_operations, try_score
from nas_surgery.runs.defaults import Facts, resolve, with_optimizer
from nas_surgery.runs.parts import ARRAYS, parts
from nas_surgery.runs.spec import RunSpec, SearchSpec, Spec
from nas_surgery.search.workbench_plan import WorkbenchPlan
from nas_surgery.strategies.jobs import Outcome
from nas_surgery.strategies.recommender import Limits
from nas_surgery.strategies.strategy import Setting, Strategy
from nas_surgery.training.backend import Backend
from nas_surgery.training.evaluation import Evaluation, evaluate
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples
from nas_surgery.validators import settled

UNITS_SAMPLES = 1024  # that tell in which units a start network was trained


@attrs.frozen(eq=False)
class Preparation:
    """A run that is ready to start. spec: with everything filled in that it left out. refused: a line
    on each installed operation that does not work and takes no part. encoding: of the columns of a table."""

    spec: Spec
    registry: Registry
    splits: Splits
    network: Network
    backend: Backend
    device: str
    recipe: Recipe
    strategy: Strategy
    executor: ExecutorSettings
    score: Score
    operations: dict[str, type[Operation]]
    refused: tuple[str, ...] = ()
    encoding: Encoding | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self.recipe.steps_per_epoch(len(self.splits.train))

    def epochs_of(self, outcome: Outcome) -> float:
        """How long a network and its ancestors were trained, in epochs."""
        return outcome.step / self.steps_per_epoch

    @property
    def max_epochs(self) -> int:
        return settled(self.spec.search.max_epochs)

    @property
    def spare_samples(self) -> int:
        """Validation samples that may be trained on in the end: none of a part that came as it is."""
        return len(self.splits.validation) if self.splits.cut else 0

    @property
    def limits(self) -> Limits:
        return limits_of(self.spec.search)

    def evaluate(self, network: Network, samples: Samples) -> Evaluation:
        """Loss and accuracy of a network on raw samples."""
        return evaluate(self.backend.predict(network, samples), samples.y, self.recipe.loss)

    def setting(self) -> Setting:
        """What the strategy is told."""
        search = self.spec.search
        return Setting(
            network=self.network,
            seed=self.spec.seed,
            max_epochs=self.max_epochs,
            steps_per_epoch=self.steps_per_epoch,
            training_samples=len(self.splits.train),
            operations=self.operations,
            score=self.score,
            score_name=search.score,
            limits=self.limits,
            target_accuracy=search.target_accuracy,
            score_origin=self.registry.origin("scores", search.score),
            weight_decay=self.recipe.optimizer.weight_decay,
            batch_size=self.recipe.batch_size,
            spare_samples=self.spare_samples,
        )


def limits_of(search: SearchSpec) -> Limits:
    """What networks of the search have to keep to."""
    return Limits(search.max_parameters, search.max_macs, search.exclude)


@contextmanager
def naming(place: object) -> Iterator[None]:
    """Errors inside begin with the place: a key of the spec, or its file; None for no place."""
    try:
        yield
    except NasSurgeryError as error:
        raise (error if place is None else type(error)(f"{place}: {error}")) from error.__cause__


@contextmanager
def _faults_of(strategy: str) -> Iterator[None]:
    """What a strategy raises is a refusal, or a fault of it that is named."""
    try:
        yield
    except NasSurgeryError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"search.strategy: {strategy!r} fails on the start network: {type(error).__name__}: {error}"
        ) from error


def prepare(
    spec: Spec,
    network: Network | None = None,
    data: Any = None,
    begun: bool = False,
    encoding: Encoding | None = None,
) -> Preparation:
    """Load plugins, data, network and backend, and check that they fit.

    network: a start topology with its weights, in place of the spec's; it is used as it is, without
    added scaling. data: a Dataset or what `as_dataset` takes, in place of the spec's source. begun:
    whether the network is the start of a run that goes on, so that nothing is left to be done to it.
    encoding: of that run, where its data are a table.
    """
    registry = load_registry(map(Path, spec.plugins)) if spec.plugins else default_registry()
    executor = make_executor(spec.run, registry)
    executor.begin(WorkbenchPlan.__module__)  # workers import while the data load
    with naming("training.backend"):
        backend: Backend = registry.get("backends", spec.training.backend)()
    with naming("training.device"):
        device = backend.device(spec.training.device)
    strategy = make_strategy(spec.search, registry)
    with naming("search.score"):
        score = registry.get("scores", spec.search.score)
        wanted(score)
        try_score(registry, spec.search.score, score)
    operations, refused = _operations(spec, registry, strategy)
    paper = type(strategy).as_in_paper
    with_optimizer(spec.training, paper).make_optimizer()  # what is wrong is said before data load
    if data is not None:
        spec = attrs.evolve(spec, data=attrs.evolve(spec.data, source=ARRAYS))
    splits, encoding = parts(spec, registry, data, encoding)
    spec = _with_columns(spec, encoding)
    given = network is not None or spec.network.file is not None
    spec = resolve(spec, Facts.of(splits), paper, given)
    if splits.normalize is None:  # none was asked for, or none was named until now
        scaling = scaling_layer(splits.train.x, spec.data.scaling)
        splits = attrs.evolve(splits, normalize=scaling)
    start = _start(spec, splits, splits.train.x.shape[1:], network, begun)
    with _faults_of(spec.search.strategy):
        strategy.check(start, limits_of(spec.search), operations)
    backend.check(start)
    steps = -(-len(splits.train) // settled(spec.training.batch_size))
    epochs = settled(spec.search.max_epochs)
    recipe = spec.training.recipe(splits.loss, spec.seed, steps, epochs)
    if spec.training.weights_at_surgery == "redraw":
        recipe = attrs.evolve(recipe, redraw=spec.network.initializer)
    if spec.data.augment is not None and spec.data.augment.drawn:
        recipe = attrs.evolve(recipe, augment=spec.data.augment)
    return Preparation(
        spec,
        registry,
        splits,
        start,
        backend,
        device,
        recipe,
        strategy,
        executor,
        score,
        operations,
        refused,
        encoding,
    )


def _with_columns(spec: Spec, encoding: Encoding | None) -> Spec:
    """The spec with the target of a table, which may be chosen, and with what becomes of missing values."""
    if encoding is None:
        return spec
    chosen = attrs.evolve(spec.data, target=encoding.target, missing=encoding.missing)
    return attrs.evolve(spec, data=chosen)


def _operations(
    spec: Spec, registry: Registry, strategy: Strategy
) -> tuple[dict[str, type[Operation]], tuple[str, ...]]:
    """The operations that the search may use, all that the strategy draws from or those that are named,
    and why others may not."""
    everything: dict[str, type[Operation]] = registry.all("operations")
    if strategy.uses is not None:
        everything = {name: each for name, each in everything.items() if name in strategy.uses}
    if spec.search.operations:
        with naming("search.operations"):
            asked = {name: registry.get("operations", name) for name in spec.search.operations}
        everything = {name: each for name, each in asked.items() if name in everything}
        return sound_operations(registry, everything, named=everything)
    named = registry.from_files("operations", spec.plugins)
    if strategy.draws is not None:
        drawn = {*strategy.draws, *named}
        everything = {name: each for name, each in everything.items() if name in drawn}
    return sound_operations(registry, everything, named)


def make_strategy(search: SearchSpec, registry: Registry) -> Strategy:
    """The strategy with its settings; SpecError names a key that neither knows."""
    with naming("search.strategy"):
        cls: type[Strategy] = registry.get("strategies", search.strategy)
    own = [field.name for field in attrs.fields(cls)]
    for key in search.settings:
        if key not in own:
            shared = [field.name for field in attrs.fields(SearchSpec) if field.name != "settings"]
            raise SpecError(unknown_key(key, shared + own, ["search"]))
    return structure(cls, search.settings, "search")


def make_executor(run: RunSpec, registry: Registry) -> ExecutorSettings:
    """The executor with its settings; those of others may stand beside them, if they are installed."""
    for name in run.settings:
        with naming(f"run.{name}"):
            registry.get("executors", name)
    with naming("run.executor"):
        cls: type[ExecutorSettings] = registry.get("executors", run.executor)
    return structure(cls, run.settings.get(run.executor, {}), f"run.{run.executor}")


def _start(
    spec: Spec,
    splits: Splits,
    sample_shape: tuple[int, ...],
    network: Network | None,
    begun: bool,
) -> Network:
    if network is None and spec.network.file is not None:
        network = load(spec.network.file)
    begun = begun or network is None  # new weights have no units
    if network is None:
        network = Network.dense(
            sample_shape,
            settled(spec.network.hidden),
            splits.outputs,
            spec.network.activation,
            seed=spec.seed,
            initializer=spec.network.initializer,
            preprocessing=() if splits.normalize is None else (splits.normalize,),
            dropout=spec.network.dropout,
        )
    network = attrs.evolve(network, classes=None)  # those of the data take their place at the end
    check_finite(network)
    _check_fit(network, splits, sample_shape)
    if not begun:
        network = _in_training_units(network, splits)
    for address in spec.search.exclude:
        if address >= len(network.layers):
            raise SpecError(
                f"search.exclude: layer {address} is not there; the network has layers"
                f" 0 to {len(network.layers) - 1}"
            )
    return network


def _in_training_units(network: Network, splits: Splits) -> Network:
    x, y = splits.train.x[:UNITS_SAMPLES], splits.train.y[:UNITS_SAMPLES]
    return in_training_units(network, splits.target_mean, splits.target_scale, x, y)


def _check_fit(network: Network, splits: Splits, sample_shape: tuple[int, ...]) -> None:
    if network.input_shape != sample_shape:
        raise DataError(
            f"the network takes samples of shape {network.input_shape},"
            f" the data has samples of shape {sample_shape}"
        )
    if network.output_count != splits.outputs:
        kind = "classes" if splits.classes else "outputs"
        raise DataError(
            f"the network has {network.output_count} outputs, the data {splits.outputs} {kind}"
        )
    if not splits.classes:
        output_layer(network)
