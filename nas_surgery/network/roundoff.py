"""What one rounding loses, and a sum of many.

Higham: Accuracy and Stability of Numerical Algorithms (2002), section 3.1: a sum of n products loses at
most γ_n Σ|x||w|, with γ_n = n u / (1 - n u) and the unit roundoff u.
"""

from typing import Any

import numpy as np


def unit_roundoff(dtype: Any) -> float:
    """Half the distance from 1 to the next number of the dtype."""
    return float(np.finfo(dtype).eps) / 2


def gamma(count: int, unit: float) -> float:
    """γ_n for n = `count`; infinite where the bound says nothing."""
    return count * unit / (1 - count * unit) if count * unit < 1 else np.inf
