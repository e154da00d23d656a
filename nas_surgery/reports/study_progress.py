"""Progress of a study that a person can follow on a terminal."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from nas_surgery.network.text import one_line
from nas_surgery.plugins.events import Event
from nas_surgery.reports.printing import complain
from nas_surgery.reports.progress import draws
from nas_surgery.search.audience import Observer


@contextmanager
def following_study(quiet: bool) -> Iterator[list[Observer]]:
    """The observers of a command: none if it is quiet, and only warnings where nobody watches."""
    if quiet:
        yield []
    elif not sys.stderr.isatty():
        yield [_warn]
    else:
        with _bar() as bar:
            yield [_warn, StudyProgress(bar)]


@contextmanager
def watched(observers: Sequence[Observer], verbose: bool) -> Iterator[Sequence[Observer]]:
    """The observers of a caller in Python, and with `verbose` one that shows progress on standard error."""
    if not verbose:
        yield observers
        return
    with _bar() as bar:
        yield [*observers, _warn, StudyProgress(bar)]


class StudyProgress:
    """An observer: a bar over the runs, and a line for each that has ended."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("runs", total=1.0)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if event.kind == "study_started":
            runs, done = event.data["runs"], event.data["finished"]
            self._bar.update(self._task, total=runs, completed=done)
        if event.kind == "study_run":
            failure = event.data["failure"]
            said = event.data["run"] + (f": {failure}" if failure else "")
            self._bar.console.print(one_line(said), markup=False, emoji=False)
            self._bar.advance(self._task)


def _bar() -> Progress:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    return Progress(
        TextColumn("run {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=24),
        console=console,
        disable=not draws(console),
        transient=True,
    )


def _warn(event: Event) -> None:
    if event.kind == "warning":
        complain(f"warning: {event.data['text']}")
