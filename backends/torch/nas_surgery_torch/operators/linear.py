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
TRANSPOSED: tuple[Callable[..., torch.Tensor], ...] = (
    functional.conv_transpose1d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
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


def conv_transpose(layer: ir.ConvTranspose, place: Place) -> Operator:
    """Where the two sides differ, all of the outputs are made, and then cut or continued by zeros."""
    convolve = TRANSPOSED[place.rank - 1]
    even = all(before == after for before, after in layer.padding)
    padding = tuple(before for before, _ in layer.padding) if even else 0
    pairs = zip(layer.padding, layer.output_padding, strict=True)
    beside = sides(tuple((-before, more - after) for (before, after), more in pairs))

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        kernel, bias = arrays["kernel"].movedim(-1, 1), arrays.get("bias")
        more = layer.output_padding if even else 0
        y = convolve(
            x,
            kernel,
            bias if even else None,
            stride=layer.strides,
            padding=padding,
            output_padding=more,
            dilation=layer.dilations,
        )
        if even:
            return y
        y = functional.pad(y, beside)
        return y if bias is None else y + bias.reshape(-1, *(1,) * place.rank)

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
