"""Numbers as pages write them."""

import numpy as np

SMALLEST, LARGEST = 1e-3, 1e6


def number(value: float) -> str:
    """Return a number with three digits that count, so that columns of them line up."""
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size == 0 or SMALLEST <= size < 1:
        return f"{value:.3f}" if size else "0"
    if size < SMALLEST or size >= LARGEST:
        return f"{value:.2e}"
    return f"{value:,.0f}" if size >= 100 else f"{value:#.3g}"


def interval(low: float, high: float) -> str:
    """Return the ends of an interval."""
    return f"{number(low)} – {number(high)}"
