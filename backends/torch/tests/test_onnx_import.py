"""Modules that torch exports itself, imported: the network gives what the module gives."""

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from nas_surgery.formats.onnx.importer.reading import imported


class Residual(nn.Module):
    """Two convolutions with BatchNorm and what stands before them, then a mean."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.gate = nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = nn.functional.hardswish(self.norm(self.first(x)))
        x = x + self.second(x)
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Transformer(nn.Module):
    """An embedding and a layer of an encoder."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 11, batch_first=True, activation="gelu")
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.layer(self.table(x)).mean(1))


class Recurrent(nn.Module):
    """Both ways, and what stands last."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


MODULES = {
    "a perceptron": (lambda: nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3)), (5,)),
    "a residual network": (Residual, (3, 6, 5)),
    "a transformer": (Transformer, None),
    "an LSTM": (lambda: Recurrent(nn.LSTM), (6, 4)),
    "a GRU": (lambda: Recurrent(nn.GRU), (6, 4)),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("fixed", [False, True], ids=["any batch", "one sample"])
def test_modules_that_torch_exports(name, fixed):
    """With BatchNorm kept, from a file for any batch as from one that was made for one sample."""
    torch.manual_seed(0)
    make, shape = MODULES[name]
    module = make().eval()
    x = torch.randint(0, 9, (3, 5)) if shape is None else torch.randn(3, *shape)
    held = imported(exported(module, x[:1], {} if fixed else {"x": {0: "N"}}))
    network = held.network.forward(held.interface.arrange(x.numpy()))
    wanted = module(x).detach().numpy()
    np.testing.assert_allclose(held.interface.restore(network), wanted, atol=1e-5)


def exported(module, x, axes):
    """What the exporter by tracing writes, with BatchNorm as it is."""
    file = io.BytesIO()
    kept = torch.onnx.TrainingMode.PRESERVE
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, x, file, dynamo=False, training=kept, input_names=["x"], dynamic_axes=axes
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return file.getvalue()
