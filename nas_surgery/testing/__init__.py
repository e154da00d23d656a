"""Conformance suites that backends inherit, with the networks and oracles behind them. Needs pytest.

Example::

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self):
            return MyBackend()
"""

import pytest

pytest.register_assert_rewrite("nas_surgery.testing.backend", "nas_surgery.testing.oracles")

from nas_surgery.testing.backend_conformance import BackendConformance  # noqa: E402

__all__ = ["BackendConformance"]
