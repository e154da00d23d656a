"""What became of a network's outputs and of its speed."""

from typing import Any

import numpy as np

from nas_surgery.network import Network
from nas_surgery.shrinking.calibration import Calibration
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.running import LayerRunner
from nas_surgery.shrinking.samples import JUDGES, Judge

MOST = min(JUDGES, 1000)  # samples that are compared


def effect(before: Network, after: Network, given: Calibration) -> dict[str, Any]:
    """Drift of the outputs (RMS of their change ÷ RMS of their spread), agreement, accuracy where there are
    labels, and latency under onnxruntime, before and after, as JSON values."""
    x, y = given.x[:MOST], None if given.y is None else given.y[:MOST]
    judge = Judge.compare(before, x, y, LayerRunner())
    verdict = judge.verdict(after)
    spread = float(np.mean((judge.wanted - judge.wanted.mean(axis=0)) ** 2))
    accuracy = verdict.accuracy
    times = [measured_latency(network).milliseconds for network in (before, after)]
    return {
        "samples": len(x),
        "drift": (verdict.lost / spread) ** 0.5 if spread else None,
        "agreement": verdict.agreement,
        "accuracy": accuracy and {"before": accuracy[0], "after": accuracy[1]},
        "latency_ms": {"before": times[0], "after": times[1]},
    }


def effect_text(value: dict[str, Any]) -> str:
    """The same in a line."""
    drift, accuracy, latency = value["drift"], value["accuracy"], value["latency_ms"]
    parts = [
        "" if drift is None else f"outputs drift by {drift:.3f}",
        f"agreement {value['agreement']:.2%}",
        accuracy and f"accuracy {accuracy['before']:.2%} → {accuracy['after']:.2%}",
        f"latency {latency['before']:.2f} → {latency['after']:.2f} ms",
    ]
    return f"{', '.join(filter(None, parts))} ({value['samples']:,} samples)"
