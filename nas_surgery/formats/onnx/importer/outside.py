"""What is outside of what can be imported, and why."""

import attrs


class Outside(Exception):  # noqa: N818 (an answer, not an error)
    """Why a node cannot be held; one clause, without the node."""


@attrs.frozen
class Reason:
    """Why a file cannot be imported: at which node of which operator, or of the file as a whole.

    place: how many nodes were gone through before.
    """

    text: str
    node: str = ""
    operator: str = ""
    place: int = 0

    def __str__(self) -> str:
        return f"node {self.node!r} ({self.operator}): {self.text}" if self.operator else self.text
