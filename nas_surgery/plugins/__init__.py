"""Hooks, what provides them, and how a plugin is tried before a run."""
