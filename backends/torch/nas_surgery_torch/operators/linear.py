"""Layers that weigh channels: Dense, Conv, ConvTranspose, Embedding."""

from collections.abc import Callable

import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery_torch.operators.base import Arrays, Operator, Place

CONVOLUTIONS: tuple[Callable[..., torch.Tensor], ...] = (
    functional.conv1d,
    functional.conv2d,
    functional.conv3d,
)


def dense(layer: ir.Dense, place: Place) -> Operator:
    """A product along the last axis."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, arrays["kernel"], arrays.get("bias"))

    return Operator(run)


def conv(layer: ir.Conv, place: Place) -> Operator:
    """Zeros beside the inputs are laid there first where the two sides differ."""
    convolve = CONVOLUTIONS[place.rank - 1]
    pairs = layer.windows.pairs(place.positions)
    even = all(before == after for before, after in pairs)
    padding = tuple(before for before, _ in pairs) if even else 0
    beside = sides(pairs)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        kernel = arrays["kernel"].movedim(-1, 1)
        x = x if even else functional.pad(x, beside)
        return convolve(
            x,
            kernel,
            arrays.get("bias"),
            stride=layer.strides,
            padding=padding,
            dilation=layer.dilations,
            groups=layer.groups,
        )

    return Operator(run, first=True)


def sides(pairs: tuple[tuple[int, int], ...]) -> list[int]:
    """(before, after) of each position axis as torch's `pad` wants them: the last axis first."""
    return [amount for pair in reversed(pairs) for amount in pair]


def embedding(layer: ir.Embedding, place: Place) -> Operator:
    """Rows of a table; `check_tokens` looks at the inputs before."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        return functional.embedding(x.long(), arrays["table"])

    return Operator(run)


def check_tokens(layer: ir.Embedding, x: torch.Tensor) -> None:
    """Raise BackendError unless each input is the number of a row, as `Embedding.forward` wants it."""
    known = (x >= 0) & (x < layer.tokens) & (x == x.floor())
    if not known.all():
        raise BackendError(
            f"Embedding.table has {layer.tokens} rows, so inputs are whole numbers from 0 to"
            f" {layer.tokens - 1}, got {x[~known][0].item():g}"
        )
