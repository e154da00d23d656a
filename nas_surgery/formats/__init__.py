"""Bytes of unknown origin: how files are read, refused and written."""
