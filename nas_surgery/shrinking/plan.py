"""What may go of a network: its groups, in which order their units go, and what that loses."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Group, Network
from nas_surgery.shrinking.allocation import greedy, uniform
from nas_surgery.shrinking.costs import CostModel
from nas_surgery.shrinking.curves import Curve, by_activations, by_weights
from nas_surgery.shrinking.probing import seen_values
from nas_surgery.shrinking.telling import Told, unheard
from nas_surgery.shrinking.weighing import weights_of
from nas_surgery.surgery import incoming_norms, outgoing_norms
from nas_surgery.surgery.heads import turned_heads
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.refit import Drift, Run, plain, refitted
from nas_surgery.surgery.result import Narrowed

PROBE = 128  # samples that curves are drawn from
TRIES = 8  # to keep to a limit that the cost model misses

Remembered = Callable[[str, Callable[[], Any]], Any]  # a stage, and what makes its value


def made(stage: str, make: Callable[[], Any]) -> Any:
    """Remembers nothing."""
    return make()


@attrs.frozen(eq=False)
class Plan:
    """network: the original, its heads turned. groups: those that may lose channels. weights: what a
    curve's loss of each costs the outputs, (groups,)."""

    network: Network
    groups: tuple[Group, ...]
    curves: tuple[Curve, ...]
    costs: CostModel
    weights: Array

    def sizes(self, kind: str, limit: float, multiple: int = 1) -> list[Array]:
        """Allocations of at most so much "macs" or "parameters", the one that should be best first.

        OperationError where even the smallest network costs more.
        """
        cost = getattr(self.costs, kind)
        least = cost(self.smallest())
        if least > limit:
            raise OperationError(
                f"{limit:,.0f} {kind} cannot be reached: the smallest network that the"
                f" {len(self.groups)} groups that may change allow has {least:,.0f}"
                f" ({least / cost(np.array([float(g.size) for g in self.groups])):.1%})"
            )
        offers = [
            self._kept_to(
                kind,
                limit,
                lambda aim: greedy(self.groups, self.curves, cost, aim, self.weights, multiple),
            ),
            self._kept_to(kind, limit, lambda aim: uniform(self.groups, cost, aim, multiple)),
        ]
        found = [sizes for sizes in offers if sizes is not None]
        return found[:1] if found and np.array_equal(found[0], found[-1]) else found

    def _kept_to(self, kind: str, limit: float, choose: Callable[[float], Array]) -> Array | None:
        """What is chosen for a limit, or for less where pieces of groups make networks cost more than the
        model says."""
        aim = limit
        for _ in range(TRIES):
            sizes = choose(aim)
            if getattr(self.costs, kind)(sizes) > aim:
                return None
            if not any(group.scattered for group in self.groups):
                return sizes
            network = self.cut(sizes)[0]
            counted = network.macs if kind == "macs" else network.parameter_count
            if counted <= limit:
                return sizes
            aim *= limit / counted
        return None

    def smallest(self) -> Array:
        """The fewest channels that groups can have."""
        return np.array([float(group.step) for group in self.groups])

    def expected(self, sizes: Array) -> float:
        """The share of the outputs' power that an allocation should cost, as if groups were independent."""
        lost = [c.lost[int(k)] for c, k in zip(self.curves, sizes, strict=True)]
        return float(self.weights @ np.array(lost))

    def cut(self, sizes: Array) -> tuple[Network, dict[int, Narrowed]]:
        """The network with so many channels of each group, nobody making up for the others."""
        choices = [
            (group, curve.kept(int(size)))
            for group, curve, size in zip(self.groups, self.curves, sizes, strict=True)
            if size < group.size
        ]
        return narrowed(self.network, choices)

    def fitted(
        self, sizes: Array, x: Array, seed: int, run: Run = plain, told: Told = unheard
    ) -> tuple[Network, tuple[Drift, ...]]:
        """`cut`, with readers that make up for it on samples `x`, and how far each layer drifts."""
        small, cuts = self.cut(sizes)
        count = len(self.network.layers)
        return refitted(
            self.network,
            small,
            cuts,
            x,
            seed=seed,
            run=run,
            told=lambda address: told("fitting", address + 1, count),
        )


def planned(
    network: Network,
    x: Array | None,
    *,
    only: Sequence[int] = (),
    exclude: Sequence[int] = (),
    seed: int = 0,
    run: Run = plain,
    told: Told = unheard,
    remembered: Remembered = made,
) -> Plan:
    """The plan by activations on samples `x` (N, *input_shape), or by weights alone.

    only, exclude: addresses of layers whose channels may, or may not, go. remembered: gives what a stage
    came to, if it was done before. OperationError where none may.
    """
    _check_addresses(network, only=only, exclude=exclude)
    probe = None if x is None else x[:PROBE]
    turned: dict[int, Array] = {}
    if probe is not None:
        network, turned = turned_heads(network, probe)
    found = (in_pieces(network, group) for group in network.groups())
    groups = [group for group in found if _open(group, only, exclude, turned)]
    if not groups:
        raise OperationError("no group of channels of this network may change")
    values = [] if probe is None else seen_values(network, groups, probe, seed, run)
    curves = _curves(network, groups, values, turned, told)
    costs = CostModel.of(network, groups, refitted=x is not None)
    plan = Plan(network, tuple(groups), tuple(curves), costs, np.ones(len(groups)))
    if x is None:
        return plan
    weights = remembered(
        "weights",
        lambda: weights_of(network, groups, curves, values, x, run, told).tolist(),
    )
    return attrs.evolve(plan, weights=np.array(weights))


def _check_addresses(network: Network, **given: Sequence[int]) -> None:
    """OperationError for addresses of layers that write no channels that may go."""
    may = sorted({writer for group in network.groups() for writer in group.writers})
    for name, addresses in given.items():
        wrong = [address for address in addresses if address not in may]
        if wrong:
            raise OperationError(
                f"{name}: layer {wrong[0]} has no channels that may go; layers that have:"
                f" {', '.join(map(str, may)) or 'none'}"
            )


def in_pieces(network: Network, group: Group) -> Group:
    """A group of which some tensors have pieces, such that as much goes of each, and something stays."""
    if not group.scattered or group.cells is not None:
        return group
    tensors = network.atoms.tensors
    channels = tensors[group.writers[0] + 1]
    there = np.array([np.isin(channels, tensor) for tensor in tensors])
    _, cells = np.unique(there, axis=1, return_inverse=True)
    return attrs.evolve(group, cells=tuple(map(int, cells.ravel()))) if cells.any() else group


def _open(
    group: Group, only: Sequence[int], exclude: Sequence[int], turned: dict[int, Array]
) -> bool:
    wanted = not only or bool(set(group.writers) & set(only))
    known = not group.ends or group.writers[0] in turned
    return wanted and known and group.size > group.step and not set(group.writers) & set(exclude)


def _curves(
    network: Network,
    groups: Sequence[Group],
    values: Sequence[Array],
    turned: dict[int, Array],
    told: Told,
) -> list[Curve]:
    if not values:
        return [
            by_weights(
                incoming_norms(network, g) * np.maximum(outgoing_norms(network, g), 1e-12), g
            )
            for g in groups
        ]
    curves = []
    for i, (group, rows) in enumerate(zip(groups, values, strict=True)):
        told("looking", i + 1, len(groups))
        strengths = turned.get(group.writers[0])
        if strengths is not None:
            curves.append(by_weights(strengths, group))
        else:
            curves.append(by_activations(network, group, rows))
    return curves
