"""Numbers as pages write them."""

import numpy as np

SMALLEST, LARGEST = 1e-3, 1e6


def number(value: float) -> str:
    """Return a number with three digits that count, so that columns of them line up."""
    if not np.isfinite(value):
        return "–"
    return _size(abs(value)) if value >= 0 else f"−{_size(-value)}"


def _size(value: float) -> str:
    if value == 0 or SMALLEST <= value < 1:
        return f"{value:.3f}" if value else "0"
    if value < SMALLEST or value >= LARGEST:
        return f"{value:.2e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def interval(low: float, high: float) -> str:
    """Return the ends of an interval."""
    return f"{number(low)} {'–' if low >= 0 else 'to'} {number(high)}"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"
