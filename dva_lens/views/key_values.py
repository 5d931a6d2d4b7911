"""The values that queries receive from one key: how large, and how far apart they lie."""

from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.key_values import key_values
from dva_lens.results.schema import TOKEN, VALUE_KEY
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import conditions
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.panels import Panels
from dva_lens.views.view import View

STATIC = "one value for all queries"
_SMALLEST, _LARGEST = 4.0, 18.0
"""Pixels of a mark of no weight, and of the largest weight."""


def key_value_plot(
    data: xr.Dataset, *, layer: int | None = None, head: int = 0, sequence: int = 0
) -> Figure:
    """Draw the values that queries receive from the strongest keys of one head.

    Left is the size of the value by query, one colour per key; right is where the values of the
    strongest key lie in the two directions in which they differ most, from their mean. A mark is
    larger where the query gives the key more weight. A static value would be a flat line, which
    is drawn dotted at the mean, and one point.

    The data must have been measured with `keep="query"`; without a layer it is the last one that
    has values of its own for each query.

    Raises
    ------
    ArchiveError
        If the values of the layer are the same for all queries, or were not kept.
    KeyError
        If the measurement keeps no values of single keys.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> figure = key_value_plot(data, layer=1)
    >>> len(figure.data)
    4
    """
    (condition,) = conditions(data, VALUE_KEY, TOKEN)
    run = condition.runs[0]
    at = _last_dynamic(run) if layer is None else layer
    found = key_values(run, at, head, sequence=sequence)
    tokens = [str(token) for token in found[TOKEN].values]
    kept = [place for place in range(found.sizes[axes.KEPT_KEY]) if found["key"][place] >= 0]
    panels = Panels(2, most_columns=2, gap_x=0.12, headings=False)
    traces = [_sizes(found, place, tokens, panels.place(0)) for place in kept]
    traces.append(_flat(found, panels.place(0)))
    traces.append(_plane(found, tokens, panels.place(1)))
    position = int(found["key"][0])
    explained = float(found["explained"][0])
    share = f" ({explained:.0%} of what they differ)" if np.isfinite(explained) else ""
    return compose(
        traces,
        title="The value of one key, query by query",
        caption=(
            f"{condition.label}, layer {at}, head {head}, text {sequence}, "
            f"{words.number(len(tokens), 'token')}; values are exact, without an interval. "
            f"Keys are the {len(kept)} that receive most weight. Right: the values of token "
            f"{position}, “{tokens[position]}”, in the plane in which they differ most"
            f"{share}, from their mean; lighter is later. Marks grow with the weight."
        ),
        rows=_rows(found, kept, tokens),
        layout={
            **panels.axes(
                0,
                theme.axis("Query"),
                theme.axis("Size of the value", rangemode="tozero"),
            ),
            **panels.axes(
                1,
                theme.axis("First direction"),
                theme.axis("Second direction"),
            ),
            "coloraxis": {"colorscale": theme.SEQUENTIAL, "showscale": False},
            "hovermode": "closest",
        },
    )


def _last_dynamic(run: xr.Dataset) -> int:
    held = (run[VALUE_KEY] >= 0).any([dim for dim in run[VALUE_KEY].dims if dim != axes.LAYER])
    return int(np.flatnonzero(held.values)[-1]) if bool(held.any()) else 0


def _sizes(
    found: xr.Dataset, place: int, tokens: list[str], where: dict[str, str]
) -> dict[str, Any]:
    position = int(found["key"][place])
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": np.arange(found.sizes[axes.QUERY]),
        "y": found["norm"].values[place],
        "name": f"token {position}, {_named(tokens, position)}",
        "line": {"width": 1, "color": theme.PALETTE[place + 1]},
        "marker": {"color": theme.PALETTE[place + 1], "size": _marks(found, place)},
        "text": _texts(found, place, tokens),
        "hovertemplate": "%{text}<extra></extra>",
        **where,
    }


def _flat(found: xr.Dataset, where: dict[str, str]) -> lines.Trace:
    """Return the line of a key that gives all queries one value, as large as the mean."""
    norm = found["norm"].values[0]
    queries = np.flatnonzero(np.isfinite(norm))
    level = norm[queries].sum() / max(len(queries), 1)
    return lines.dotted(queries, np.full(len(queries), level), STATIC, **where)


def _plane(found: xr.Dataset, tokens: list[str], where: dict[str, str]) -> dict[str, Any]:
    seen = np.isfinite(found["first"].values[0])
    queries = np.flatnonzero(seen)
    texts = _texts(found, 0, tokens)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": found["first"].values[0][seen],
        "y": found["second"].values[0][seen],
        "name": "its values",
        "showlegend": False,
        "marker": {
            "color": queries,
            "coloraxis": "coloraxis",
            "size": _marks(found, 0)[seen],
            "line": {"width": 1, "color": theme.OUTLINE},
        },
        "text": [texts[query] for query in queries],
        "hovertemplate": "%{text}<extra></extra>",
        **where,
    }


def _marks(found: xr.Dataset, place: int) -> np.ndarray:
    weight = np.nan_to_num(found["weight"].values[place])
    most = max(float(weight.max(initial=0.0)), 1e-12)
    return _SMALLEST + (_LARGEST - _SMALLEST) * np.sqrt(np.clip(weight, 0.0, None) / most)


def _texts(found: xr.Dataset, place: int, tokens: list[str]) -> list[str]:
    weight, norm = found["weight"].values[place], found["norm"].values[place]
    return [
        f"query {query}: {_named(tokens, query)}<br>weight {weight[query]:.4g}, "
        f"size {norm[query]:.4g}"
        for query in range(len(norm))
    ]


def _named(tokens: list[str], position: int) -> str:
    return theme.escape(tokens[position])


def _rows(found: xr.Dataset, kept: list[int], tokens: list[str]) -> list[Row]:
    return [
        {
            "key": int(found["key"][place]),
            "key_token": tokens[int(found["key"][place])],
            "query": int(query),
            "query_token": tokens[query],
            **{
                name: words.plain(found[name].values[place, query])
                for name in ("weight", "norm", "first", "second")
            },
        }
        for place in kept
        for query in np.flatnonzero(np.isfinite(found["norm"].values[place]))
    ]


VIEW = View(
    key_value_plot,
    "The value of one key, query by query",
    "Does a key give every query the same?",
    needs=(VALUE_KEY,),
    of="queries",
    against=STATIC,
)
