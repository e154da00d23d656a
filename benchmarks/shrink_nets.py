"""Four networks for MNIST in plain torch, and how they are trained: a VGG, two ResNets and a small ViT."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

BATCH = 64
SAMPLES = 20_000  # of the training part, drawn by the seed


def unit(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its BatchNorm."""
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class VGG(nn.Module):
    """Three pairs of convolutions, of 32, 64 and 128 channels."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 32, 32, 64, 64, 128, 128)
        self.units = nn.ModuleList(map(unit, widths, widths[1:]))
        self.last = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, each in enumerate(self.units):
            x = F.relu(each(x))
            if i in (1, 3):
                x = F.max_pool2d(x, 2)
        return self.last(x.mean((2, 3)))


class Block(nn.Module):
    """Two units beside a way that leaves them out."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = unit(inputs, outputs, stride), unit(outputs, outputs)
        self.beside = nn.Sequential()
        if stride > 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.beside = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.beside(x))


class ResNet(nn.Module):
    """Three stages of so many blocks each, of 16, 32 and 64 channels."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.stem = unit(1, 16)
        widths = [16] * blocks + [32] * blocks + [64] * blocks
        strides = [2 if i in (blocks, 2 * blocks) else 1 for i in range(3 * blocks)]
        self.blocks = nn.Sequential(*map(Block, [16, *widths], widths, strides))
        self.last = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class Encoder(nn.Module):
    """Attention of four heads, then two linear layers, each behind a LayerNorm and beside the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.ways = nn.ModuleList([nn.Linear(width, width) for _ in range(4)])
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norms[0](x)
        parts = (self.split(way(y)) for way in self.ways[:3])
        y = F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        x = x + self.ways[3](y)
        return x + self.narrow(F.gelu(self.wide(self.norms[1](x))))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class ViT(nn.Module):
    """Patches of 4 × 4, four encoders of width 64."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 64, 4, 4)
        self.places = nn.Parameter(torch.randn(1, 49, 64) * 0.02)
        self.encoders = nn.Sequential(*(Encoder(64, 4) for _ in range(4)))
        self.norm, self.last = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return self.last(self.norm(self.encoders(x)).mean(1))


class Dense(nn.Sequential):
    """LeNet-300-100."""

    def __init__(self) -> None:
        layers = (nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU())
        super().__init__(nn.Flatten(), *layers, nn.Linear(100, 10))


MODELS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "VGG": (VGG, 3, 3e-3),
    "ResNet-8": (lambda: ResNet(1), 3, 3e-3),
    "ResNet-20": (lambda: ResNet(3), 3, 3e-3),
    "ViT": (ViT, 4, 1.5e-3),
    "LeNet-300-100": (Dense, 10, 3e-3),
}
"""By name: what makes it, epochs, and the highest learning rate."""

Part = tuple[torch.Tensor, torch.Tensor]


def parts(file: Path) -> tuple[Part, Part]:
    """Training and test samples (N, 1, 28, 28) in [0, 1] with their labels."""
    held = np.load(file)

    def part(name: str) -> Part:
        x = torch.tensor(held[f"x_{name}"].astype(np.float32) / 255)[:, None]
        return x, torch.tensor(held[f"y_{name}"].astype(np.int64))

    return part("train"), part("test")


def sample(part: Part, seed: int) -> Part:
    """What a model of a seed is trained on."""
    rows = np.random.default_rng(seed).permutation(len(part[0]))[:SAMPLES]
    return part[0][rows], part[1][rows]


def trained(name: str, seed: int, train: Part, cache: Path) -> nn.Module:
    """A model from the cache, or trained and kept there."""
    make, epochs, rate = MODELS[name]
    file = cache / f"{name}-{seed}.pt"
    torch.manual_seed(seed)
    model = make()
    if file.exists():
        model.load_state_dict(torch.load(file))
    else:
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
        steps = epochs * (len(train[0]) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1)
        for _ in range(epochs):
            epoch(model, train, optimizer, schedule)
        torch.save(model.state_dict(), file)
    return model.eval()


def epoch(model: nn.Module, part: Part, optimizer: torch.optim.Optimizer, schedule=None) -> None:
    """Train once through a part, by labels."""
    x, y = part
    model.train()
    for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
    model.eval()


def accuracy(model: nn.Module, part: Part) -> float:
    """In per cent."""
    with torch.inference_mode():
        found = torch.cat([model(x).argmax(1) for x in part[0].split(500)])
    return 100 * float((found == part[1]).double().mean())
