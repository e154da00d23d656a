"""Topologies as boxes: the layers that make or join channels, each with what it reads, followed from step to step."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import inf, log2

import attrs

from nas_surgery.network import Network
from nas_surgery.network.channels import Outputs
from nas_surgery.network.wires import INPUT

OMITTED = 100.0  # costs more than any change of width: as many boxes as possible are the same before and after
SIGNS = {Outputs.TIE: "+", Outputs.CONCAT: "∪"}


@attrs.frozen
class Box:
    """A layer as it is drawn. address: -1 for the input. text: its width, shape or sign. sources: addresses
    of the boxes that it reads; activations and the like are part of the wire."""

    address: int
    units: int
    text: str
    kind: str = "hidden"
    sources: tuple[int, ...] = ()


def boxes_of(network: Network) -> tuple[Box, ...]:
    """The boxes of a network, from the input to the output."""
    behind = {INPUT: INPUT}
    found = [_input(network)]
    for address, layer in enumerate(network.layers):
        sources = tuple(behind[source] for source in network.sources[address])
        if layer.channels.outputs is not Outputs.FRESH and not layer.several:
            behind[address] = sources[0]
            continue
        units = network.shapes[address + 1][-1]
        sign = SIGNS.get(layer.channels.outputs) if layer.several else None
        kind = "join" if layer.several else "hidden"
        found.append(Box(address, units, sign or str(units), kind, sources))
        behind[address] = address
    return (*found[:-1], _output(found[-1])) if len(found) > 1 else tuple(found)


def _input(network: Network) -> Box:
    units = 1
    for size in network.input_shape:
        units *= size
    return Box(INPUT, units, "×".join(map(str, network.input_shape)), "input")


def _output(box: Box) -> Box:
    return attrs.evolve(box, kind="output" if box.kind == "hidden" else box.kind)


@attrs.frozen
class Step:
    """Boxes and the keys that follow each through the steps: the same key is the same layer."""

    boxes: tuple[Box, ...]
    keys: tuple[int, ...]


def follow(
    networks: Sequence[Network], origins: Sequence[Sequence[int | None]]
) -> tuple[Step, ...]:
    """Steps of a lineage. origins: for each network its layers' addresses in the one before, None for those
    that surgery made or changed; empty if nothing did."""
    steps: list[Step] = []
    for network, origin in zip(networks, origins, strict=True):
        boxes = boxes_of(network)
        if not steps:
            steps.append(Step(boxes, tuple(range(len(boxes)))))
            continue
        pairs = matched(steps[-1].boxes, boxes, origin or range(len(network.layers)))
        fresh = 1 + max(key for step in steps for key in step.keys)
        keys = []
        for i in range(len(boxes)):
            keys.append(steps[-1].keys[pairs[i]] if i in pairs else fresh)
            fresh += i not in pairs
        steps.append(Step(boxes, tuple(keys)))
    return tuple(steps)


def matched(
    before: Sequence[Box], after: Sequence[Box], origins: Sequence[int | None]
) -> dict[int, int]:
    """Places of boxes after surgery, and of the same ones before: those that origins name, and between these
    as many as possible, with the least change of width. Order is kept."""
    there = {box.address: place for place, box in enumerate(before)}
    known = {0: 0, len(after) - 1: len(before) - 1}
    last = 0
    for place, box in enumerate(after[1:-1], start=1):
        origin = origins[box.address] if box.address < len(origins) else None
        old = None if origin is None else there.get(origin)
        if old is not None and last < old < len(before) - 1:
            known[place] = last = old
    found = dict(known)
    anchors = sorted(known.items())
    for (left, old_left), (right, old_right) in pairwise(anchors):
        gap = _aligned(before[old_left + 1 : old_right], after[left + 1 : right])
        found |= {left + 1 + new: old_left + 1 + old for new, old in gap.items()}
    return found


def _aligned(before: Sequence[Box], after: Sequence[Box]) -> dict[int, int]:
    """The pairing (after: before) of two rows of boxes at the least cost, in order."""

    @cache
    def best(i: int, j: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        if i == len(before) or j == len(after):
            return OMITTED * (len(before) - i + len(after) - j), ()
        cost, pairs = best(i + 1, j + 1)
        ways = [(cost + _change(before[i], after[j]), ((j, i), *pairs))]
        for cost, pairs in (best(i + 1, j), best(i, j + 1)):
            ways.append((cost + OMITTED, pairs))
        return min(ways, key=lambda way: way[0])

    return dict(best(0, 0)[1])


def _change(before: Box, after: Box) -> float:
    """What it costs to take one for the other, in doublings of the width."""
    return inf if before.kind != after.kind else abs(log2(after.units / before.units))


@attrs.frozen
class Place:
    """Where a key is drawn: its column by what lies before it, its lane beside others."""

    column: int
    lane: int


def layout(steps: Sequence[Step]) -> dict[int, Place]:
    """One place for each key over the union of all steps, so that nothing moves from step to step."""
    order = _order(steps)
    sources = _sources(steps)
    columns: dict[int, int] = {}
    for key in order:
        columns[key] = 1 + max((columns[source] for source in sources[key]), default=-1)
    ends = {steps[i].keys[-1] for i in range(len(steps))}
    for key in ends:
        columns[key] = max(columns.values())
    return {key: Place(columns[key], lane) for key, lane in _lanes(order, columns, steps).items()}


def _order(steps: Sequence[Step]) -> list[int]:
    """All keys, such that those of each step stand in its order."""
    order: list[int] = []
    for step in steps:
        place = -1
        for key in step.keys:
            if key not in order:
                order.insert(place + 1, key)
            place = order.index(key)
    return order


def _sources(steps: Sequence[Step]) -> dict[int, set[int]]:
    """Everything that each key ever reads."""
    found: dict[int, set[int]] = {}
    for step in steps:
        names = _names(step)
        for box, key in zip(step.boxes, step.keys, strict=True):
            found.setdefault(key, set()).update(names[source] for source in box.sources)
    return found


def _names(step: Step) -> dict[int, int]:
    """Keys by address."""
    return {box.address: key for box, key in zip(step.boxes, step.keys, strict=True)}


def _lanes(
    order: Sequence[int], columns: Mapping[int, int], steps: Sequence[Step]
) -> dict[int, int]:
    """The lane of the first source where it is free, otherwise the next one; the output is on the first."""
    together = [set(step.keys) for step in steps]
    firsts = _first_sources(steps)
    lanes: dict[int, int] = {}
    for key in order:
        taken = {
            lanes[other]
            for other in lanes
            if columns[other] == columns[key] and any({other, key} <= keys for keys in together)
        }
        lane = min((lanes[source] for source in firsts[key]), default=0)
        while lane in taken:
            lane += 1
        lanes[key] = lane
    return lanes


def _first_sources(steps: Sequence[Step]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for step in steps:
        names = _names(step)
        for box, key in zip(step.boxes, step.keys, strict=True):
            found.setdefault(key, tuple(names[source] for source in box.sources))
    return found


def edges(step: Step) -> tuple[tuple[int, int], ...]:
    """(from, to) of each wire, as keys."""
    names = _names(step)
    return tuple(
        (names[source], key)
        for box, key in zip(step.boxes, step.keys, strict=True)
        for source in box.sources
    )
