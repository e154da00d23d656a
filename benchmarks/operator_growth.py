"""Growth: what each method makes of new units, at equal size and with the same batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from operator_setting import Setting, summary

from nas_surgery import Network
from nas_surgery.operations import AddNeurons
from nas_surgery.operations.add_neurons import METHODS
from nas_surgery.training.state import TrainState

STARTS = {"small": (10,), "medium": (10, 10, 10)}
FACTORS = (2, 4)
RANK_FLOOR = 0.01  # singular values below this share of the largest do not count


def measure_growth(
    setting: Setting, before: int, after: int, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Train, widen every hidden layer, train on; beside no growth and the final size from scratch."""
    rows = []
    for start, hidden in STARTS.items():
        states = {seed: setting.trained(hidden, before, seed) for seed in seeds}
        ends = {s: setting.train(state, after * setting.batches, s) for s, state in states.items()}
        rows.append(_row(setting, start, 1, "nothing", list(ends.values())))
        for factor in FACTORS:
            for method in METHODS:
                grown = {
                    s: _grown(setting, state, factor, method, s) for s, state in states.items()
                }
                final = [
                    setting.train(g, after * setting.batches, seed) for seed, g in grown.items()
                ]
                rows.append(_row(setting, start, factor, method, final))
            wide = tuple(factor * units for units in hidden)
            fresh = [setting.trained(wide, before + after, seed) for seed in seeds]
            rows.append(_row(setting, start, factor, "from scratch", fresh))
    return rows


def _grown(setting: Setting, state: TrainState, factor: int, method: str, seed: int) -> TrainState:
    network = state.network
    for group in state.network.groups():
        operation = AddNeurons(group.writers[0], (factor - 1) * group.size, method)
        network = setting.operate(operation, network, seed).network
    return TrainState(network, None, state.step)


def _row(
    setting: Setting, start: str, factor: int, method: str, states: list[TrainState]
) -> dict[str, Any]:
    return {
        "start": start,
        "factor": factor,
        "method": method,
        "hidden": list(states[0].network.hidden),
        "parameters": states[0].network.parameter_count,
        "accuracy": summary([setting.accuracy(state.network) for state in states]),
        "ranks": [_ranks(state.network) for state in states],
    }


def _ranks(network: Network) -> list[int]:
    """Of the kernel of each hidden layer."""
    kernels = [network.layers[group.writers[0]].kernel for group in network.groups()]
    spectra = [np.linalg.svd(kernel, compute_uv=False) for kernel in kernels]
    return [int(np.sum(values > RANK_FLOOR * values[0])) for values in spectra]
