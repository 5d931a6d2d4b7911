"""One number with its interval for every model and measure."""

from dataclasses import dataclass
from typing import final

import numpy as np

from dva_lens.views import theme
from dva_lens.views.arms import Arm
from dva_lens.views.readings import reading, reference

from ...catalogue import Measure
from ...library import Library, spans_of
from ...state import Selection


@final
@dataclass(frozen=True)
class Number:
    """A mean over layers, heads, texts and trainings with its interval, or NaN."""

    mean: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Line:
    """A measure of every model, beside what uniform attention reads (NaN where nothing)."""

    measure: Measure
    numbers: dict[str, Number]
    uniform: float


def headline(library: Library, chosen: Selection) -> tuple[Line, ...]:
    """Return every measure of the catalogue for every model measured on a text."""
    models = library.models(chosen.text)
    place = theme.places(models)
    lines = []
    for measure in library.catalogue.measures:
        numbers, uniform = {}, np.nan
        spans = spans_of(measure, chosen.span)
        for model, runs in models.items():
            held = tuple(run for run in runs if measure.name in run)
            if not held:
                continue
            arm = Arm(model, held, theme.PALETTE[place[model]], theme.SYMBOLS[place[model]])
            read = reading(arm, measure.name, (), spans=spans)
            numbers[model] = Number(float(read.value), float(read.low), float(read.high))
            level = reference(arm, measure.name, (), spans=spans)
            uniform = uniform if level is None else float(level)
        if any(np.isfinite(number.mean) for number in numbers.values()):
            lines.append(Line(measure, numbers, uniform))
    return tuple(sorted(lines, key=lambda line: line.measure.at != "model"))
