"""What a search found, as it leaves the run: in the user's units and names, with its summary."""

from typing import Any

import attrs

from nas_surgery.data.splits import Splits
from nas_surgery.data.units import in_target_units
from nas_surgery.network import Network
from nas_surgery.runs import accounts
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.former import former_summary, reads_of_test_part
from nas_surgery.runs.preparation import Preparation
from nas_surgery.runs.result import ParetoPoint
from nas_surgery.runs.searching import Found


@attrs.frozen(eq=False)
class Settled:
    """The winner, the front, the summary but for what the check of the export adds, what the exported
    winner says of itself, and the summary that was there before."""

    network: Network
    points: tuple[ParetoPoint, ...]
    summary: dict[str, Any]
    metadata: dict[str, Any]
    former: dict[str, Any]


def settle(made: Preparation, found: Found, directory: RunDirectory | None) -> Settled:
    """Measure the winner on the test part, unless the run is to go on, and write its account."""
    search = found.search
    winner = accounts.figures(search.winner, search.network, made, tested=found.error is None)
    summary = accounts.summary(made, search, winner, found.baseline, found.seconds, found.warnings)
    former = {} if directory is None else former_summary(directory.summary)
    summary["test_reads"] = reads_of_test_part(former, summary)
    points = tuple(
        ParetoPoint(
            _final(network, made.splits), o.parameters, o.loss, o.accuracy, o.job, made.epochs_of(o)
        )
        for o, network in search.front
    )
    network = _final(search.network, made.splits)
    return Settled(network, points, summary, accounts.onnx_metadata(made, search), former)


def _final(network: Network, splits: Splits) -> Network:
    """A network in the units and with the names of the user's labels."""
    scaled = in_target_units(network, splits.target_mean, splits.target_scale)
    return attrs.evolve(scaled, classes=splits.classes or None)
