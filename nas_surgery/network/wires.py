"""Wires: which layers read others than the one before them.

A source is the address of a layer, or -1 for the network's input. Of a chain there are none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.errors import NetworkError

INPUT = -1

Value = TypeVar("Value")


class Wires(Mapping[int, tuple[int, ...]]):
    """Sources by address, immutable, in the order of addresses; those who read the layer before are left out."""

    __slots__ = ("_held",)

    def __init__(self, wires: Mapping[int, Iterable[int]] = {}) -> None:
        if not isinstance(wires, Mapping):
            raise NetworkError(f"wires: sources by address are needed, got {described(wires)}")
        held = {_address(key): _sources(key, sources) for key, sources in wires.items()}
        self._held = {a: held[a] for a in sorted(held) if held[a] != (a - 1,)}

    def __getitem__(self, address: int) -> tuple[int, ...]:
        return self._held[address]

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"Wires({self._held})"

    def to_json(self) -> dict[str, list[int]]:
        """Sources by address, as JSON values."""
        return {str(address): list(sources) for address, sources in self._held.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Wires":
        """The inverse of `to_json`; ValueError, AttributeError or NetworkError for anything else."""
        return cls({int(address): sources for address, sources in values.items()})

    def all(self, count: int) -> tuple[tuple[int, ...], ...]:
        """The sources of each of `count` layers."""
        return tuple([self._held.get(address, (address - 1,)) for address in range(count)])

    @property
    def far(self) -> tuple[int, ...]:
        """All sources that are named."""
        return tuple(source for sources in self._held.values() for source in sources)


def walk(sources: Sequence[tuple[int, ...]], first: Value, step: Callable[..., Value]) -> Value:
    """The value of the last layer, where `step(address, *inputs)` gives each; none is held that nobody reads.

    first: the value of the input.
    """
    last = {source: address for address, held in enumerate(sources) for source in held}
    values = {INPUT: first}
    value = first
    for address, held in enumerate(sources):
        value = step(address, *(values[source] for source in held))
        for source in set(held):
            if last[source] == address:
                del values[source]
        values[address] = value
    return value


def moved(sources: Sequence[tuple[int, ...]], counts: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The wires once each layer has been replaced by so many, each of them reading the one before.

    The first reads what the layer read, and whoever read the layer reads the last; or what it read
    itself, where none is left. NetworkError if that is more than one.
    """
    wires, place, now = {}, {INPUT: INPUT}, 0
    for address, (held, count) in enumerate(zip(sources, counts, strict=True)):
        inputs = tuple(place[source] for source in held)
        if count:
            wires[now] = inputs
            now += count
            place[address] = now - 1
        elif len(inputs) == 1:
            place[address] = inputs[0]
        else:
            raise NetworkError(
                f"layer {address}: what joins {len(inputs)} sources cannot be dropped"
            )
    return wires


def cut(sources: Sequence[tuple[int, ...]], start: int) -> list[tuple[int, ...]]:
    """The sources of layers from `start` on, where the one before it is their input; NetworkError if others are read."""
    for address, held in enumerate(sources, start):
        if min(held) < start - 1:
            raise NetworkError(
                f"layer {address} reads layer {min(held)}, so no start at layer {start} is possible"
            )
    return [tuple(source - start for source in held) for held in sources]


def _address(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise NetworkError(f"wires: addresses are whole numbers, got {described(value)}")
    return int(value)


def _sources(key: Any, value: Any) -> tuple[int, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise NetworkError(f"wires: layer {key} needs a list of sources, got {described(value)}")
    return tuple(_address(source) for source in value)
