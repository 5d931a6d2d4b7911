"""Dividing where there is something to divide by, and saying NaN where there is not."""

import numpy as np


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return top / bottom, NaN where the divisor is zero, negative or NaN; shapes broadcast."""
    found = np.divide(top, np.where(np.greater(bottom, 0), bottom, np.nan))
    return np.asarray(found, dtype=np.float64)
