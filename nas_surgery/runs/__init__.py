"""A run from its spec to its result, and the directory that holds it."""
