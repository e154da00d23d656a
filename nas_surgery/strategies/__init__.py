"""Strategies: pure decision-makers that yield jobs and are told their outcomes."""

from nas_surgery.strategies.default.strategy import DefaultStrategy
from nas_surgery.strategies.jobs import Cost, Failure, Job, Outcome, Round
from nas_surgery.strategies.paper import PaperStrategy
from nas_surgery.strategies.random_edits import RandomEditsStrategy
from nas_surgery.strategies.strategy import Setting, Strategy
from nas_surgery.strategies.train import TrainStrategy

STRATEGIES: dict[str, type[Strategy]] = {
    "default": DefaultStrategy,
    "paper": PaperStrategy,
    "train": TrainStrategy,
    "random-edits": RandomEditsStrategy,
}

__all__ = [
    "STRATEGIES",
    "Cost",
    "DefaultStrategy",
    "Failure",
    "Job",
    "Outcome",
    "PaperStrategy",
    "RandomEditsStrategy",
    "Round",
    "Setting",
    "Strategy",
    "TrainStrategy",
]
