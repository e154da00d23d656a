"""The journal: what was proposed, asked, found and decided, in order and without any timing."""

import json
from math import isfinite
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """JSON values only: tuples become lists, and numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


class Journal:
    """An append-only list of records, one JSON line each; kept in memory too, as the run's history."""

    def __init__(self, path: Path | None) -> None:
        self.records: list[dict[str, Any]] = []
        self._file = None if path is None else path.open("x", encoding="utf-8")

    def write(self, kind: str, **values: Any) -> None:
        """Append one record."""
        record = {"record": kind, **plain(values)}
        self.records.append(record)
        if self._file is not None:
            self._file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
