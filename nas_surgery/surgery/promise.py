"""What a surgery promises."""

from enum import Enum

import attrs

from nas_surgery.validators import a


class Exactness(Enum):
    """How far the edited network agrees with the old one."""

    PROVED = "proved"  # equal for every input, up to rounding
    MEASURED = "measured"  # equal on the probe batch
    APPROXIMATE = "approximate"


@attrs.frozen
class Promise:
    """An exactness and the reason for it, in a few words."""

    exactness: Exactness = attrs.field(validator=a(Exactness))
    reason: str = attrs.field(validator=a(str))

    @property
    def exact(self) -> bool:
        return self.exactness is Exactness.PROVED


def proved(reason: str) -> Promise:
    """Equal for every input."""
    return Promise(Exactness.PROVED, reason)


def measured(reason: str) -> Promise:
    """Equal on the probe."""
    return Promise(Exactness.MEASURED, reason)


def approximate(reason: str) -> Promise:
    """Not equal, or not known to be."""
    return Promise(Exactness.APPROXIMATE, reason)
