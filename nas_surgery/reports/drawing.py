"""A step of the topology as boxes and wires in pixels; the page and matplotlib draw the same."""

from math import log

import attrs

from nas_surgery.reports.boxes import Box, Place, edges
from nas_surgery.reports.timeline import Step, Timeline

COLUMN, LANE = 68.0, 62.0  # from box to box
WIDTH, LOW, HIGH = 48.0, 18.0, 40.0  # of a box: of one unit, and of the widest layer
HEAD, NOTE = 12.0, 13.0  # room above for wires that skip layers, and below for what changed

Point = tuple[float, float]


@attrs.frozen
class Drawn:
    """A box by its middle and size. text: its units. note: what changed, such as "+32", "new" or "gone"."""

    x: float
    y: float
    width: float
    height: float
    text: str
    kind: str
    note: str = ""

    @property
    def gone(self) -> bool:
        """Whether it was there only before this step."""
        return self.note == "gone"


@attrs.frozen
class Drawing:
    """Boxes, and wires as the four points of a Bézier curve each."""

    width: float
    height: float
    boxes: tuple[Drawn, ...]
    wires: tuple[tuple[Point, Point, Point, Point], ...]
    told: str


def drawing(step: Step, line: Timeline) -> Drawing:
    """One step, with every box at its place of all steps."""
    keys = list(zip(step.drawn.keys, step.drawn.boxes, strict=True))
    widest = max(box.units for each in line.steps for box in each.drawn.boxes)
    here = {key: _drawn(box, line.places[key], widest, _note(step, key, box)) for key, box in keys}
    gone = [_drawn(box, line.places[key], widest, "gone") for key, box in step.gone]
    wires = tuple(_wire(a, b, here, line.places) for a, b in edges(step.drawn))
    columns = 1 + max(place.column for place in line.places.values())
    lanes = 1 + max(place.lane for place in line.places.values())
    return Drawing(
        columns * COLUMN, HEAD + lanes * LANE, (*gone, *here.values()), wires, _told(step)
    )


def _drawn(box: Box, place: Place, widest: int, note: str) -> Drawn:
    """The height grows with the logarithm of the width; a join is a small square."""
    share = log(box.units) / log(widest) if widest > 1 else 1.0
    x = (place.column + 0.5) * COLUMN
    y = HEAD + place.lane * LANE + HIGH / 2 + 2
    if box.kind == "join":
        return Drawn(x, y, LOW, LOW, box.text, box.kind, note)
    return Drawn(x, y, WIDTH, LOW + (HIGH - LOW) * share, box.text, box.kind, note)


def _note(step: Step, key: int, box: Box) -> str:
    was = step.was(key)
    if step.before is None or (was is not None and was.units == box.units):
        return ""
    return "new" if was is None else f"{box.units - was.units:+,}".replace("-", "−")


def _wire(
    start: int, end: int, here: dict[int, Drawn], places: dict[int, Place]
) -> tuple[Point, Point, Point, Point]:
    """From box to box; above those on the same lane that it passes."""
    a, b = here[start], here[end]
    x, to_x = a.x + a.width / 2, b.x - b.width / 2
    passed = (
        places[key].lane == places[start].lane == places[end].lane
        and places[start].column < places[key].column < places[end].column
        for key in here
    )
    if any(passed):
        top = a.y - HIGH / 2 - HEAD - 6
        return (x, a.y), (x + 12, top), (to_x - 12, top), (to_x, b.y)
    middle = (x + to_x) / 2
    return (x, a.y), (middle, a.y), (middle, b.y), (to_x, b.y)


def _told(step: Step) -> str:
    """For those who do not see it."""
    texts = " – ".join(box.text for box in step.drawn.boxes)
    return f"Step {step.number}, epoch {step.epoch:g}: {texts}; {'; '.join(step.changes)}"
