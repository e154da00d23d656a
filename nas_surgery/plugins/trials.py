"""Plugins are tried on a tiny network before a run starts, so that a broken one costs no training."""

from collections.abc import Callable, Container, Mapping
from functools import partial
from itertools import islice

import numpy as np

from nas_surgery.analysis.scores import OFFERED, Score, call_score
from nas_surgery.analysis.spectra import analyse
from nas_surgery.errors import OperationError, PluginError
from nas_surgery.network import Network
from nas_surgery.operations import Context, Operation, Proposal
from nas_surgery.operations.checked import checked
from nas_surgery.plugins.registry import BUILTIN, Registry

PROPOSALS = 3
SAMPLES = 8


def sound_operations(
    registry: Registry, operations: Mapping[str, type[Operation]], named: Container[str]
) -> tuple[dict[str, type[Operation]], tuple[str, ...]]:
    """The operations that work on a tiny network, and a line on each of the others.

    named: what the user asked for by name; such an operation raises PluginError if it fails, while
    one that is merely installed is left out.
    """
    sound, refused = dict(operations), []
    for name, operation in operations.items():
        try:
            _try(registry, "operations", name, partial(_operate, operation))
        except PluginError as error:
            if name in named:
                raise
            del sound[name]
            refused.append(str(error))
    return sound, tuple(refused)


def try_score(registry: Registry, name: str, score: Score) -> None:
    """Score once; PluginError names what is wrong with a score from a plugin."""
    _try(registry, "scores", name, partial(call_score, score, dict.fromkeys(OFFERED, 1.0)))


def _try(registry: Registry, kind: str, name: str, trial: Callable[[], object]) -> None:
    owner = registry.owner(kind, name)
    if owner.name == BUILTIN:
        return
    try:
        trial()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"plugin {owner.name} {owner.version}: {kind.removesuffix('s')} {name!r} fails on a small"
            f" network: {type(error).__name__}: {error}"
        ) from error


def _operate(operation: type[Operation]) -> None:
    network = Network.dense(4, (6, 5), 3)
    probe = np.linspace(0, 1, SAMPLES * 4, dtype=np.float32).reshape(SAMPLES, 4)
    probe.flags.writeable = False
    proposals = operation.propose(network, analyse(network))
    for key, proposal in enumerate(islice(proposals, PROPOSALS)):
        if not isinstance(proposal, Proposal):
            raise TypeError(f"propose must return Proposals, got {proposal!r}")
        try:
            surgery = proposal.operation.apply(network, Context(0, (key,), probe))
        except OperationError:  # it may refuse this network, as it would any that does not suit it
            continue
        checked(proposal.operation, network, surgery)
        proposal.operation.parameters_after(network)
