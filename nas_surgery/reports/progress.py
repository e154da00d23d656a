"""Progress that a person can follow on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from nas_surgery.network.text import printable
from nas_surgery.plugins.events import Event
from nas_surgery.search.audience import Observer


@contextmanager
def following(quiet: bool) -> Iterator[list[Observer]]:
    """The observers of a command: none if it is quiet, and only warnings where nobody watches."""
    if quiet:
        yield []
        return
    with Progress(shown=sys.stderr.isatty()) as progress:
        yield [progress]


def draws(console: Console) -> bool:
    """Whether bars can be drawn there: in notebooks they are widgets."""
    return not console.is_jupyter or find_spec("ipywidgets") is not None


class Progress:
    """An observer: a bar over the epochs of the winner, and a line for each decision.

    Unless `shown`, it only passes on warnings. In notebooks the bar is a widget; lines need nothing.
    """

    def __init__(self, *, shown: bool = True, console: Console | None = None) -> None:
        printed_on = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars = Bars(
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=printed_on,
            disable=not (shown and draws(printed_on)),
            transient=True,
        )
        self._shown = shown
        self._task = self._bars.add_task("loading", total=1.0)
        self._best: dict[str, Any] | None = None
        self._branches = 1
        self._what = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        handler = getattr(self, f"_{event.kind}", None)
        if handler is not None and (self._shown or event.kind == "warning"):
            handler(event.data)

    def _run_started(self, data: dict[str, Any]) -> None:
        self._bars.update(self._task, total=data["spec"]["search"]["max_epochs"])
        self._bars.console.print(settings_line(data["spec"]), markup=False)

    def _decision(self, data: dict[str, Any]) -> None:
        if "selected" in data:
            self._branches = len(data["selected"])

    def _job_started(self, data: dict[str, Any]) -> None:
        tried = ", ".join(operation["name"] for operation in data["operations"])
        self._what = f"trying {tried}" if tried else f"training ({data['purpose']})"
        self._describe()

    def _epoch(self, data: dict[str, Any]) -> None:
        self._describe(f", epoch {data['epoch']:.0f}, training loss {data['training_loss']:.4f}")

    def _job_finished(self, data: dict[str, Any]) -> None:
        if data.get("failure"):
            self._say(f"job {data['job']} failed: {data['failure']['reason']}")
            return
        if data["purpose"] == "candidate":
            return
        if data["purpose"] != "baseline":
            self._bars.update(self._task, completed=data["epoch"])
            self._best = data
        hidden = "-".join(map(str, data["hidden"])) or "no hidden layer"
        self._say(
            f"epoch {data['epoch']:4.0f}  {data['purpose']:8}  accuracy {data['accuracy']:.4f}"
            f"  {data['parameters']:>9,} parameters  {hidden}"
        )

    def _plugin_failed(self, data: dict[str, Any]) -> None:
        self._say(f"{data.get('plugin', '')} {data['reason']}".strip())

    def _warning(self, data: dict[str, Any]) -> None:
        self._say(f"nas-surgery: warning: {data['text']}")

    def _describe(self, place: str = "") -> None:
        """Beside the bar: what goes on, and the best network so far."""
        text = printable(f"{self._what}{place}{self._standing()}")
        self._bars.update(self._task, description=text, refresh=not place)

    def _say(self, text: str) -> None:
        """A line above the bar, letter by letter: brackets in it are no markup."""
        self._bars.console.print(printable(text), markup=False, emoji=False)

    def _standing(self) -> str:
        if self._best is None:
            return ""
        return (
            f" · {self._branches} branches · accuracy {self._best['accuracy']:.4f}"
            f" · {self._best['parameters']:,} parameters"
        )


def settings_line(spec: dict[str, Any]) -> str:
    """What a run trains with, given or chosen, from its resolved spec."""
    training, hidden = spec["training"], spec["network"].get("hidden")
    decay = training.get("weight_decay")
    target = spec["data"].get("target")
    shown = [
        *([f"target column {target!r}"] if target else []),
        f"scaling {spec['data']['scaling']}",
        *([f"start {'-'.join(map(str, hidden))}"] if hidden else []),
        f"{training['optimizer']} {training['learning_rate']:g}, {training['schedule']}",
        *([f"weight decay {decay:g}"] if decay else []),
        f"batches of {training['batch_size']}",
        f"{spec['search']['max_epochs']} epochs",
    ]
    return f"settings  {', '.join(shown)}"
