"""Removal: what each method costs at once, and behind some batches of retraining."""

from collections.abc import Callable, Sequence
from importlib import util
from typing import Any

import attrs
from operator_setting import Setting, summary

from nas_surgery import Network
from nas_surgery.operations import RemoveLayer, RemoveNeurons, TruncatedSVD
from nas_surgery.training.state import TrainState

HIDDEN = (300, 100, 100)
KEEP = (200, 100, 50, 30, 20)
RANKS = (100, 50, 20, 10)
UNIT_METHODS = ("activation", "svd", "magnitude")

Edit = Callable[[Network, int], tuple[Network, float | None]]


@attrs.frozen
class Case:
    """One edit of a trained network. edit: takes it and a seed; gives the edited one and the predicted
    change of its outputs."""

    what: str
    method: str
    edit: Edit


def measure_removal(
    setting: Setting, epochs: int, seeds: Sequence[int], retraining: Sequence[int]
) -> dict[str, Any]:
    """Every case on the same trained networks; what was lost, in points of test accuracy."""
    trained = {seed: setting.trained(HIDDEN, epochs, seed) for seed in seeds}
    before = {seed: setting.accuracy(state.network) for seed, state in trained.items()}
    return {
        "hidden": HIDDEN,
        "epochs": epochs,
        "retraining_batches": list(retraining),
        "accuracy": summary(list(before.values())),
        "parameters": setting.network(HIDDEN, 0).parameter_count,
        "cases": [_measure(case, setting, trained, before, retraining) for case in _cases(setting)],
    }


def _measure(
    case: Case,
    setting: Setting,
    trained: dict[int, TrainState],
    before: dict[int, float],
    retraining: Sequence[int],
) -> dict[str, Any]:
    lost: dict[int, list[float]] = {batches: [] for batches in retraining}
    predicted, changes, sizes = [], [], []
    for seed, state in trained.items():
        network, expected = case.edit(state.network, seed)
        predicted.append(expected)
        changes.append(setting.change(state.network, network))
        sizes.append(network.parameter_count)
        edited = TrainState(network, None, state.step)
        for batches in retraining:
            after = setting.train(edited, batches, seed) if batches else edited
            lost[batches].append(before[seed] - setting.accuracy(after.network))
    known = [value for value in predicted if value is not None]
    return {
        "what": case.what,
        "method": case.method,
        "parameters": sizes[0],
        "points_lost": {str(batches): summary(values) for batches, values in lost.items()},
        "change_predicted": summary(known) if len(known) == len(predicted) else None,
        "change_measured": summary(changes),
    }


def _cases(setting: Setting) -> list[Case]:
    layers = [group.writers[0] for group in setting.network(HIDDEN, 0).groups()]
    cases = []
    for keep in KEEP:
        what = f"{keep} of {HIDDEN[0]} units left"
        for method in UNIT_METHODS:
            operation = RemoveNeurons(layers[0], keep=keep, method=method)
            cases.append(Case(what, method, _by_operation(setting, operation)))
        if util.find_spec("torch_pruning") is not None:
            cases.append(Case(what, "Torch-Pruning", _by_torch_pruning(layers[0], keep)))
    for index, layer in enumerate(layers, start=1):
        for method in ("activation", "product"):
            edit = _by_operation(setting, RemoveLayer(layer, method))
            cases.append(Case(f"layer {index} removed", method, edit))
    largest = min(setting.network(HIDDEN, 0).layers[layers[0]].kernel.shape)
    for rank in (rank for rank in RANKS if rank < largest):
        for method in ("activation", "svd"):
            edit = _by_operation(setting, TruncatedSVD(layers[0], rank, method))
            cases.append(Case(f"layer 1 at rank {rank}", method, edit))
    return cases


def _by_operation(setting: Setting, operation: Any) -> Edit:
    def edit(network: Network, seed: int) -> tuple[Network, float | None]:
        surgery = setting.operate(operation, network, seed)
        return surgery.network, surgery.predicted

    return edit


def _by_torch_pruning(layer: int, keep: int) -> Edit:
    from torch_pruning_reference import prune

    return lambda network, seed: (prune(network, layer, keep), None)
