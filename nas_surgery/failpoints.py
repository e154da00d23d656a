"""Named points at which a process can be made to kill itself, to prove that nothing is lost there.

`NAS_SURGERY_FAILPOINT=journal.appended` kills at the first passage of that point, `…=journal.appended:3`
at the third. Unset, a point costs one comparison.
"""

import os
import signal

NAMES = (
    "run.directory",
    "run.header",
    "journal.append",
    "journal.torn",
    "journal.appended",
    "file.open",
    "file.written",
    "file.synced",
    "file.renamed",
    "job.started",
    "job.finished",
    "weights.kept",
    "weights.dropped",
    "resume.replayed",
    "export.started",
    "export.finished",
)

_armed, _left = "", 0


def arm(text: str) -> None:
    """Set the point (`NAME` or `NAME:PASSAGE`) at which this process kills itself; "" for none."""
    global _armed, _left
    _armed, _, passage = text.partition(":")
    _left = int(passage or 1)


def failpoint(name: str) -> None:
    """Die here by SIGKILL if the environment says so."""
    if name == _armed:
        _die()


def armed(name: str) -> bool:
    """Whether the next passage of the point would be the last."""
    return name == _armed and _left == 1


def _die() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("NAS_SURGERY_FAILPOINT", ""))
