"""Units that say the same whatever they are asked: dead ReLUs, saturated sigmoids."""

import numpy as np

from nas_surgery.network import Array, Group, Network, Outputs, Passes, bias_of, kernel_of

CONSTANT = 1e-6  # spread of a unit's outputs ÷ their size, below which they count as constant
NEVER_NEGATIVE = ("relu", "relu6", "sigmoid", "softplus")


def silent_units(activations: Array) -> Array:
    """Indices of the units whose activations (rows, size) are constant."""
    spread = np.ptp(activations, axis=0)
    return np.flatnonzero(
        spread <= CONSTANT * np.maximum(np.abs(activations).max(axis=0), CONSTANT)
    )


def dead_units(network: Network, group: Group) -> Array:
    """Indices of the units whose weights alone show that no input can move them.

    Their incoming weights are zero; or no weight, no bias and no input lets them exceed zero, and
    ReLU hides the rest.
    """
    kernels = [kernel_of(network.layers[address]) for address in group.writers]
    if any(network.layers[address].channels.recurs for address in group.writers):
        return np.zeros(0, np.intp)
    dead = np.all([~kernel.any(axis=tuple(range(kernel.ndim - 1))) for kernel in kernels], axis=0)
    if _first_between(network, group) == "relu":
        hidden = np.all([_never_positive(network, address) for address in group.writers], axis=0)
        dead = dead | hidden
    return np.flatnonzero(dead)


def _first_between(network: Network, group: Group) -> str:
    """The kind of the first passer that changes values, or the function that is all that it does."""
    for address in group.passers:
        layer = network.layers[address]
        if layer.elementwise is not None and layer.elementwise.name != "linear":
            return layer.elementwise.name
        if (
            layer.elementwise is None
            and layer.channels.outputs is Outputs.SAME
            and not layer.random
        ):
            return layer.kind
    return "linear"


def _never_positive(network: Network, address: int) -> Array:
    kernel, held = kernel_of(network.layers[address]), bias_of(network.layers[address])
    if not _reads_no_negatives(network, address):
        return np.zeros(kernel.shape[-1], bool)
    bias = 0.0 if held is None else held
    never: Array = (kernel.max(axis=tuple(range(kernel.ndim - 1))) <= 0) & (np.asarray(bias) <= 0)
    return never


def _reads_no_negatives(network: Network, address: int) -> bool:
    """Whether an activation before the layer keeps its inputs from being negative."""
    sources = network.sources[address]
    while len(sources) == 1 and sources[0] >= 0:
        layer, sources = network.layers[sources[0]], network.sources[sources[0]]
        if layer.elementwise is not None:
            return layer.elementwise.name in NEVER_NEGATIVE
        if layer.passes is not Passes.ANY:
            return False
    return False
