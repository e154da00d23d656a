"""Conformance suites that backends inherit, with the networks and oracles behind them. Needs pytest.

Example::

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self):
            return MyBackend()

    @on_device("cuda", MyBackend)
    class TestMyBackendOnCuda(TestMyBackend):
        tolerances = {"float32": 1e-4, "float64": 1e-6}
"""

import pytest

pytest.register_assert_rewrite("nas_surgery.testing.backend", "nas_surgery.testing.oracles")

from nas_surgery.testing.backend_conformance import BackendConformance  # noqa: E402
from nas_surgery.testing.devices import on_device  # noqa: E402

__all__ = ["BackendConformance", "on_device"]
