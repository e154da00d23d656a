"""The search: strategies decide, the driver carries out."""

from nas_surgery.search.default import DefaultStrategy
from nas_surgery.search.events import Event
from nas_surgery.search.jobs import Cost, Failure, Job, Outcome, Round
from nas_surgery.search.paper import PaperStrategy
from nas_surgery.search.strategy import Setting, Strategy

STRATEGIES: dict[str, type[Strategy]] = {"default": DefaultStrategy, "paper": PaperStrategy}

__all__ = [
    "STRATEGIES",
    "Cost",
    "Event",
    "Failure",
    "Job",
    "Outcome",
    "PaperStrategy",
    "Round",
    "Setting",
    "Strategy",
]
