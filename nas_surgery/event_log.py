"""`events.jsonl`: what happened in a run and when, for people and trackers; no run depends on it."""

import json
from pathlib import Path
from typing import Self

from nas_surgery.failpoints import failpoint
from nas_surgery.search.events import Event
from nas_surgery.search.journal import plain


def seconds_spent(path: Path) -> float:
    """Seconds of all stretches of a run together, by its event log; damaged lines count nothing."""
    total = latest = 0.0
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            event = json.loads(line)
            time, kind = float(event["time"]), event["kind"]
        except (ValueError, TypeError, KeyError):
            continue
        if kind == "run_started":
            total, latest = total + latest, 0.0
        if kind == "job_finished":
            latest = time
    return total + latest


class EventLog:
    """An observer that appends each event as a JSON line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        """Append an event."""
        failpoint("event.append")
        record = {"time": round(event.time, 6), "kind": event.kind, **plain(event.data)}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()
