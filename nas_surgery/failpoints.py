"""Named points at which a process can be made to kill itself, to prove that nothing is lost there.

`NAS_SURGERY_FAILPOINT=journal.appended` kills at the first passage of that point, `…=journal.appended:3`
at the third. Unset, a point costs one comparison.
"""

import os
import signal
from collections.abc import Callable

NAMES = (
    "run.directory",
    "run.header",
    "journal.append",
    "journal.torn",
    "journal.appended",
    "event.append",
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
OF_STUDIES = ("study.planned", "study.run_ended", "study.searched", "study.written")

_armed, _left = "", 0


def kill() -> None:
    """End this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


_action: Callable[[], None] = kill


def arm(text: str, action: Callable[[], None] = kill) -> None:
    """Set the point (`NAME` or `NAME:PASSAGE`) at which this process kills itself, or does something
    else that hurts; "" for none."""
    global _armed, _left, _action
    _armed, _, passage = text.partition(":")
    _left, _action = int(passage or 1), action


def failpoint(name: str) -> None:
    """Die here by SIGKILL if the environment says so."""
    if name == _armed:
        _pass()


def armed(name: str) -> bool:
    """Whether the next passage of the point would be the last."""
    return name == _armed and _left == 1


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        _action()


arm(os.environ.get("NAS_SURGERY_FAILPOINT", ""))
