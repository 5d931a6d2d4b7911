"""What a caption says: the estimand, how many texts and runs, and what the marks stand for."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dva_lens import axes
from dva_lens.views.conditions import Condition
from dva_lens.views.readings import Reading

DIGITS = 3
_SPELLED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def number(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def spelled(count: int, noun: str) -> str:
    """Return a count with its noun, small ones in letters."""
    word = _SPELLED[count] if count < len(_SPELLED) else f"{count:,}"
    return f"{word} {noun}{'' if count == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """Return a list as part of a sentence."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def estimand(
    conditions: Sequence[Condition],
    readings: Iterable[Reading],
    *,
    mark: str = "Band",
    single: str = "thin lines: single trainings",
) -> str:
    """Say what an interval is about and what it rests on; `single` is how single runs show."""
    found = list(readings)
    sequences = max(reading.sequences for reading in found)
    documents = max(reading.documents for reading in found)
    texts = f"{number(sequences, 'sequence')} from {number(documents, 'document')}"
    steps = sorted({condition.step for condition in conditions if condition.step})
    at = f" at training step {', '.join(steps)}" if steps else ""
    if not any(reading.has_interval for reading in found):
        return f"Measured on {texts}{at}: too few texts for an interval."
    said = sorted({read.note.split(": ", 1)[-1] for read in found if read.note})
    notes = "".join(f" ({note})" for note in said)
    what = f"{mark}: 95 % interval for these checkpoints{at} on new text; {texts}{notes}."
    return what + _runs(conditions, single)


def _runs(conditions: Sequence[Condition], single: str) -> str:
    most = max(len(condition.parts) for condition in conditions)
    if most == 1 or not single:
        return ""
    return f" Mean of {number(most, 'training')} per model; {single}."


def spans_read(spans: Sequence[int] | None) -> str:
    """Say which queries were read."""
    if spans is None:
        return "queries"
    shown = ", ".join(axes.span_label(int(span)) for span in spans)
    return f"queries that see {shown} keys"


def dotted(drawn: bool, why_not: str = "") -> str:
    """Say what the dotted line is, or why there is none."""
    if drawn:
        return " Dotted: uniform attention over the same keys."
    return f" No reference line: {why_not.rstrip('.')}." if why_not else " No reference line."


def shown(
    value: float, low: float | None = None, high: float | None = None, *, digits: int = DIGITS
) -> str:
    """Return a number, with its interval where it has one, as a page or a table shows it.

    The largest of the three has `digits` significant digits, and all have the same decimals, so
    that they can be compared at a glance.
    """
    if value != value:
        return "not applicable"
    if low is None or high is None or low != low:
        return _written(value, _decimals(value, digits), digits)
    places = _decimals(max(abs(value), abs(low), abs(high)), digits)
    ends = (_written(low, places, digits), _written(high, places, digits))
    return f"{_written(value, places, digits)} [{ends[0]}, {ends[1]}]"


def p_value(p: float) -> str:
    """Return a p value as tables show it, without a name; a dash where there is none."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _decimals(size: float, digits: int) -> int | None:
    """Return how many decimals a number of this size needs, None where powers of ten are due."""
    size = float(f"{abs(size):.{digits - 1}e}")  # rounding may carry into the next power of ten
    if size == 0:
        return 0
    if size >= 1e6 or size < 1e-3:
        return None
    return max(digits - 1 - math.floor(math.log10(size)), 0)


def _written(value: float, places: int | None, digits: int) -> str:
    if places is None:
        text = f"{value:.{digits - 1}e}"
    else:
        rounded = round(value, places)
        text = f"{rounded if rounded else 0.0:,.{places}f}"
    return text.replace("-", "−", 1) if value < 0 else text


def plain(value: Any) -> Any:
    """Return a number for a table: a Python one, or None where there is none."""
    found = value.item() if hasattr(value, "item") else value
    return None if isinstance(found, float) and not math.isfinite(found) else found
