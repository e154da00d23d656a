"""The torch backend keeps every promise of the conformance suite, on each device present."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from nas_surgery.network import Array
from nas_surgery.testing import BackendConformance
from nas_surgery_torch.train import TorchBackend


class TestTorch(BackendConformance):
    @pytest.fixture
    def backend(self) -> TorchBackend:
        return TorchBackend()

    def run_native(self, model: torch.nn.Module, x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(model(torch.tensor(x)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
class TestTorchOnCuda(TestTorch):
    device = "cuda"
    tolerances: ClassVar[dict[str, float]] = {"float32": 1e-4, "float64": 1e-6}
