"""Lines with bands: a condition along a dimension, its interval, single runs and reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from dva_lens.views import theme
from dva_lens.views.conditions import Condition
from dva_lens.views.figure import Row
from dva_lens.views.readings import Reading
from dva_lens.views.view import UNIFORM
from dva_lens.views.words import plain, shown

Trace = dict[str, Any]


@final
@dataclass(frozen=True)
class Line:
    """One condition along x, with what it read and what uniform attention reads there."""

    condition: Condition
    x: np.ndarray
    reading: Reading
    reference: np.ndarray | None = None


def draw(line: Line, *, legend: bool = True, **place: Any) -> list[Trace]:
    """Return the traces of a line: its band, its single runs if several, and the line itself."""
    condition, read = line.condition, line.reading
    common = {"legendgroup": condition.name, **place}
    band = _band(line, common)
    singles = [_single(line, at, common) for at in range(len(read.each)) if len(read.each) > 1]
    texts = [shown(*found) for found in zip(read.value, read.low, read.high, strict=True)]
    main = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": line.x,
        "y": read.value,
        "name": condition.name,
        "showlegend": legend,
        "line": {
            "color": condition.look.colour,
            "width": 2.5,
            "dash": condition.look.dash,
        },
        "marker": {"symbol": condition.look.symbol, "size": 8, "color": condition.look.colour},
        "text": texts,
        "hovertemplate": "%{text}",
        **common,
    }
    return [*band, *singles, main]


def draw_references(lines: Sequence[Line], **place: Any) -> list[Trace]:
    """Return one dotted line for every reference that differs from those before it."""
    traces: list[Trace] = []
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    for line in lines:
        if line.reference is None or not line.x.size:
            continue
        level = np.broadcast_to(line.reference, line.x.shape)
        if any(_same(line.x, level, x, before) for x, before in seen):
            continue
        seen.append((line.x, level))
        traces.append(dotted(line.x, level, **place))
    return traces


def dotted(x: Any, y: Any, name: str = UNIFORM, **place: Any) -> Trace:
    """Return a dotted reference line."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": name,
        "line": {"color": theme.REFERENCE, "width": 1.5, "dash": "dot"},
        "hovertemplate": "%{y:.3g}",
        "legendgroup": "reference",
        **place,
    }


def rows(lines: Sequence[Line], x_name: str, labels: Sequence[str] | None = None) -> list[Row]:
    """Return the numbers of lines, one row per point."""
    found: list[Row] = []
    for line in lines:
        read = line.reading
        level = line.reference
        levels = None if level is None else np.broadcast_to(level, line.x.shape)
        for at, x in enumerate(line.x):
            found.append(
                {
                    "model": line.condition.label,
                    x_name: labels[at] if labels is not None else plain(x),
                    "value": plain(read.value[at]),
                    "low": plain(read.low[at]),
                    "high": plain(read.high[at]),
                    "reference": None if levels is None else plain(levels[at]),
                    "sequences": read.sequences,
                    "documents": read.documents,
                    "trainings": len(line.condition.parts),
                }
            )
    return found


def _band(line: Line, common: Trace) -> list[Trace]:
    read = line.reading
    kept = np.isfinite(read.low) & np.isfinite(read.high)
    if not kept.any():
        return []
    x = line.x[kept]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": np.concatenate([x, x[::-1]]),
            "y": np.concatenate([read.high[kept], read.low[kept][::-1]]),
            "fill": "toself",
            "fillcolor": theme.faded(line.condition.look.colour, 0.2),
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
            "name": f"{line.condition.name}, 95 % interval",
            "meta": "interval",
            **common,
        }
    ]


def _single(line: Line, at: int, common: Trace) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": line.x,
        "y": line.reading.each[at],
        "name": f"{line.condition.name}, seed {theme.escape(line.condition.seeds[at])}",
        "line": {"color": line.condition.look.colour, "width": 1},
        "opacity": 0.55,
        "hoverinfo": "skip",
        "showlegend": False,
        **common,
    }


def _same(x: np.ndarray, y: np.ndarray, other_x: np.ndarray, other_y: np.ndarray) -> bool:
    """Whether a line lies within what another already shows."""
    if x.shape != other_x.shape or not np.array_equal(x, other_x):
        flat = np.ptp(y) == 0 and np.ptp(other_y) == 0 and np.isclose(y[0], other_y[0])
        return bool(flat and x.min() >= other_x.min() and x.max() <= other_x.max())
    return bool(np.allclose(y, other_y, equal_nan=True))
