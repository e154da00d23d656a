"""The directory of a study: its plan, its runs, and that only one process writes to it."""

from os.path import isfile  # unlike Path's, no errors of paths that cannot be read
from pathlib import Path
from types import TracebackType
from typing import Self

from nas_surgery.errors import ModelFileError, RunError, SpecError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.atomic import TEMPORARY, remove_temporaries, write_atomically
from nas_surgery.formats.regular_file import read_regular
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.runs.lock import RunLock
from nas_surgery.studies.plan import Plan

PLAN = "plan.json"
MAX_BYTES = 10_000_000


def holds_study(path: Path) -> bool:
    """Whether a study has begun here."""
    return isfile(path / PLAN)


class StudyDirectory:
    """A directory that this process alone writes to, while entered.

    A study begins in a directory that is new or empty, or goes on in one that holds its plan. Its runs have
    directories and locks of their own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan = path / PLAN
        self.study = path / "study.json"
        self.table = path / "table.csv"
        self.markdown = path / "table.md"
        self.runs = path / "runs.csv"
        self._lock = RunLock(path / "lock")

    def read(self) -> Plan | None:
        """The plan of the study that has begun here; None where there is room for one.

        RunError if it cannot be read, or if something else is here.
        """
        try:
            if holds_study(self.path):
                return Plan.from_dict(strict_json(read_regular(self.plan, MAX_BYTES)))
        except (ModelFileError, SpecError, ValueError, TypeError, AttributeError) as error:
            raise RunError(f"{self.plan}: not the plan of a study: {error}") from None
        if self._strangers():
            raise RunError(f"{self.path}: is not empty, and holds no study; choose a new directory")
        return None

    def begin(self, plan: Plan) -> None:
        """Write the plan, which is all that a resume needs; RunError if another study has begun here."""
        former = self.read()
        if former is not None:
            self.check_continued(plan, former)
        write_atomically(self.plan, plan.to_bytes())
        failpoint("study.planned")

    def check_continued(self, plan: Plan, former: Plan) -> None:
        """RunError unless a plan is the former one, or more of it."""
        try:
            plan.check_continues(former)
        except RunError as error:
            raise RunError(
                f"{self.path}: holds another study: {error}; choose another directory"
            ) from None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            remove_temporaries(self.path)
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{self.path}: cannot be written: {reason}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _strangers(self) -> list[str]:
        """What a study that was killed before it had a plan has not put here."""
        try:
            names = [file.name for file in self.path.iterdir()] if self.path.exists() else []
        except OSError as error:
            raise RunError(f"{self.path}: cannot be used: {error.strerror or error}") from None
        return [name for name in names if name != "lock" and not name.startswith(TEMPORARY)]
