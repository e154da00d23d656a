"""The parts of the backend conformance suite."""
