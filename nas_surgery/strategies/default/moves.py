"""What the default strategy proposes: composite edits that keep to the limits, with the size they lead to."""

from collections.abc import Sequence

import attrs

from nas_surgery.network import Group, Network
from nas_surgery.operations import Operation
from nas_surgery.strategies.default.sizes import (
    deepened,
    growing_groups,
    largest_factor,
    open_groups,
    resized,
    scaled,
    within,
)
from nas_surgery.strategies.jobs import Operations
from nas_surgery.strategies.recommender import Limits
from nas_surgery.surgery import exact_activation

SMALLEST_GROWTH = 1.1  # a race costs the same for less, and tells less


@attrs.frozen(eq=False)
class Move:
    """Edits that make one candidate, as far as they are still to be done. label: a few words.
    topology: what comes out, without weights."""

    label: str
    operations: tuple[Operation, ...]
    topology: Network

    @classmethod
    def stay(cls, network: Network) -> "Move":
        """No edit: the control of every race."""
        return cls("identity", (), network)


@attrs.frozen
class Moves:
    """Makes moves from the operations that the run has; what it lacks is not proposed.

    growth, removal: methods of `add_neurons` and `remove_neurons`.
    """

    operations: Operations
    limits: Limits
    growth: str = "pairs"
    removal: str = "activation"

    def wider(self, network: Network, excluded: Sequence[int], factor: float) -> list[Move]:
        """All hidden layers `factor` times as wide; less where a limit binds."""
        groups = growing_groups(network, excluded)
        move = self._widening(network, groups, factor) if groups else None
        return [] if move is None else [move]

    def deeper(self, network: Network, excluded: Sequence[int]) -> list[Move]:
        """An identity layer with as many new units behind the last hidden layer."""
        groups = open_groups(network, excluded)
        if "add_layer" not in self.operations or not groups:
            return []
        last = groups[-1]
        if exact_activation(network, last.writers[0]) == "linear":
            return []
        layer = last.writers[0]
        topology = deepened(network, layer, last.size)
        if topology is None or not within(topology, self.limits):
            return []
        fields = {"layer": layer, "units": last.size}
        operation = self.operations["add_layer"].from_fields(fields)
        return [Move("one layer deeper", (operation,), topology)]

    def narrower(self, network: Network, excluded: Sequence[int], factor: float) -> list[Move]:
        """Each hidden layer `factor` times as wide, without the units that matter least.

        Not several at once: what that costs is about the sum, so for its size one of them costs less.
        """
        groups = open_groups(network, excluded)
        found = [self._narrowing(network, [group], factor) for group in groups]
        return [move for move in found if move is not None]

    def fitting(self, network: Network, excluded: Sequence[int]) -> Move | None:
        """The start cut to the limits, or as far towards them as exclusions allow; None if it fits."""
        if within(network, self.limits):
            return None
        groups = open_groups(network, excluded)
        factor = largest_factor(network, groups, self.limits, 0.0, 1.0)
        return self._narrowing(network, groups, 0.0 if factor is None else factor)

    def revival(self, network: Network, excluded: Sequence[int]) -> tuple[Operation, ...]:
        """New life for the silent units of all hidden layers."""
        if "revive" not in self.operations:
            return ()
        revive = self.operations["revive"]
        groups = growing_groups(network, excluded)
        return tuple(revive.from_fields({"layer": group.writers[0]}) for group in groups)

    def _widening(self, network: Network, groups: Sequence[Group], factor: float) -> Move | None:
        if "add_neurons" not in self.operations:
            return None
        allowed = largest_factor(network, groups, self.limits, SMALLEST_GROWTH, factor)
        if allowed is None:
            return None
        units = scaled(network, groups, allowed)
        counts = {g.writers[0]: units[g.writers[0]] - g.size for g in groups}
        add = self.operations["add_neurons"]
        edits = tuple(
            add.from_fields({"layer": layer, "count": count, "method": self.growth})
            for layer, count in counts.items()
            if count > 0
        )
        return Move(_label(groups, allowed), edits, resized(network, units)) if edits else None

    def _narrowing(self, network: Network, groups: Sequence[Group], factor: float) -> Move | None:
        units = scaled(network, groups, factor)
        changed = {
            g.writers[0]: units[g.writers[0]] for g in groups if units[g.writers[0]] < g.size
        }
        if "remove_neurons" not in self.operations or not changed:
            return None
        remove = self.operations["remove_neurons"]
        edits = tuple(
            remove.from_fields({"layer": layer, "keep": keep, "method": self.removal})
            for layer, keep in changed.items()
        )
        return Move(_label(groups, factor), edits, resized(network, units))


def _label(groups: Sequence[Group], factor: float) -> str:
    where = f"layer {groups[0].writers[0]}" if len(groups) == 1 else "all hidden layers"
    return f"{where} × {factor:.2g}"
