"""`events.jsonl`: what happened in a run and when, for people and trackers; no run depends on it."""

import json
from math import isfinite
from pathlib import Path
from typing import Self

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.atomic import open_own
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.plugins.events import Event
from nas_surgery.search.journal import plain


def seconds_spent(path: Path) -> float:
    """Seconds of all stretches of a run together, by its event log; damaged lines count nothing.

    RunError if what is there is no file that can be read.
    """
    total = latest = 0.0
    for line in _lines(path):
        try:
            event = strict_json(line)
            time, kind = float(event["time"]), event["kind"]
        except (ValueError, TypeError, KeyError):
            continue
        if kind == "run_started":
            total, latest = total + latest, 0.0
        if kind == "job_finished" and isfinite(time):
            latest = time
    return total + latest


def _lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    try:
        return read_regular(path, size_limit()).split(b"\n")
    except ModelFileError as error:
        raise RunError(f"{path}: {error}") from None


class EventLog:
    """An observer that appends each event as a JSON line."""

    def __init__(self, path: Path) -> None:
        self._file = open_own(path, "ab")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        """Append an event."""
        failpoint("event.append")
        record = {"time": round(event.time, 6), "kind": event.kind, **plain(event.data)}
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
