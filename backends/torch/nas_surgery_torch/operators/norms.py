"""Layers that normalise."""

import torch

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def batch_norm(layer: ir.BatchNorm, place: Place) -> Operator:
    """While training, by the batch itself, whose mean and variance move those of the layer in place.

    One value says nothing of a variance, so a batch that holds no more leaves it as it is.
    """

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        variance = arrays["variance"]
        single = place.training and x.numel() == len(variance)
        return torch.batch_norm(
            x,
            arrays.get("scale"),
            arrays.get("offset"),
            arrays["mean"],
            variance.clone() if single else variance,
            place.training,
            layer.momentum,
            layer.epsilon,
            torch.backends.cudnn.enabled,
        )

    return Operator(run, first=True)
