"""The reference backend: forward and backward passes in NumPy."""
