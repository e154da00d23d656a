"""How long a model takes under onnxruntime on this machine."""

from time import perf_counter

import attrs
import numpy as np

from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.network import Network, keyed_generator

WARM = 3  # runs that do not count
RUNS = 15
SECONDS = 3.0  # enough for one measurement, once there are a few runs


@attrs.frozen
class Latency:
    """Median milliseconds of warm runs, at a batch size and a number of threads."""

    milliseconds: float
    batch: int
    threads: int


def measured_latency(network: Network, batch: int = 1, threads: int = 1) -> Latency:
    """Of a network as it is exported."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        export_onnx(network), options, providers=["CPUExecutionProvider"]
    )
    shape = (batch, *network.input_shape)
    x = keyed_generator(0, "latency").normal(size=shape).astype(network.dtype)
    feed = {session.get_inputs()[0].name: np.abs(x)}
    times: list[float] = []
    start = perf_counter()
    while len(times) < WARM + RUNS and (len(times) < WARM + 3 or perf_counter() - start < SECONDS):
        before = perf_counter()
        session.run(None, feed)
        times.append(perf_counter() - before)
    return Latency(1e3 * float(np.median(times[WARM:])), batch, threads)
