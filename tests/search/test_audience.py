"""Everyone is told of everything, whatever one of them does."""

import pytest

from nas_surgery.errors import StopRun
from nas_surgery.plugins.events import Event
from nas_surgery.plugins.registry import load_registry
from nas_surgery.search.audience import Audience

EVENT = Event("decision", 0.0)


def raising(error):
    def observer(event):
        raise error

    return observer


@pytest.mark.parametrize("error", [StopRun(), ValueError(), SystemExit(), KeyboardInterrupt()])
def test_one_that_raises_keeps_nobody_from_being_told(error):
    """Neither those behind it nor the event log."""
    heard, logged = [], []
    audience = Audience([raising(error), heard.append], load_registry())
    audience.log = logged.append
    audience.tell(EVENT)
    assert heard == logged == [EVENT]
    assert audience.ending
    assert audience.stopping == isinstance(error, StopRun)
    assert (audience.error is error) != audience.stopping


def test_the_event_log_must_not_fail():
    """What cannot be written ends the run at once."""
    audience = Audience([], load_registry())
    audience.log = raising(OSError("full"))
    with pytest.raises(OSError, match="full"):
        audience.tell(EVENT)
    assert not audience.ending


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("warning", {"text": "100 % {so}"}, ["100 % {so}"]),
        ("plugin_failed", {"reason": "no"}, ["no"]),
        ("plugin_failed", {"plugin": "mine 1", "reason": "no"}, ["mine 1 no"]),
        ("job_repeated", {"job": 3}, ["job 3 is trained again: its weights are gone or damaged"]),
        ("decision", {}, []),
    ],
)
def test_what_is_worth_it_is_logged(kind, data, said, caplog):
    """Letter by letter."""
    Audience([], load_registry()).tell(Event(kind, 0.0, data))
    assert caplog.messages == said
