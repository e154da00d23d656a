"""Narrow a hidden layer.

method "svd": Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021),
eqs. 9-10.
"""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.analysis.spectra import Analysis, LayerAnalysis
from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Group, Network, Passes, bias_of
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import (
    Surgery,
    WidthMap,
    change_width,
    fitted_promise,
    group_activations,
    group_functions,
    retain,
    selection,
    singular_components,
    sized,
    unmixable,
)
from nas_surgery.surgery.pieces import fewest
from nas_surgery.surgery.removal import (
    dropped,
    dropped_and_fitted,
    largest_units,
    telling_units,
)
from nas_surgery.validators import one_of, optional, whole

METHODS = ("activation", "svd", "magnitude")


@attrs.frozen
class RemoveNeurons(Operation):
    """Remove `count` units of the hidden linear layer at address `layer`, or `keep` so many.

    method "activation" (default): keeps the units of which the others are, on the probe, most nearly
    linear functions, and lets the readers make up for the others. Whole units are kept, so it suits
    every activation. Without a probe it falls back to weights, and the promise says so: "svd" where
    no activation stands between, "magnitude" otherwise.
    method "svd" (the paper's): E = V_r, D = V_rᵀ with the leading right singular vectors V of the
    kernel, and o = b (I - E D), which keeps the bias exact. The activation is ignored, so this is
    approximate, except between linear layers whose dropped singular values are zero.
    method "magnitude": keeps the units with the largest L2 norm of incoming weights, and drops the
    others; the usual pruning, as a reference.
    Where layers keep the channels in equal blocks, as many go from each, so `count` is a multiple of
    the number of blocks; channels that layers have in pieces, or block by block, are dropped but not
    mixed, so "svd" is refused there.
    """

    name: ClassVar[str] = "remove_neurons"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    count: int | None = attrs.field(default=None, validator=optional(whole(1)))
    keep: int | None = attrs.field(default=None, validator=optional(whole(1)))
    method: str = attrs.field(default="activation", validator=one_of(*METHODS))

    def __attrs_post_init__(self) -> None:
        if (self.count is None) == (self.keep is None):
            raise ValueError("exactly one of count and keep is needed")

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        keep = self._keep(network, group)
        if self.method == "activation" and context.probe is not None:
            return _by_activations(network, group, keep, context.probe)
        method = _by_weights(network, group) if self.method == "activation" else self.method
        surgery = (
            _projected(network, group, keep) if method == "svd" else _largest(network, group, keep)
        )
        return surgery.noting(f"no probe, so by {method}") if method != self.method else surgery

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score n_r/n_l; max(1, min(n_r, n - 1)) units, the paper's way; as many of each cell.

        By activations where the paper's projection has no meaning.
        """
        return [
            Proposal(
                cls(layer.address, count, method=_proposed(network, layer.group)),
                layer.redundancy,
                f"{layer.removable} of {layer.units} units are removable",
            )
            for layer in analysis.layers
            if (count := _removable(network, layer)) > 0
        ]

    def parameters_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        left = self._keep(network, group)
        if self.method == "svd" and _may_give_a_bias(network, group):
            return super().parameters_after(network)
        return sized(network, [(group, left)]).parameter_count

    def macs_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        return sized(network, [(group, self._keep(network, group))]).macs

    def _keep(self, network: Network, group: Group) -> int:
        """`units_left`, where the method has a meaning and something of every piece is left."""
        reason = _unprojectable(network, group) if self.method == "svd" else None
        if reason is not None:
            raise OperationError(f"{self.name}: 'svd' mixes channels, and {reason}")
        left, least = self.units_left(group), fewest(network, group)
        if left < least:
            raise OperationError(
                f"{self.name}: layers have the units of layer {self.layer} in pieces, so at least"
                f" {least} stay, not {left}"
            )
        return left

    def units_left(self, group: Group) -> int:
        """Units of the layer afterwards; OperationError unless between 1 and one less than now."""
        left = self.keep if self.count is None else group.size - self.count
        if left is None or not 0 < left < group.size:
            raise OperationError(
                f"{self.name}: layer {self.layer} has {group.size} units and cannot be left with {left}"
            )
        if left % group.step:
            raise OperationError(
                f"{self.name}: the {group.size} units of layer {self.layer} stand in {group.step} equal"
                f" parts, so multiples of {group.step} can stay, not {left}"
            )
        return left


def _may_give_a_bias(network: Network, group: Group) -> bool:
    """Whether a reader without a bias may get one from the offset."""
    biases = [bias_of(network.layers[reader.address]) for reader in group.readers]
    moved = bias_of(network.layers[group.writers[0]])
    return any(bias is None for bias in biases) and moved is not None and bool(moved.any())


def _removable(network: Network, layer: LayerAnalysis) -> int:
    """How many units are proposed to go: as many of each cell, and not all of any piece; 0 for none."""
    step, most = layer.group.step, layer.units - fewest(network, layer.group)
    return min(max(1, layer.removable // step) * step, most)


def _proposed(network: Network, group: Group) -> str:
    return "svd" if _unprojectable(network, group) is None else "activation"


def _unprojectable(network: Network, group: Group) -> str | None:
    """Why a projection of the channels has no meaning, or None."""
    if len(group.writers) > 1:
        return f"{len(group.writers)} layers write these channels"
    return unmixable(network, group, Passes.ANY)


def _by_weights(network: Network, group: Group) -> str:
    """The method that needs no probe: a projection is only at home behind one writer and no activation."""
    known = _unprojectable(network, group) is None and not group_functions(network, group)
    known = known and not _may_give_a_bias(network, group)
    return "svd" if known else "magnitude"


def _by_activations(network: Network, group: Group, keep: int, probe: Array) -> Surgery:
    if unmixable(network, group) is None:
        return _retained(network, group, keep, probe)
    units = telling_units(network, group, keep, probe)
    return dropped_and_fitted(network, group, units, probe)


def _retained(network: Network, group: Group, keep: int, probe: Array) -> Surgery:
    found = retain(network, group, group_activations(network, group, probe), keep)
    surgery = change_width(network, group, found.change)
    if surgery.promise.exact:
        return surgery
    promise = fitted_promise(found.error)
    return attrs.evolve(surgery, promise=promise, predicted=found.error, probe_passes=1)


def _largest(network: Network, group: Group, keep: int) -> Surgery:
    units = largest_units(network, group, keep)
    if unmixable(network, group) is not None:
        return dropped(network, group, units)
    encode = selection(units, group.size)
    return change_width(network, group, WidthMap(encode, encode.T))


def _projected(network: Network, group: Group, keep: int) -> Surgery:
    layer = network.layers[group.writers[0]]
    parts = singular_components(layer)
    encode = singular_components(layer, keep).right
    held = bias_of(layer)
    bias = np.zeros(group.size) if held is None else held.astype(np.float64)
    change = WidthMap(encode, encode.T, bias - (bias @ encode) @ encode.T)
    surgery = change_width(network, group, change)
    return attrs.evolve(surgery, predicted=parts.share_lost(keep))
