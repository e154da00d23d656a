"""A bar over the stages of work that is not a run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """What tells a bar of a stage, how much of it is done, and of how much; nobody sees it if `quiet`."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    ) as bars:
        task = bars.add_task("reading", total=1)
        yield lambda stage, done, total: bars.update(
            task, description=stage, completed=done, total=total
        )
