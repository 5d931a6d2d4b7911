"""A statistic of every head: a map of layers by heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from dva_lens import axes
from dva_lens.views import theme, words
from dva_lens.views.conditions import Condition, Runs, conditions, label_of, singles, title_of
from dva_lens.views.depths import chosen, layers_of, read_at
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.panels import Panels
from dva_lens.views.readings import Reading, reading, reference
from dva_lens.views.view import View

_FEW = 16


@final
@dataclass(frozen=True)
class Heads:
    """One training: what its heads read, and what uniform attention reads."""

    condition: Condition
    reading: Reading
    level: float | None
    heads: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """The rank of every head by value, 1 for the largest, 0 where nothing was read."""
        value = self.reading.value
        order = (value[None, None] > value[..., None, None]).sum((-1, -2)) + 1
        return np.where(np.isfinite(value), order, 0)


def layer_head_map(
    data: Runs, statistic: str = "entropy", *, where: Mapping[str, Any] | None = None
) -> Figure:
    """Draw a statistic of every head as a map, one per training, all on one scale of colours.

    Heads of different trainings have nothing in common but their number, so trainings are never
    averaged. The interval and the rank of a head show when it is pointed at. `where` chooses the
    entry of a statistic's further dimensions.

    Raises
    ------
    KeyError
        If a measurement does not hold the statistic.
    ValueError
        If the statistic says nothing of single heads, or has no such dimension or label.

    Examples
    --------
    >>> from dva_lens import open_archive
    >>> measured = open_archive("runs/quick").on()
    >>> figure = layer_head_map(measured, "sink_rate", where={"threshold": 0.3})
    >>> len(figure.data)  # one map per training
    4
    """
    found = singles(conditions(data, statistic))
    dim = head_dimension(found[0], statistic)
    where = chosen(found[0], statistic, where)
    drawn = [_heads(condition, statistic, dim, where) for condition in found]
    variable = found[0].first(statistic)
    panels = Panels(len(drawn), headings=len(drawn) > 1)
    heading = "Head" if dim == axes.HEAD else "Key-value head"
    shape: dict[str, Any] = {"coloraxis": _colours(drawn, label_of(variable))}
    for at, part in enumerate(drawn):
        shape.update(_axes(panels, at, part, heading))
    shape["annotations"] = panels.titles([part.condition.label for part in drawn])
    caption = (
        f"Mean over texts{read_at(where)}; one map per training, on one scale. "
        + words.estimand(found, (part.reading for part in drawn), mark="On hover")
        + _uniform(drawn)
    )
    return compose(
        [_map(part, **panels.place(at)) for at, part in enumerate(drawn)],
        title=f"{title_of(variable)} of every head",
        caption=caption,
        rows=[row for part in drawn for row in _rows(part, dim)],
        layout=shape,
    )


def head_dimension(condition: Condition, name: str) -> str:
    """Return the dimension of the heads of a statistic, or say that it has none.

    Raises
    ------
    ValueError
        The statistic is not one number per head.
    """
    variable = condition.first(name)
    for dim in (axes.HEAD, axes.KV_HEAD):
        if dim in variable.dims:
            return dim
    raise ValueError(
        f"{name!r} is one number per {variable.attrs.get('at', 'text')}, so it says nothing of "
        "single heads; draw it with `depth_profile`."
    )


def _heads(condition: Condition, name: str, dim: str, where: Mapping[str, Any]) -> Heads:
    level = reference(condition, name, (), where=where)
    return Heads(
        condition,
        reading(condition, name, (axes.LAYER, dim), where=where),
        None if level is None else float(level),
        condition.labels(dim),
    )


def _map(part: Heads, **place: str) -> dict[str, Any]:
    layers, read, ranks = layers_of(part.condition), part.reading, part.ranks
    texts = [
        [
            f"layer {layer}, head {head}<br>"
            f"{words.shown(read.value[at], read.low[at], read.high[at])}<br>"
            f"{f'rank {ranks[at]} of {np.count_nonzero(ranks)}' if ranks[at] else ''}"
            for head_at, head in enumerate(part.heads)
            for at in [(layer_at, head_at)]
        ]
        for layer_at, layer in enumerate(layers)
    ]
    return {
        "type": "heatmap",
        "x": part.heads,
        "y": layers,
        "z": read.value,
        "coloraxis": "coloraxis",
        "text": texts,
        "hovertemplate": "%{text}",
        "name": part.condition.name,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        **place,
    }


def _colours(drawn: Sequence[Heads], title: str) -> dict[str, Any]:
    values = np.concatenate([part.reading.value.ravel() for part in drawn])
    held = values[np.isfinite(values)]
    low, high = (held.min(), held.max()) if held.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    bar = theme.colour_bar(title)
    return {"colorscale": theme.SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": bar}


def _axes(panels: Panels, at: int, part: Heads, heading: str) -> dict[str, Any]:
    x = theme.axis(heading if panels.is_lowest(at) else "", showgrid=False, ticks="")
    y = theme.axis("Layer" if panels.is_left(at) else "", showgrid=False, ticks="")
    y["autorange"] = "reversed"
    for axis, labels in ((x, part.heads), (y, layers_of(part.condition))):
        if len(labels) <= _FEW:
            axis["dtick"] = 1
    return panels.axes(at, x, y)


def _uniform(drawn: Sequence[Heads]) -> str:
    levels = sorted({words.shown(part.level) for part in drawn if part.level is not None})
    return f" Uniform attention reads {' or '.join(levels)}." if levels else ""


def _rows(part: Heads, dim: str) -> list[Row]:
    read = part.reading
    return [
        {
            "model": part.condition.label,
            "layer": int(layer),
            dim: int(head),
            "value": words.plain(read.value[at]),
            "low": words.plain(read.low[at]),
            "high": words.plain(read.high[at]),
            "rank": int(part.ranks[at]) or None,
            "reference": part.level,
            "sequences": read.sequences,
            "documents": read.documents,
        }
        for layer_at, layer in enumerate(layers_of(part.condition))
        for head_at, head in enumerate(part.heads)
        for at in [(layer_at, head_at)]
    ]


VIEW = View(
    layer_head_map, "Statistic of every head", "Which heads stand out, and in which layer?"
)
