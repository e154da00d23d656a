"""`nas_surgery.shrink`: a trained model in, a smaller one of the same kind out."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import ArgumentError
from nas_surgery.formats.safetensors import to_bytes
from nas_surgery.network import Array, Network
from nas_surgery.shrinking.budget import Budget
from nas_surgery.shrinking.calibration import calibration
from nas_surgery.shrinking.models import Model, opened
from nas_surgery.shrinking.retraining import Retraining
from nas_surgery.shrinking.samples import FEW
from nas_surgery.shrinking.shrunk import Shrinking, Shrunk, Wishes
from nas_surgery.shrinking.stages import Stages
from nas_surgery.shrinking.telling import Told, unheard


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
    steps: int = 1,
    front: int | None = None,
    retrain: float = 0,
    backend: str | None = None,
    device: str = "cpu",
    rate: float | None = None,
    run: str | Path | None = None,
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

    retrain: epochs of training on the data, with the original's outputs as targets and in the end by
    labels, if there are any, by a `backend` (None: the first that can) on a `device` and at a `rate` of
    Adam; what comes out is kept only where it is better on the samples that were held back. steps: in so
    many the budget is reached. front: so many models, up to a smallest of the budget; a list comes back,
    the largest first, and `out` is a folder.

    out: where the smaller model goes that was a file; its path comes back. only, exclude: addresses of
    layers whose channels may, or must not, go. run: a directory for what is done on the way; the same call
    goes on there if it was killed. told: is called with a stage, how much of it is done, and of how much.
    Raises ArgumentError, DataError, OperationError, BackendError or ModelFileError.
    """
    held = opened(model, data)
    if held.path is not None and out is None:
        raise ArgumentError("out: is needed, the path of the smaller model")
    budget = Budget.of(macs=macs, parameters=parameters, latency_ms=latency_ms, max_drop=max_drop)
    wishes = Wishes(only, exclude, seed, steps, Retraining.of(retrain, backend, device, rate))
    work = shrinking(held, data, wishes, told, run)
    for line in cautions(work):
        warnings.warn(line, stacklevel=2)
    path = None if out is None else Path(out)
    if front is None:
        return held.closed(work.to(budget).network, path)
    return [
        held.closed(found.network, None if path is None else file)
        for found, file in zip(
            fronts(work, budget, front), front_files(held, path, front), strict=True
        )
    ]


def shrinking(
    held: Model, data: Any, wishes: Wishes, told: Told = unheard, run: str | Path | None = None
) -> Shrinking:
    """The work on a model that is open: `to` gives a smaller network for each budget."""
    given = None if data is None else calibration(data, held)
    x, y = (None, None) if given is None else (given.x, given.y)
    folder = None if run is None else Path(run)
    stages = Stages.of(folder, {} if folder is None else _depends(held.network, x, y, wishes))
    return Shrinking.of(held.network, x, y, wishes, told, stages)


def cautions(work: Shrinking) -> list[str]:
    """What should be known before the result is trusted."""
    if work.samples is None:
        return []
    count = work.samples.count
    few = f"{count} calibration samples are few; some hundred make results reliable"
    return [few] if count < FEW else []


def fronts(work: Shrinking, budget: Budget, count: int) -> list[Shrunk]:
    """So many sizes up to that of a budget, the largest first; each takes the same share of the last."""
    if budget.kind not in ("macs", "parameters"):
        raise ArgumentError("front: goes with macs or parameters, the smallest of the sizes")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"front: a whole number of 1 or more is needed, got {count!r}")
    network = work.network
    whole = network.macs if budget.kind == "macs" else network.parameter_count
    share = budget.limit(whole) / whole
    if share >= 1:
        raise ArgumentError(
            f"front: {budget.kind} of less than the original's {whole:,} are needed"
        )
    smallest = work.to(budget)  # first: whether it can be reached
    larger = [
        work.to(attrs.evolve(budget, value=share ** ((i + 1) / count), share=True))
        for i in range(count - 1)
    ]
    return [*larger, smallest]


def front_files(held: Model, folder: Path | None, count: int) -> list[Path]:
    """Where the models of a front go: NAME-1, the largest, and so on, in a folder that is made."""
    if folder is None:
        return [Path()] * count
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"{folder}: is no folder, which several models need")
    folder.mkdir(parents=True, exist_ok=True)
    stem, suffix = ("model", ".onnx") if held.path is None else (held.path.stem, held.path.suffix)
    return [folder / f"{stem}-{i + 1}{suffix or '.onnx'}" for i in range(count)]


def _depends(network: Network, x: Array | None, y: Array | None, wishes: Wishes) -> dict[str, Any]:
    """What the stages of a shrink depend on, but for the budget, which their names tell."""

    def digest(content: bytes | None) -> str | None:
        return None if content is None else hashlib.sha256(content).hexdigest()

    retraining = None if wishes.retraining is None else attrs.asdict(wishes.retraining)
    return {
        "model": digest(to_bytes(network)),
        "data": digest(None if x is None else np.ascontiguousarray(x).tobytes()),
        "labels": digest(None if y is None else np.ascontiguousarray(y).tobytes()),
        "only": list(wishes.only),
        "exclude": list(wishes.exclude),
        "seed": wishes.seed,
        "retrain": retraining,
    }
