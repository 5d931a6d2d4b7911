"""Any two statistics of every head against each other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, Runs, conditions, label_of, singles, title_of
from dva_lens.views.depths import chosen, layers_of
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.heads import head_dimension
from dva_lens.views.readings import Reading, reading, reference
from dva_lens.views.view import UNIFORM, View


def head_scatter(data: Runs, x: str = "normalised_entropy", y: str = "first_key_mass") -> Figure:
    """Draw every head at two of its statistics, with the interval of both as whiskers.

    Dotted lines are what uniform attention reads. Statistics of key-value heads are shown at each
    of the query heads that share them.

    Raises
    ------
    KeyError
        If a measurement does not hold the statistic.
    ValueError
        If a statistic says nothing of single heads.
    """
    found = conditions(data, x, y)
    traces: list[lines.Trace] = []
    rows: list[Row] = []
    read: list[Reading] = []
    for condition in found:
        for seed, single in zip(condition.seeds, singles([condition]), strict=True):
            across, up = _by_head(single, x), _by_head(single, y)
            read += [across, up]
            traces.append(_cloud(condition, seed, across, up))
            rows += _rows(condition, seed, (x, across), (y, up))
    levels = [reference(found[0], name, (), where=chosen(found[0], name)) for name in (x, y)]
    variables = [found[0].first(name) for name in (x, y)]
    caption = (
        "One mark per head and training; mean over texts. "
        + words.estimand(found, read, mark="Whiskers", single="")
        + words.dotted(any(level is not None for level in levels))
    )
    return compose(
        traces,
        title=f"{title_of(variables[1])} against {_lower(title_of(variables[0]))}",
        caption=caption,
        rows=rows,
        layout={
            "xaxis": theme.axis(label_of(variables[0])),
            "yaxis": theme.axis(label_of(variables[1])),
            "shapes": _levels(levels),
            "hovermode": "closest",
        },
    )


def _by_head(condition: Condition, name: str) -> Reading:
    """Return a statistic over (layer, head), key-value heads repeated for their query heads."""
    dim = head_dimension(condition, name)
    read = reading(condition, name, (axes.LAYER, dim), where=chosen(condition, name))
    heads = condition.parts[0].data.sizes
    if dim == axes.HEAD or axes.HEAD not in heads:
        return read
    shared = heads[axes.HEAD] // heads[axes.KV_HEAD]
    value, low, high = (
        np.repeat(part, shared, axis=-1) for part in (read.value, read.low, read.high)
    )
    return replace(read, value=value, low=low, high=high)


def _cloud(condition: Condition, seed: str, across: Reading, up: Reading) -> lines.Trace:
    layers, heads = across.value.shape
    names = [
        f"L{layers_of(condition)[at]} H{head}" for at in range(layers) for head in range(heads)
    ]
    texts = [
        f"<b>{condition.name}</b>, seed {theme.escape(seed)}, {name}<br>"
        f"x: {words.shown(*first)}<br>y: {words.shown(*second)}"
        for name, first, second in zip(names, _triples(across), _triples(up), strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": across.value.ravel(),
        "y": up.value.ravel(),
        "error_x": _whiskers(across),
        "error_y": _whiskers(up),
        "name": condition.name,
        "legendgroup": condition.name,
        "showlegend": seed == condition.seeds[0],
        "marker": {
            "color": condition.look.colour,
            "symbol": condition.look.symbol,
            "size": 9,
            "opacity": 0.85,
        },
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _triples(read: Reading) -> list[tuple[float, float, float]]:
    flat = (part.ravel().tolist() for part in (read.value, read.low, read.high))
    return list(zip(*flat, strict=True))


def _whiskers(read: Reading) -> dict[str, Any]:
    return {
        "type": "data",
        "array": np.nan_to_num(read.high - read.value).ravel(),
        "arrayminus": np.nan_to_num(read.value - read.low).ravel(),
        "thickness": 1,
        "width": 0,
        "visible": read.has_interval,
    }


def _levels(levels: Sequence[np.ndarray | None]) -> list[dict[str, Any]]:
    across, up = levels
    style = {
        "type": "line",
        "name": UNIFORM,
        "layer": "below",
        "line": {"color": theme.REFERENCE, "dash": "dot"},
    }
    shapes = []
    if across is not None:
        ends = {"x0": float(across), "x1": float(across), "y0": 0, "y1": 1, "yref": "paper"}
        shapes.append({**style, **ends})
    if up is not None:
        ends = {"y0": float(up), "y1": float(up), "x0": 0, "x1": 1, "xref": "paper"}
        shapes.append({**style, **ends})
    return shapes


def _rows(
    condition: Condition, seed: str, across: tuple[str, Reading], up: tuple[str, Reading]
) -> list[Row]:
    layers, heads = across[1].value.shape
    found = []
    for layer in range(layers):
        for head in range(heads):
            row: Row = {"model": condition.label, "seed": seed}
            row |= {"layer": int(layers_of(condition)[layer]), "head": head}
            for name, read in (across, up):
                row[name] = words.plain(read.value[layer, head])
                row[f"{name} low"] = words.plain(read.low[layer, head])
                row[f"{name} high"] = words.plain(read.high[layer, head])
            found.append(row)
    return found


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


VIEW = View(head_scatter, "Two statistics of every head", "Do two statistics go together?")
