"""Surgeries drawn at random, on any architecture."""

from typing import Any

import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Network
from nas_surgery.operations import OPERATIONS, Context, Operation
from nas_surgery.surgery import Surgery
from nas_surgery.testing.zoo import zoo_inputs

CLASSES = 3
PROBE = 12
ANYWHERE: tuple[tuple[str, dict[str, Any]], ...] = (("remove_block", {}), ("merge_batch_norm", {}))


def random_operation(network: Network, generator: np.random.Generator) -> Operation:
    """An operation with arguments such as the network may take; where it has no meaning, it is refused."""
    choices: list[tuple[str, dict[str, Any]]] = list(ANYWHERE)
    layer = int(generator.integers(len(network.layers)))
    groups = network.groups()
    if groups and generator.random() < 0.8:
        group = groups[generator.integers(len(groups))]
        layer = int(generator.choice(group.writers))
        choices = _of_a_group(group.step * max(1, group.size // group.step // 2))
    name, fields = choices[generator.integers(len(choices))]
    return OPERATIONS[name].from_fields({"layer": layer, **fields})


def attempted(operation: Operation, network: Network) -> Surgery | None:
    """What it does on a probe of three classes, or None where it is refused."""
    labels = np.arange(PROBE) % CLASSES
    try:
        return operation.apply(network, Context(0, (1,), zoo_inputs(network, PROBE, 1), labels))
    except OperationError:
        return None


def operated(network: Network, count: int, seed: int, most: int = 4000) -> Network:
    """The network behind so many operations, without those that are refused or lead beyond `most` weights."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        surgery = attempted(random_operation(network, generator), network)
        if surgery is not None and surgery.network.parameter_count <= most:
            network = surgery.network
    return network


def _of_a_group(few: int) -> list[tuple[str, dict[str, Any]]]:
    """few: units that may be left."""
    found: list[tuple[str, dict[str, Any]]] = [("revive", {}), ("add_block", {"units": 2})]
    growth = ("gradient", "pairs", "zero", "split", "clone")
    found += [("add_neurons", {"count": 3, "method": method}) for method in growth]
    removal = ("activation", "magnitude", "svd")
    found += [("remove_neurons", {"keep": few, "method": method}) for method in removal]
    found += [("truncated_svd", {"rank": 2, "method": m}) for m in ("activation", "svd")]
    found += [("remove_layer", {"method": method}) for method in ("activation", "product")]
    return found + [("add_layer", {"units": units}) for units in (0, 3)]
