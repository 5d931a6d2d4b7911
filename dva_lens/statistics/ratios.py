"""Dividing where there is something to divide by, and saying NaN where there is not."""

import numpy as np


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return top / bottom, NaN where the divisor is zero, negative or NaN; shapes broadcast."""
    bottom = np.broadcast_to(bottom, np.broadcast_shapes(np.shape(top), np.shape(bottom)))
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
