"""Those who are told of a run: the caller's observers, the event log, plugins, and the package's logger."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from nas_surgery.errors import StopRun
from nas_surgery.plugins.events import Event
from nas_surgery.plugins.registry import Registry
from nas_surgery.search.interrupts import InterruptedRunError
from nas_surgery.search.log import log_event

Observer = Callable[[Event], Any]


class Audience:
    """Tells everyone of everything, and remembers what observers want.

    log: the event log of a run on disk. stopping: whether one has raised StopRun. error: the first
    exception of an observer's own; that observer is told nothing more. Neither keeps the others from
    being told. finished: whether all were told that the run has a result.
    """

    def __init__(self, observers: Sequence[Observer], registry: Registry) -> None:
        self._observers, self._registry = list(observers), registry
        self.log: Observer | None = None
        self.stopping = self.finished = False
        self.error: BaseException | None = None

    @property
    def ending(self) -> bool:
        """Whether the run is to end before its time."""
        return self.stopping or self.error is not None

    def tell(self, event: Event) -> None:
        """Tell all of an event, and the observers of plugins that failed at it."""
        self.finished |= event.kind == "run_finished"
        self._tell_observers(event)
        failures, stop = self._registry.notify(event)
        self.stopping |= stop
        for reason in failures:
            self._tell_observers(Event("plugin_failed", event.time, {"reason": reason}))

    def _tell_observers(self, event: Event) -> None:
        """Tell those that are no plugins."""
        for observer in tuple(self._observers):
            self._tell_one(observer, event)
        if self.log is not None:
            self.log(event)
        log_event(event)

    def _tell_one(self, observer: Observer, event: Event) -> None:
        try:
            observer(event)
        except StopRun:
            self.stopping = True
        except InterruptedRunError:
            raise
        except BaseException as error:
            self.error = self.error or error
            with suppress(ValueError):
                self._observers.remove(observer)
