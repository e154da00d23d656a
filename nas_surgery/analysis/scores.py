"""Scores that rank retrained candidates; higher is better.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.3.
"""

import inspect
from collections.abc import Callable, Mapping
from math import exp
from sys import float_info

from nas_surgery.errors import PluginError

Score = Callable[..., float]

OFFERED = ("accuracy", "gain", "size_fraction", "loss", "parameters", "macs")
STEEP = 500.0  # exponents of eq. 16 beyond this are near the end of what a float holds
MAX = float_info.max


def paper_score(accuracy: float, gain: float, size_fraction: float) -> float:
    """s = a + exp(Δa) / exp(Δf) (eq. 16).

    accuracy a; gain Δa against the parent at the decision point; size_fraction Δf: parameters of the
    candidate ÷ parameters of its parent, so 1 for the identity. Where exp would overflow, as for the R²
    of a network that had diverged, the score keeps its order.
    """
    return accuracy + _quotient(gain, size_fraction)


def _quotient(gain: float, size_fraction: float) -> float:
    """exp(gain) / exp(size_fraction); beyond exp(STEEP) it goes on along its tangent."""
    if max(gain, size_fraction) <= STEEP:
        return exp(gain) / exp(size_fraction)
    beyond = gain - size_fraction - STEEP
    return min(exp(STEEP) * (1 + beyond), MAX) if beyond > 0 else exp(STEEP + beyond)


def accuracy_score(accuracy: float) -> float:
    """The validation accuracy (R² for regression) alone, whatever the size."""
    return accuracy


SCORES: dict[str, Score] = {"paper": paper_score, "accuracy": accuracy_score}


def wanted(score: Score) -> tuple[str, ...]:
    """The names that a score's signature asks for; PluginError for one that is not on offer."""
    parameters = inspect.signature(score).parameters.values()
    asked = [p for p in parameters if p.default is p.empty or p.name in OFFERED]
    for parameter in asked:
        if parameter.name not in OFFERED or parameter.kind is parameter.POSITIONAL_ONLY:
            raise PluginError(
                f"score {getattr(score, '__name__', score)}: nobody provides {parameter};"
                f" on offer by name are {', '.join(OFFERED)}"
            )
    return tuple(parameter.name for parameter in asked)


def call_score(score: Score, offer: Mapping[str, float]) -> float:
    """The score's value on what it asks for; PluginError unless it is a number."""
    value = score(**{name: offer[name] for name in wanted(score)})
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise PluginError(
            f"score {getattr(score, '__name__', score)} returned {value!r}, not a number"
        )
    return float(value)
