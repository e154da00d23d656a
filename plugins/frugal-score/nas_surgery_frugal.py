"""A score that charges for every doubling of the parameters.

The paper's score punishes growth by exp(parameters / parent's parameters): doubling a network costs
more than accuracy can earn back. A price per doubling does not depend on the size that a network
already has, and it adds up over many small steps to what one large step costs.
"""

from math import log2

PRICE = 0.01


def frugal(accuracy: float, parameters: int, price: float = PRICE) -> float:
    """Accuracy (R² for regression) minus `price` for each doubling of the parameters.

    accuracy, parameters: of the candidate, offered by the search. price: what a network of twice the
    size must earn in accuracy; nobody offers it, so that a run always uses the default.
    """
    return accuracy - price * log2(parameters)


def nas_surgery_scores():
    """What this plugin provides: `[search] score = "frugal"`."""
    return {"frugal": frugal}
