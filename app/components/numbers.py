"""Numbers as pages write them."""

from collections.abc import Sequence

import numpy as np

from dva_lens.views.words import DIGITS, shown

MOST_DIGITS = 7


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many significant digits, a dash where there is none."""
    return shown(value, digits=digits) if np.isfinite(value) else "–"


def ranked(values: Sequence[float]) -> list[str]:
    """Return sorted numbers with as many digits as tell neighbours of other value apart."""
    for digits in range(DIGITS, MOST_DIGITS):
        written = [number(value, digits) for value in values]
        pairs = zip(values, values[1:], written, written[1:], strict=False)
        if all(one != other or first == second for first, second, one, other in pairs):
            return written
    return [number(value, MOST_DIGITS) for value in values]


def interval(low: float, high: float) -> str:
    """Return the ends of an interval."""
    return f"{number(low)} {'–' if low >= 0 else 'to'} {number(high)}"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"
