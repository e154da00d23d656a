"""Who is told how far shrinking has come."""

from collections.abc import Callable

Told = Callable[[str, int, int], None]  # a stage, how much of it is done, of how much


def unheard(stage: str, done: int, total: int) -> None:
    """Tells nobody."""
