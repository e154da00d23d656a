"""An exported model under onnxruntime, compared with its network."""

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx.graph import INPUT, OUTPUT
from nas_surgery.network import Array, Network
from nas_surgery.network.rounding import bounded_forward
from nas_surgery.network.roundoff import unit_roundoff

VAGUE = 1e-2  # of the largest output: bounds beyond it tell no error from rounding
MARGIN = 100  # times what NumPy loses, for runtimes that lose more


@attrs.frozen
class Agreement:
    """How far an exported model is from its network, relative to the largest output.

    difference: of the model to `Network.forward`. rounding: what float arithmetic may explain of the
    difference to float64. beyond: whether either is further from float64 than that explains.
    """

    difference: float
    rounding: float
    beyond: bool

    def __str__(self) -> str:
        return (
            f"the exported model differs from the network by {self.difference:.1e},"
            f" where rounding explains {self.rounding:.1e}"
        )


def compare_onnx(content: bytes, network: Network, x: ArrayLike) -> Agreement:
    """Run the model under onnxruntime on raw inputs `x`, together and one by one.

    It and `Network.forward` are both compared with float64, against what the sums of each layer can
    lose. Raises ModelFileError if onnxruntime does not run the model.
    """
    batch = np.asarray(x)
    again = min(4, len(batch))
    found, held = _answers(content, batch, again), network.forward(batch)
    # onnxruntime fuses, and computes parts of float64 networks in float32
    exact, bound = _allowed(network, batch)
    held, exact, bound = (np.concatenate([a, a[:again]]) for a in (held, exact, bound))
    scale = max(float(np.abs(held).max(initial=0)), float(np.finfo(np.float32).tiny))
    within = (np.abs(found - exact) <= bound) & (np.abs(held - exact) <= bound)
    difference = float(np.abs(found - held).max(initial=0)) / scale
    return Agreement(difference, float(bound.max(initial=0)) / scale, not bool(within.all()))


def _allowed(network: Network, batch: Array) -> tuple[Array, Array]:
    """Outputs in float64, and how far float32 may be from them.

    Bounds grow with every layer. Where they no longer tell anything, what NumPy loses in float32 on the
    same samples says how much is usual.
    """
    unit = unit_roundoff(np.float32)
    exact, bound = bounded_forward(network, batch, unit)
    scale = np.abs(exact).max(initial=0)
    if bound.max(initial=0) <= VAGUE * scale:
        return exact, bound
    with np.errstate(over="ignore", invalid="ignore"):
        lost = np.abs(network.astype(np.float32).forward(batch) - exact).max(initial=0)
    usual = MARGIN * (lost + unit * scale)
    return exact, np.minimum(bound, usual) if np.isfinite(usual) else bound


def check_onnx(content: bytes, network: Network, x: ArrayLike) -> float:
    """The difference that `compare_onnx` finds; ModelFileError if it is beyond rounding."""
    agreement = compare_onnx(content, network, x)
    if agreement.beyond:
        raise ModelFileError(str(agreement))
    return agreement.difference


def _answers(content: bytes, batch: Array, again: int) -> Array:
    """Outputs of the whole batch, then of the first `again` samples one by one."""
    try:
        run = onnx_function(content)
        return np.concatenate([run(batch), *(run(batch[i : i + 1]) for i in range(again))])
    except Exception as error:  # onnxruntime has kinds of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"onnxruntime does not run the exported model: {reason}") from error


def onnx_function(content: bytes) -> Callable[[ArrayLike], Array]:
    """The model as a function from raw inputs to logits, run by onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    dtype = np.float64 if "double" in session.get_inputs()[0].type else np.float32

    def run(x: ArrayLike) -> Array:
        logits: Array = session.run([OUTPUT], {INPUT: np.asarray(x, dtype)})[0]
        return logits

    return run
