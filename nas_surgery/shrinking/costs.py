"""What a network would cost if its groups had other sizes, without making it."""

from collections.abc import Sequence

import attrs
import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, bias_of
from nas_surgery.network.channels import Axis, axis_of


@attrs.frozen(eq=False)
class CostModel:
    """Multiply-accumulates and parameters of a network as functions of its groups' sizes (groups,).

    Every cost is a sum of terms, a coefficient times a product of numbers of channels.
    """

    groups: tuple[Group, ...]
    fixed: Array  # channels of each tensor that belong to no group, (tensors,)
    times: Array  # how often each tensor has each group, (tensors, groups)
    macs_terms: "Terms"
    parameter_terms: "Terms"

    @classmethod
    def of(cls, network: Network, groups: Sequence[Group], refitted: bool = False) -> "CostModel":
        """The model of a network whose other groups stay as they are; refitted: linear layers without a
        bias are going to have one."""
        tensors = network.atoms.tensors
        owner = np.full(len(network.atoms.fixed), len(groups))
        for i, group in enumerate(groups):
            owner[tensors[group.writers[0] + 1]] = i
        counts = np.array([np.bincount(owner[t], minlength=len(groups) + 1) for t in tensors])
        sizes = np.array([group.size for group in groups])
        times = counts[:, :-1] / sizes if len(groups) else np.zeros((len(tensors), 0))
        return cls(
            tuple(groups),
            counts[:, -1],
            times,
            _macs_terms(network),
            _parameter_terms(network, refitted),
        )

    def macs(self, sizes: Array) -> float:
        """For one sample, forwards."""
        return self.macs_terms.value(self.fixed + self.times @ sizes)

    def parameters(self, sizes: Array) -> float:
        return self.parameter_terms.value(self.fixed + self.times @ sizes)


@attrs.frozen(eq=False)
class Terms:
    """Σ coefficient · Π channels of tensors; one tensor beyond the last has one channel."""

    coefficients: Array  # (terms,)
    factors: Array  # (terms, 4), tensors by number

    def value(self, channels: Array) -> float:
        padded = np.append(channels, 1.0)
        return float(self.coefficients @ padded[self.factors].prod(axis=1))


FACTORS = 4  # axes of one array that may hold channels, and one to spare


def _terms(found: list[tuple[float, list[int]]], tensors: int) -> Terms:
    factors = [axes + [tensors] * (FACTORS - len(axes)) for _, axes in found]
    return Terms(
        np.array([value for value, _ in found]),
        np.array(factors, np.intp).reshape(-1, FACTORS),
    )


def _parameter_terms(network: Network, refitted: bool) -> Terms:
    found = [
        term
        for address, layer in enumerate(network.layers)
        for name in layer.parameters()
        for term in [_size(network, address, layer, name)]
    ]
    if refitted:
        found += [
            (1.0, [address + 1])
            for address, layer in enumerate(network.layers)
            if layer.channels.reads and layer.weighs_rows and bias_of(layer) is None
        ]
    return _terms(found, len(network.layers) + 1)


def _macs_terms(network: Network) -> Terms:
    """In proportion to the arrays that weigh values; of a layer without such, to what it reads."""
    found: list[tuple[float, list[int]]] = []
    for address, layer in enumerate(network.layers):
        macs = layer.macs(*network.shapes_before(address))
        if not macs:
            continue
        weighing = _weighing(layer)
        if weighing:
            sizes = [_size(network, address, layer, name) for name in weighing]
            total = sum(layer.parameters()[name].size for name in weighing)
            found += [(value * macs / total, axes) for value, axes in sizes]
        else:
            found += _by_inputs(network, address, layer, macs)
    return _terms(found, len(network.layers) + 1)


def _weighing(layer: Layer) -> list[str]:
    """Arrays whose size the work goes with: kernels, but no biases, however many axes these have."""
    channels = layer.channels
    places = (*channels.reads, *channels.writes, *channels.recurs)
    mixing = [name for name in layer.parameters() if _has(layer, name, places)]
    return mixing or [
        name
        for name, array in layer.parameters().items()
        if array.ndim > 1 and _has(layer, name, channels.made)
    ]


def _has(layer: Layer, name: str, places: Sequence[Axis]) -> bool:
    return axis_of(tuple(places), name) is not None


def _by_inputs(
    network: Network, address: int, layer: Layer, macs: int
) -> list[tuple[float, list[int]]]:
    """A share for each source: what would be saved if it had no channels."""
    shapes = network.shapes_before(address)
    shares = [
        macs - layer.macs(*((*s[:-1], 0) if i == j else s for j, s in enumerate(shapes)))
        for i in range(len(shapes))
    ]
    return [
        (share / shape[-1], [source + 1])
        for share, shape, source in zip(shares, shapes, network.sources[address], strict=True)
    ]


def _size(network: Network, address: int, layer: Layer, name: str) -> tuple[float, list[int]]:
    """An array's size as a coefficient and the tensors whose channels its axes are."""
    array, channels = layer.parameters()[name], layer.channels
    inputs, outputs = network.sources[address][0] + 1, address + 1
    places = [(place, inputs) for place in channels.reads]
    places += [(place, outputs) for place in (*channels.made, *channels.recurs)]
    axes, coefficient = [], float(array.size)
    for place, tensor in places:
        if place.array == name:
            axes.append(tensor)
            coefficient /= network.shapes[tensor][-1]
    return coefficient, axes
