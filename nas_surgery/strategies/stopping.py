"""When a search has come to its end before its epochs have: it turns in circles, or nothing gets better.

The outlook of the paper (section 4.2 and Fig. 5) proposes the first as a sign that a search has converged.
"""

from collections.abc import Sequence

from nas_surgery.network import Shape

OSCILLATION, PATIENCE = "oscillation", "patience"
EARLY = (OSCILLATION, PATIENCE)
"""What `stopped` says of a search that its strategy has ended early."""

SIMILAR = 0.05
"""Topologies are near-identical whose widths differ by no more than this share, all layers together."""


def distance(one: Shape, other: Shape) -> float:
    """By how much the widths of two topologies differ, 0 to 1; 1 where their depths do."""
    if len(one) != len(other):
        return 1.0
    total = sum(map(max, one, other))
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / total if total else 0.0


def returns(states: Sequence[Shape]) -> int:
    """How many of the last changes of a topology led back to a near-identical state of before.

    states: widths of one network and its ancestors, the oldest first. A change leads back if it ends
    nearer to an earlier state than to where it began; so steady growth in small steps never does.
    """
    found = 0
    for i in range(1, len(states)):
        change = distance(states[i], states[i - 1])
        if change > 0:
            nearest = min((distance(states[i], each) for each in states[: i - 1]), default=1.0)
            found = found + 1 if nearest <= SIMILAR and nearest < change else 0
    return found


def stale(accuracies: Sequence[float]) -> int:
    """How many values there are behind the first of the highest."""
    return len(accuracies) - 1 - accuracies.index(max(accuracies))
