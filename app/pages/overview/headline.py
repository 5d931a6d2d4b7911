"""One number with its interval for every model and measure."""

from dataclasses import dataclass
from typing import final

import numpy as np

from dva_lens import axes
from dva_lens.results.estimates import estimate, mean_of

from ...catalogue import Measure
from ...library import Library, spans_of
from ...state import Selection


@final
@dataclass(frozen=True)
class Number:
    """A mean over layers, heads, texts and trainings with its interval, or NaN.

    `uniform` is what uniform attention reads, or NaN.
    """

    mean: float
    low: float
    high: float
    uniform: float


@final
@dataclass(frozen=True)
class HeadlineRow:
    """A measure of every model."""

    measure: Measure
    numbers: dict[str, Number]

    @property
    def uniform(self) -> tuple[float, ...]:
        """What uniform attention reads; several numbers where it differs between models."""
        found = [one.uniform for one in self.numbers.values() if np.isfinite(one.uniform)]
        ends = (min(found), max(found)) if found else ()
        return ends[:1] if ends and np.isclose(*ends, rtol=1e-6) else ends


def headline(library: Library, chosen: Selection) -> tuple[HeadlineRow, ...]:
    """Return every measure of the catalogue for every model measured on a text."""
    lines = [_line(library, chosen, measure) for measure in library.catalogue.measures]
    held = [line for line in lines if any(np.isfinite(n.mean) for n in line.numbers.values())]
    return tuple(sorted(held, key=lambda line: line.measure.at != "model"))


def _line(library: Library, chosen: Selection, measure: Measure) -> HeadlineRow:
    held = library.on(chosen.text).holding(measure.name)
    if not held.parts:
        return HeadlineRow(measure, {})
    spans = spans_of(measure, chosen.span) or "all"
    found = estimate(held.values(measure.name, spans=spans))
    level = held.reference(measure.name, spans=spans)
    levels = None if level is None else mean_of(level, (axes.MODEL,))
    numbers = {}
    for model in held.models:
        one = found.sel({axes.MODEL: model})
        uniform = np.nan if levels is None else float(levels.sel({axes.MODEL: model}))
        mean, low, high = (float(one[name]) for name in ("value", "low", "high"))
        numbers[model] = Number(mean, low, high, uniform)
    return HeadlineRow(measure, numbers)
