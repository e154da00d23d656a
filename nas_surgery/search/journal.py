"""The journal: what was proposed, asked, found and decided, in order and without any timing.

One JSON object a line, each with a CRC-32 of the rest of its line. A run that is resumed writes the
same records again, which are compared with those that are there, until they run out.
"""

import json
import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from shutil import copyfile
from typing import Any
from zlib import crc32

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.failpoints import armed, failpoint
from nas_surgery.formats.atomic import TEMPORARY, open_own, sync, unused
from nas_surgery.formats.regular_file import open_regular, read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json


class JournalMismatchError(RunError):
    """What the run would do is not what its journal says was done."""


def plain(value: Any) -> Any:
    """JSON values that can be written: tuples become lists, numbers that are not finite None, and
    characters outside UTF-8 escapes."""
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def to_line(record: Mapping[str, Any]) -> str:
    """A record as a line without its end."""
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return f'{body[:-1]},"crc":"{crc32(body.encode()):08x}"}}'


def from_line(line: str) -> dict[str, Any]:
    """The record in a line; ValueError if the line is not one that `to_line` made."""
    body, separator, tail = line.rpartition(',"crc":"')
    if not separator or tail != f'{crc32((body + "}").encode()):08x}"}}':
        raise ValueError("its checksum does not fit")
    record = strict_json(body + "}")
    if not isinstance(record, dict) or not isinstance(record.get("record"), str):
        raise ValueError("it is no record")
    return record


class Journal:
    """A list of records, in memory and, with a path, in a file that is only ever appended to.

    Records that are there from before answer a run that is driven again (`replaying`).
    """

    def __init__(self, path: Path | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self._path, self._file = path, None
        self._answers: list[dict[str, Any]] = []
        self._next = 0
        self._copy: Path | None = None  # what becomes the journal once it holds all that still fits
        if path is not None:
            self._answers = _read_to_append(path) if path.exists() else []
            self._file = open_own(path, "ab")

    @property
    def replaying(self) -> bool:
        """Whether there are records that the run has not come to again."""
        return self._next < len(self._answers)

    def upcoming(self, kind: str) -> dict[str, Any] | None:
        """The next record from before, if there is one and it is of that kind."""
        if not self.replaying or self._answers[self._next]["record"] != kind:
            return None
        return self._answers[self._next]

    def write(self, kind: str, **values: Any) -> None:
        """Append a record, or find it there; JournalMismatchError if another one is."""
        record = json.loads(json.dumps({"record": kind, **plain(values)}))
        if self.replaying and self._answers[self._next] != record:
            if self._copy is None:
                raise self._mismatch(record)
            self._end_copying()
        if not self.replaying or self._copy is not None:
            self._append(to_line(record).encode() + b"\n")
        if self.replaying:
            self._next += 1
            if self._copy is not None and not self.replaying:
                self._end_copying()
        self.records.append(record)
        if not self.replaying:
            failpoint("journal.appended")

    def begin_again(self, header: Mapping[str, Any], changes: list[str]) -> None:
        """Begin a new file, into which records are copied while they fit; then the old one is set aside."""
        assert self._path is not None, "only a journal on disk is set aside"
        assert self._file is not None
        self._file.close()
        self._copy = self._path.with_name(f"{TEMPORARY}journal")
        self._file = open_own(self._copy, "wb")
        old = [record for record in self._answers if record["record"] not in ("run", "changes")]
        self._answers, self._next = [], 0
        self.write("run", **header)
        self.write("changes", changes=changes)
        self._answers = old
        if not old:
            self._end_copying()

    def _end_copying(self) -> None:
        """Put the new file in the old one's place, in one step; the old one keeps a name of its own."""
        assert self._path is not None
        assert self._copy is not None
        self._answers = self._answers[: self._next]
        self.close()
        copyfile(self._path, unused(self._path, "before-changes"))
        self._copy.replace(self._path)
        sync(self._path.parent)
        self._file = open_own(self._path, "ab")
        self._copy = None

    def forget_failures(self) -> None:
        """Drop the failed outcomes at the end of a run that did not end.

        The reason may lie outside it, such as too little memory; if not, the jobs fail again.
        """
        failed = 0
        for record in reversed(self._answers):
            if record["record"] == "result":
                return
            if record["record"] == "outcome":
                if "failure" not in record:
                    break
                failed += 1
        if not failed:
            return
        while self._answers and failed:
            failed -= self._answers.pop()["record"] == "outcome"
        self._rewrite()

    def sync(self) -> None:
        """Make sure that all records are on the disk itself."""
        if self._file is not None and not self._file.closed:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close the file."""
        if self._file is not None:
            self.sync()
            self._file.close()

    def _append(self, line: bytes) -> None:
        if self._file is None:
            return
        failpoint("journal.append")
        if armed("journal.torn"):
            line = line[: len(line) // 2]
        self._file.write(line)
        self._file.flush()
        failpoint("journal.torn")

    def _rewrite(self) -> None:
        """Cut the file to the records still held; they are its beginning."""
        assert self._file is not None
        size = sum(len(to_line(record).encode()) + 1 for record in self._answers)
        self._file.truncate(size)

    def _mismatch(self, record: Mapping[str, Any]) -> JournalMismatchError:
        there = self._answers[self._next]
        return JournalMismatchError(
            f"record {len(self.records) + 1} of the journal is {_short(there)},"
            f" but the run now comes to {_short(record)}"
        )


def _short(record: Mapping[str, Any]) -> str:
    names = ("record", "job", "id", "epoch", "try")
    return " ".join(f"{name}={record[name]}" for name in names if name in record)


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a journal that may still be written to: a torn last line is left out.

    RunError says where it is damaged, or why it cannot be read.
    """
    return _whole(path)[0]


def is_journal(path: Path) -> bool:
    """Whether a file begins as every journal does: with the header of a run."""
    try:
        with open_regular(path, size_limit()) as (file, _):
            first = from_line(str(file.readline(), "utf-8").removesuffix("\n"))
        return bool(first["record"] == "run")
    except (ModelFileError, ValueError):
        return False


def _read_to_append(path: Path) -> list[dict[str, Any]]:
    """The records of a journal whose torn end, if it has one, is cut off."""
    records, size = _whole(path)
    if size < path.stat().st_size:
        with open_own(path, "r+b") as file:
            file.truncate(size)
    return records


def _whole(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a journal's whole lines, and the bytes that these take."""
    try:
        *lines, torn = read_regular(path, size_limit()).split(b"\n")
    except ModelFileError as error:
        raise RunError(f"{path}: {error}") from None
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(from_line(line.decode()))
        except ValueError as error:
            if number == len(lines) and not torn:
                return records, sum(len(good) + 1 for good in lines[:-1])
            raise RunError(
                f"{path}: line {number} is damaged ({error}); what follows it cannot be trusted."
                " Cut the file before that line to go on from there"
            ) from None
    return records, sum(len(good) + 1 for good in lines)
