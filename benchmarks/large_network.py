"""What surgery and shrinking of a network as large as ResNet-50 take in time and memory.

    python benchmarks/large_network.py --json benchmarks/results/large_network.json

The network has ResNet-50's layers (He et al., 2015) and random weights: times and memory are those of a
trained one, what is lost is not. Measured are its groups, all of them halved at once, everything fitted
again on 512 images of 64 × 64, and `shrink` to half of the multiply-accumulates at 224 × 224, from a file
to a file, with the latency of both under onnxruntime.
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from origin import origin

from nas_surgery.formats.models import load, save
from nas_surgery.network import Add, GlobalAveragePool, MaxPool, Network, keyed_generator
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.running import LayerRunner
from nas_surgery.shrinking.shrink import shrink
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.surgery.refit import refitted
from nas_surgery.testing.wiring import Wiring

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks and their inner widths
WIDENING = 4


def resnet50(size: int, classes: int = 1000) -> Network:
    """Images of size × size × 3."""
    net = Wiring((size, size, 3), 0)
    net.unit(64, 7, strides=2)
    net.add(MaxPool((3, 3), strides=2, padding=1))
    for stage, (blocks, width) in enumerate(STAGES):
        for block in range(blocks):
            _bottleneck(net, width, 2 if stage and not block else 1, first=not block)
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(np.float32)


def _bottleneck(net: Wiring, width: int, strides: int, first: bool) -> None:
    source = net.last
    net.unit(width, 1)
    net.unit(width, 3, strides=strides)
    net.conv(width * WIDENING, 1)
    branch = net.batch_norm()
    if first:
        net.conv(width * WIDENING, 1, source, strides)
        source = net.batch_norm()
    net.add(Add(), source, branch)
    net.activate()


def images(count: int, size: int) -> np.ndarray:
    """Smooth random fields, so that neighbouring pixels are alike as in photographs."""
    coarse = keyed_generator(0, "images").normal(size=(count, 8, 8, 3))
    return np.kron(coarse, np.ones((1, size // 8, size // 8, 1))).astype(np.float32)


def timed(action: Any) -> tuple[Any, float]:
    """What it returns, and its seconds."""
    start = perf_counter()
    value = action()
    return value, perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    packages = ("numpy", "scipy", "onnxruntime")
    results = {**origin(packages), "surgery": surgery(), "shrink": shrinking()}
    results["peak_gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(results, indent=2))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def surgery() -> dict[str, Any]:
    network = resnet50(64)
    groups, found = timed(network.groups)
    choices = [(group, np.arange(group.size // 2)) for group in groups]
    (small, cuts), halved = timed(lambda: narrowed(network, choices))
    x = images(512, 64)
    run = LayerRunner()
    _, fitted = timed(lambda: refitted(network, small, cuts, x, run=run))
    return {
        "parameters": network.parameter_count,
        "groups": len(groups),
        "seconds": {"groups": found, "halve_all": halved, "fit_all_512_images_64": fitted},
    }


def shrinking() -> dict[str, Any]:
    network = resnet50(224)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        save(network, before)
        x = images(64, 224)
        _, seconds = timed(lambda: shrink(before, x, macs=0.5, out=after))
        smaller = load(after)
        latency = [measured_latency(each).milliseconds for each in (network, smaller)]
    return {
        "seconds": seconds,
        "macs": {"before": network.macs, "after": smaller.macs},
        "latency_ms": {"before": latency[0], "after": latency[1]},
        "faster": latency[0] / latency[1],
    }


if __name__ == "__main__":
    main()
