"""One text, token by token: what every query reads, with the sink in a lane of its own."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.display import by_query, displayed_tokens
from dva_lens.results.schema import BY_QUERY, TOKEN
from dva_lens.views import theme, words
from dva_lens.views.conditions import conditions, label_of, title_of
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.view import View

PINNED = "first_key_mass"
_LABELLED = 64


@final
@dataclass(frozen=True)
class Strip:
    """What is drawn: rows are layers, or the heads of one layer; columns are queries."""

    tokens: list[str]
    row_name: str
    rows: np.ndarray
    values: np.ndarray
    pinned: np.ndarray


def token_lane(
    data: xr.Dataset,
    statistic: str = "entropy",
    *,
    sequence: int = 0,
    layer: int | None = None,
) -> Figure:
    """Draw a row statistic of every query of one text, and above it what the first key takes.

    Rows are layers, averaged over heads, or the heads of one layer. The data must have been
    measured with `keep="query"`.

    Raises
    ------
    KeyError
        If a measurement does not hold the statistic.
    ValueError
        If there is more than one model, or the queries of the sequence were not kept.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> figure = token_lane(data, "entropy", layer=1)
    >>> len(figure.data)
    2
    """
    (condition,) = conditions(data, f"{statistic}{BY_QUERY}", f"{PINNED}{BY_QUERY}", TOKEN)
    strip = _strip(condition.runs[0], statistic, sequence, layer)
    variable = condition.first(f"{statistic}{BY_QUERY}")
    what = "mean over heads of every layer" if layer is None else f"heads of layer {layer}"
    document = _document(condition.runs[0], sequence)
    caption = (
        f"{condition.label}, text {sequence}{document}, "
        f"{words.number(len(strip.tokens), 'token')}: "
        f"{what}; values are exact, without an interval. The lane on top is the weight that each "
        "query gives to the first key; with uniform attention it is 1 / visible keys."
    )
    shape = _axes(strip, label_of(variable))
    pinned = _heat(strip, strip.pinned[None], "pinned", "coloraxis2", xaxis="x", yaxis="y2")
    main = _heat(strip, strip.values, title_of(variable), "coloraxis", xaxis="x", yaxis="y")
    return compose(
        [{**pinned, "y": ["first key"]}, {**main, "y": strip.rows}],
        title=f"{title_of(variable)}, token by token",
        caption=caption,
        rows=_rows(strip, statistic),
        layout=shape,
    )


def _strip(run: xr.Dataset, statistic: str, sequence: int, layer: int | None) -> Strip:
    tokens = displayed_tokens(run, sequence)
    if layer is None:
        values = by_query(run, statistic, sequence, (axes.LAYER,))
        pinned = by_query(run, PINNED, sequence, ())
    else:
        at = {axes.LAYER: layer}
        values = by_query(run, statistic, sequence, (axes.LAYER, axes.HEAD)).sel(at)
        pinned = by_query(run, PINNED, sequence, (axes.LAYER,)).sel(at)
    over = str(values.dims[0])
    return Strip(tokens, over, values[over].values, values.values, pinned.values)


def _heat(strip: Strip, z: np.ndarray, name: str, colours: str, **place: str) -> dict[str, Any]:
    shown = [f"{at}: {theme.escape(token)}" for at, token in enumerate(strip.tokens)]
    return {
        "type": "heatmap",
        "x": np.arange(len(strip.tokens)),
        "z": z,
        "coloraxis": colours,
        "text": [shown] * len(z),
        "name": theme.escape(name),
        "xgap": 1 if len(shown) <= _LABELLED else 0,
        "ygap": 1,
        "hovertemplate": "%{text}<br>%{y}: %{z:.3g}",
        **place,
    }


def _axes(strip: Strip, label: str) -> dict[str, Any]:
    few = len(strip.tokens) <= _LABELLED
    ticks = (
        {
            "tickvals": np.arange(len(strip.tokens)),
            "ticktext": [theme.escape(token) or " " for token in strip.tokens],
            "tickangle": -90,
            "tickfont": {"size": 10},
        }
        if few
        else {}
    )
    rows = theme.axis(strip.row_name.capitalize(), showgrid=False, domain=[0, 0.84], ticks="")
    if len(strip.rows) <= 16:
        rows["dtick"] = 1
    return {
        "xaxis": theme.axis("" if few else "Token", showgrid=False, anchor="y", **ticks),
        "yaxis": {**rows, "autorange": "reversed"},
        "yaxis2": theme.axis("", showgrid=False, domain=[0.9, 1], ticks=""),
        "coloraxis": {
            "colorscale": theme.SEQUENTIAL,
            "colorbar": theme.colour_bar(label, len=0.84, y=0, yanchor="bottom"),
        },
        "coloraxis2": {"colorscale": theme.PINNED, "cmin": 0, "cmax": 1, "showscale": False},
    }


def _document(run: xr.Dataset, sequence: int) -> str:
    if axes.DOCUMENT not in run.coords:
        return ""
    return f" ({run[axes.DOCUMENT].values[sequence]})"


def _rows(strip: Strip, statistic: str) -> list[Row]:
    return [
        {
            "query": at,
            "token": token,
            "weight on the first key": words.plain(strip.pinned[at]),
            **{
                f"{statistic}, {strip.row_name} {row}": words.plain(strip.values[of, at])
                for of, row in enumerate(strip.rows)
            },
        }
        for at, token in enumerate(strip.tokens)
    ]


VIEW = View(
    token_lane,
    "One text, token by token",
    "Where in a text does it happen?",
    needs=(PINNED,),
    of="queries",
)
