"""The same removal by Torch-Pruning (Fang et al. 2023): group magnitude, with its own defaults."""

import torch
import torch_pruning
from torch import nn

from nas_surgery import Dense, Network


def prune(network: Network, layer: int, keep: int) -> Network:
    """The network with `keep` units left in the linear layer at address `layer`."""
    places = [i for i, each in enumerate(network.layers) if isinstance(each, Dense)]
    modules = {i: _linear(network.layers[i]) for i in places}
    chain: list[nn.Module] = []
    for place in places:
        chain += [modules[place], nn.ReLU()]
    model = nn.Sequential(*chain[:-1])
    # half a unit more, because it rounds the number that stays down
    torch_pruning.pruner.BasePruner(
        model,
        torch.zeros(1, network.layers[places[0]].fan_in),
        torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=0.0,
        pruning_ratio_dict={modules[layer]: 1 - (keep + 0.5) / modules[layer].out_features},
        ignored_layers=[modules[places[-1]]],
    ).step()
    edited = network.replace({i: (_dense(module),) for i, module in modules.items()})
    assert edited.layers[layer].units == keep, "Torch-Pruning left another number of units"
    return edited


def _linear(layer: Dense) -> nn.Linear:
    module = nn.Linear(layer.fan_in, layer.units)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer.kernel.T.copy()))
        module.bias.copy_(torch.from_numpy(layer.bias.copy()))
    return module


def _dense(module: nn.Linear) -> Dense:
    return Dense(module.weight.detach().numpy().T.copy(), module.bias.detach().numpy().copy())
