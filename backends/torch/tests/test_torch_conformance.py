"""The torch backend keeps every promise of the conformance suite, on each device present."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from nas_surgery.network import Array
from nas_surgery.testing import BackendConformance, on_device
from nas_surgery_torch.train import TorchBackend


class TestTorch(BackendConformance):
    @pytest.fixture
    def backend(self) -> TorchBackend:
        return TorchBackend()

    def run_native(self, model: torch.nn.Module, x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(model(torch.tensor(x)))


@pytest.mark.gpu
@on_device("cuda", TorchBackend)
class TestTorchOnCuda(TestTorch):
    tolerances: ClassVar[dict[str, float]] = {"float32": 1e-4, "float64": 1e-6}
