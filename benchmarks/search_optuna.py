"""Optuna on the same data, backend, batches and initial weights: sizes drawn by TPE, trials pruned at the median."""

from typing import Any

import attrs
import optuna

from nas_surgery import Network
from nas_surgery.runs.preparation import Preparation
from nas_surgery.strategies.jobs import PASSES
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.state import Samples, TrainState, apply_prefix

LAYERS, UNITS = (1, 3), (4, 512)


@attrs.define
class Trials:
    """Trials until their training has cost `budget` multiply-accumulates; the last one may be cut short.

    done: topology, size, epochs and accuracies of each trial.
    """

    made: Preparation
    budget: int
    spent: int = 0
    done: list[dict[str, Any]] = attrs.Factory(list)
    parts: dict[str, Samples] = attrs.Factory(dict)

    def run(self) -> dict[str, Any]:
        """The trial of highest validation accuracy, and all of them."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.made.spec.seed)
        pruner = optuna.pruners.MedianPruner(n_warmup_steps=5)
        study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        study.optimize(self._trial)
        best = max(self.done, key=lambda trial: trial["validation"])
        return {**best, "macs": self.spent, "trials": self.done}

    def _trial(self, trial: optuna.Trial) -> float:
        depth = trial.suggest_int("layers", *LAYERS)
        hidden = [trial.suggest_int(f"units {i}", *UNITS, log=True) for i in range(depth)]
        state, epoch, found = TrainState(self._network(hidden)), 0, 0.0
        cost = PASSES * state.network.macs * len(self.made.splits.train)
        pruned = False
        while epoch < self.made.spec.search.max_epochs and not pruned:
            if self.spent + cost > self.budget:
                trial.study.stop()
                break
            state = self._train(state)
            self.spent, epoch = self.spent + cost, epoch + 1
            found = self._accuracy(state.network, "validation")
            trial.report(found, epoch)
            pruned = trial.should_prune()
        if epoch:
            self._keep(state.network, epoch, found)
        if pruned:
            raise optuna.TrialPruned
        return found

    def _network(self, hidden: list[int]) -> Network:
        splits, spec = self.made.splits, self.made.spec
        return Network.dense(
            splits.train.x.shape[1:],
            hidden,
            splits.outputs,
            spec.network.activation,
            seed=spec.seed,
            preprocessing=(splits.normalize,),
        )

    def _train(self, state: TrainState) -> TrainState:
        recipe, count = self.made.recipe, len(self.made.splits.train)
        plan = recipe.plan(count, state.step, self.made.steps_per_epoch)
        return self.made.backend.train(state, self._part(state.network, "train"), plan)[0]

    def _part(self, network: Network, name: str) -> Samples:
        """Samples as they enter the first trainable layer; what stands before is the same in all trials."""
        if name not in self.parts:
            self.parts[name] = apply_prefix(network, getattr(self.made.splits, name))
        return self.parts[name]

    def _accuracy(self, network: Network, name: str) -> float:
        samples = self._part(network, name)
        logits = self.made.backend.predict(network, samples)
        return evaluate(logits, samples.y, self.made.recipe.loss).accuracy

    def _keep(self, network: Network, epochs: int, validation: float) -> None:
        self.done.append(
            {
                "hidden": list(network.hidden),
                "parameters": network.parameter_count,
                "epochs": epochs,
                "validation": validation,
                "test": self._accuracy(network, "test"),
            }
        )
