"""Half of a network's multiply-accumulates by Torch-Pruning (Fang et al., 2023)."""

import copy

import torch
import torch_pruning
from torch import nn
from torch.nn import functional as F  # noqa: N812

HALVINGS = 8  # of the range of ratios


def pruned(
    model: nn.Module, kind: str, share: float, x: torch.Tensor, y: torch.Tensor
) -> nn.Module:
    """The model at the smallest pruning ratio that leaves no more than a share of its multiply-accumulates."""
    low, high, best = 0.0, 1.0, None
    whole, _ = torch_pruning.utils.count_ops_and_params(model, x[:1])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        made = _at(model, kind, middle, x, y)
        left, _ = torch_pruning.utils.count_ops_and_params(made, x[:1])
        low, high, best = (low, middle, made) if left <= share * whole else (middle, high, best)
    assert best is not None
    return best


def _at(model: nn.Module, kind: str, ratio: float, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    model = copy.deepcopy(model).eval()
    importance = (
        torch_pruning.importance.GroupMagnitudeImportance()
        if kind == "magnitude"
        else torch_pruning.importance.GroupTaylorImportance()
    )
    heads = {
        way: each.heads
        for each in model.modules()
        if hasattr(each, "heads")
        for way in each.ways[:3]
    }
    pruner = torch_pruning.pruner.BasePruner(
        model,
        x[:1],
        importance,
        pruning_ratio=ratio,
        ignored_layers=[model.last],
        num_heads=heads,
        unwrapped_parameters=[(model.places, 2)] if hasattr(model, "places") else None,
    )
    F.cross_entropy(model(x), y).backward()
    pruner.step()
    model.zero_grad()
    return model


def reestimated(model: nn.Module, x: torch.Tensor) -> None:
    """Measure the means and variances of BatchNorm on samples anew."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    model.train()
    with torch.no_grad():
        for rows in x.split(64):
            model(rows)
    model.eval()
