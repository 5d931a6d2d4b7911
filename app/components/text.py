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
    ends = (number(end).replace("-", "−") for end in (low, high))
    return " – ".join(ends) if low >= 0 else " to ".join(ends)


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"
