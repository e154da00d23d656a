"""`nas_surgery.shrink`: a trained model in, a smaller one of the same kind out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.data.labels import numbered
from nas_surgery.errors import ArgumentError, DataError
from nas_surgery.network import Array, Label, Network
from nas_surgery.shrinking.budget import Budget
from nas_surgery.shrinking.calibration import Calibration, calibration
from nas_surgery.shrinking.models import Model, opened
from nas_surgery.shrinking.plan import Told, unheard
from nas_surgery.shrinking.shrunk import Shrunk, shrink_network


def shrink(
    model: Any,
    data: Any = None,
    *,
    macs: float | int | str | None = None,
    parameters: float | int | str | None = None,
    latency_ms: float | None = None,
    max_drop: float | None = None,
    out: str | Path | None = None,
    only: Sequence[int] = (),
    exclude: Sequence[int] = (),
    seed: int = 0,
    told: Callable[[str, int, int], None] = unheard,
) -> Any:
    """A smaller model of the same kind, whose remaining weights make up for what is gone.

    model: a Network, the path of a file, or a model of a framework whose backend is installed. data:
    calibration samples (N, ...) as the model takes them, a few hundred; (x, y) with labels, a mapping
    with `x` and perhaps `y`, or the path of an .npz or .npy file or of a data source. None: weights
    alone decide, and nothing makes up for what goes.

    One budget: `macs` or `parameters`, as a share of the original's (0.5 or "50%") or a whole number;
    `latency_ms`, measured under onnxruntime on this machine; `max_drop`, points of accuracy (without
    labels, of agreement with the original) that may be lost. It is met, never exceeded.

    out: where the smaller model goes that was a file; its path comes back. only, exclude: addresses of
    layers whose channels may, or must not, go. told: is called with a stage, how much of it is done, and
    of how much. Raises ArgumentError, DataError, OperationError or ModelFileError.
    """
    held = opened(model, data)
    if held.path is not None and out is None:
        raise ArgumentError("out is needed: the path of the smaller model")
    found = shrunk_model(
        held,
        data,
        Budget.of(macs=macs, parameters=parameters, latency_ms=latency_ms, max_drop=max_drop),
        only=only,
        exclude=exclude,
        seed=seed,
        told=told,
    )
    return held.closed(found.network, None if out is None else Path(out))


def shrunk_model(
    held: Model,
    data: Any,
    budget: Budget,
    *,
    only: Sequence[int] = (),
    exclude: Sequence[int] = (),
    seed: int = 0,
    told: Told = unheard,
) -> Shrunk:
    """The same for a model that is open: the smaller network, with what became of each layer."""
    given = None if data is None else calibration(data, held)
    x, y = (None, None) if given is None else (given.x, _numbers(held.network, given))
    return shrink_network(
        held.network, x, y, budget, only=only, exclude=exclude, seed=seed, told=told
    )


def _numbers(network: Network, given: Calibration) -> Array | None:
    """Labels as numbers of outputs; DataError for those that the network has no output for."""
    if given.y is None:
        return None
    y, outputs = np.asarray(given.y), network.output_shape[-1]
    if y.ndim == 2 and y.shape[1] == outputs:
        return np.asarray(y.argmax(axis=1))
    classes: tuple[Label, ...] = network.classes or tuple(range(outputs))
    if y.ndim != 1:
        raise DataError(f"labels of shape (N,) are needed, got {y.shape}")
    return np.asarray(numbered(y, classes, "label"))
