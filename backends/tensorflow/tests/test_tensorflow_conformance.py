"""The TensorFlow backend keeps every promise of the conformance suite, on each device present."""

from typing import Any, ClassVar

import numpy as np
import pytest

from nas_surgery.network import Array
from nas_surgery.testing import BackendConformance, on_device
from nas_surgery.training.backend import Backend
from nas_surgery_tensorflow import load


class TestTensorFlow(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return load()

    def run_native(self, model: Any, x: Array) -> Array:
        return np.asarray(model(x))


@pytest.mark.gpu
@on_device("gpu", load)
class TestTensorFlowOnGpu(TestTensorFlow):
    tolerances: ClassVar[dict[str, float]] = {"float32": 1e-4, "float64": 1e-6}
