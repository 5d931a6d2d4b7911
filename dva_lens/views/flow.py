"""Where the values of every layer come from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, Runs, conditions, label_of, singles, title_of
from dva_lens.views.depths import layers_of
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.panels import Panels
from dva_lens.views.readings import Reading, reading
from dva_lens.views.view import View

SHARE = "value_source_share"
TOTAL = "total"
_NOTHING = 1e-6


def value_source_flow(data: Runs) -> Figure:
    """Draw, for every layer of every training, the share of the value that each source gives.

    Shares are signed and total one, the dotted line. Where some trainings mix sources, those that
    read their own values only are named in the caption and listed in the table.
    """
    everyone = singles(conditions(data, SHARE))
    pairs = [
        (condition, reading(condition, SHARE, (axes.LAYER, axes.SOURCE))) for condition in everyone
    ]
    mixed = [pair for pair in pairs if _mixes(*pair)] or pairs
    found, read = [condition for condition, _ in mixed], [shares for _, shares in mixed]
    panels = Panels(len(found), headings=len(found) > 1)
    kept = _kept(found[0], read)
    shape: dict[str, Any] = {"barmode": "relative", "bargap": 0.25, "hovermode": "closest"}
    traces: list[lines.Trace] = []
    for at, (condition, shares) in enumerate(zip(found, read, strict=True)):
        place = panels.place(at)
        traces += [_bars(condition, shares, source, legend=at == 0, **place) for source in kept]
        x = layers_of(condition)
        ends = np.array([x[0] - 0.5, x[-1] + 0.5])
        traces.append(lines.dotted(ends, np.ones(2), TOTAL, showlegend=at == 0, **place))
        x_axis = theme.axis("Layer" if panels.is_lowest(at) else "", showgrid=False)
        shape.update(panels.axes(at, {**x_axis, "dtick": _tick(x)}, theme.axis("")))
    shape["annotations"] = [
        *panels.titles([condition.label for condition in found]),
        panels.side_label(label_of(found[0].first(SHARE))),
    ]
    return compose(
        traces,
        title=title_of(found[0].first(SHARE)),
        caption=(
            "Signed share of the value along itself, mean over key-value heads and texts"
            + ("; one panel per training. " if len(found) > 1 else ". ")
            + words.estimand(found, read, mark="Whiskers")
            + " Dotted: the total, 1."
            + _left_out(everyone, found)
        ),
        rows=[row for condition, shares in pairs for row in _rows(condition, shares)],
        layout=shape,
    )


def _mixes(condition: Condition, read: Reading) -> bool:
    names = [str(source) for source in condition.first(SHARE)[axes.SOURCE].values]
    others = [at for at, name in enumerate(names) if name != "own"]
    return bool(np.nanmax(np.abs(read.value[:, others]), initial=0) > _NOTHING)


def _left_out(everyone: Sequence[Condition], found: Sequence[Condition]) -> str:
    drawn = {condition.label for condition in found}
    left = [condition.label for condition in everyone if condition.label not in drawn]
    return f" Own values only: {words.listed(left)}." if left else ""


def _kept(condition: Condition, read: Sequence[Reading]) -> list[tuple[int, str]]:
    """Return the sources that give anything in any layer of any training."""
    names = [str(source) for source in condition.first(SHARE)[axes.SOURCE].values]
    used = [
        any(np.nanmax(np.abs(part.value[:, at]), initial=0) > 0 for part in read)
        for at in range(len(names))
    ]
    return [(at, name) for at, name in enumerate(names) if used[at]] or [(0, names[0])]


def _bars(
    condition: Condition, read: Reading, source: tuple[int, str], *, legend: bool, **place: str
) -> lines.Trace:
    at, name = source
    value, low, high = read.value[:, at], read.low[:, at], read.high[:, at]
    colour = theme.colour_of_source(name)
    return {
        "type": "bar",
        "x": layers_of(condition),
        "y": value,
        "name": theme.escape(name),
        "legendgroup": theme.escape(name),
        "showlegend": legend,
        "marker": {"color": colour},
        "error_y": {
            "type": "data",
            "array": np.nan_to_num(high - value),
            "arrayminus": np.nan_to_num(value - low),
            "thickness": 1,
            "width": 3,
            "color": theme.REFERENCE,
            "visible": read.has_interval,
        },
        "text": [words.shown(*found) for found in zip(value, low, high, strict=True)],
        "textposition": "none",
        "hovertemplate": f"layer %{{x}}, {theme.escape(name)}: %{{text}}<extra></extra>",
        **place,
    }


def _rows(condition: Condition, read: Reading) -> list[Row]:
    return [
        {
            "model": condition.label,
            "layer": int(layer),
            "source": str(source),
            "value": words.plain(read.value[at, of]),
            "low": words.plain(read.low[at, of]),
            "high": words.plain(read.high[at, of]),
            "sequences": read.sequences,
            "documents": read.documents,
        }
        for at, layer in enumerate(layers_of(condition))
        for of, source in enumerate(condition.first(SHARE)[axes.SOURCE].values)
    ]


def _tick(layers: np.ndarray) -> int:
    return max(1, len(layers) // 8)


VIEW = View(
    value_source_flow,
    "Sources of values",
    "Which layers do values come from?",
    needs=(SHARE,),
    against=TOTAL,
    section="values",
)
