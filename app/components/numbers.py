"""Numbers as pages write them."""

from collections.abc import Sequence

import numpy as np

SMALLEST, LARGEST = 1e-3, 1e6
DIGITS, MOST_DIGITS = 3, 7


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many digits that count, whatever its size."""
    if not np.isfinite(value):
        return "–"
    return _size(abs(value), digits) if value >= 0 else f"−{_size(-value, digits)}"


def ranked(values: Sequence[float]) -> list[str]:
    """Return sorted numbers with as many digits as tell neighbours of other value apart."""
    for digits in range(DIGITS, MOST_DIGITS):
        written = [number(value, digits) for value in values]
        pairs = zip(values, values[1:], written, written[1:], strict=False)
        if all(one != other or first == second for first, second, one, other in pairs):
            return written
    return [number(value, MOST_DIGITS) for value in values]


def _size(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if value < SMALLEST or value >= LARGEST:
        return f"{value:.{digits - 1}e}"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def interval(low: float, high: float) -> str:
    """Return the ends of an interval."""
    return f"{number(low)} {'–' if low >= 0 else 'to'} {number(high)}"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"
