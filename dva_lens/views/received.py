"""What every position of one text or image receives, in the place where it stands."""

import math
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from dva_lens import axes
from dva_lens.results.edges import (
    POSITION,
    PinnedKey,
    edges,
    most_pinned,
    pinned_keys,
    times_uniform,
)
from dva_lens.results.schema import EDGE_WEIGHT, TOKEN
from dva_lens.views import theme, words
from dva_lens.views.conditions import conditions
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.places import Places
from dva_lens.views.view import View

SHADE = 0.6
LEAST = -3
"""The smallest multiple of uniform attention that has a colour of its own, as a power of two."""
COLOURS = 3
LUMINANCE = (0.299, 0.587, 0.114)
"""What red, green and blue make of grey (ITU-R BT.601)."""


def received_map(
    data: xr.Dataset,
    *,
    layer: int | None = None,
    head: int | None = None,
    sequence: int = 0,
    query: int | None = None,
    image: Any = None,
) -> Figure:
    """Draw what every position of one text or image receives in one head, where it stands.

    Images are drawn as the grid of their patches, with what is no patch, such as a class token
    or registers, in a row above; texts are drawn in rows of 32 tokens. Colours are mean weights
    of the queries that see the position, as multiples of what uniform attention gives it; sinks
    are outlined. The data must have been measured with `keep="query"`.

    Parameters
    ----------
    data : xarray.Dataset
        A measurement that keeps edges.
    layer, head : int, optional
        Which head; what is left out is chosen: the one that looks most at a single key.
    sequence : int, optional
        Which text or image.
    query : int, optional
        Draw the weights of this query alone, instead of what all queries give.
    image : array, optional
        The image itself, (channel, row, column) or (row, column, channel), to be drawn beneath in
        grey; numbers from 0 to 1, or whole ones from 0 to 255.

    Raises
    ------
    ArchiveError
        The measurement keeps no edges.
    ValueError
        There is no such layer, head, sequence or query; or the image is none, or the measurement
        is of a text.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> figure = received_map(data, layer=1, head=0)
    >>> figure.data[0].type
    'heatmap'
    """
    (condition,) = conditions(data, EDGE_WEIGHT, TOKEN)
    run = condition.runs[0]
    layer, head = _chosen(run, layer, head, sequence)
    found = edges(run, layer, head, sequence=sequence)
    times = times_uniform(found) if query is None else _of_query(found, query)
    places = Places.of(run, found.sizes[POSITION])
    sinks = pinned_keys(found)
    what = "what all queries give" if query is None else f"the weights of query {query}"
    traces = [_heat(found, places, times, shade=1.0 if image is None else SHADE)]
    if image is not None:
        traces.insert(0, _beneath(places, image))
    return compose(
        traces,
        title="What positions receive, where they stand",
        caption=(
            f"{condition.label}, layer {layer}, head {head}, "
            f"{'image' if places.image else 'text'} {sequence}, "
            f"{words.number(len(times), 'token')}: {what}; values are exact, without an interval. "
            f"With uniform attention it is 1. {_said(sinks, places)}{_left_out(found, query)}"
        ),
        rows=_rows(found, places, times),
        layout=_layout(places, sinks, times),
    )


def _chosen(
    run: xr.Dataset, layer: int | None, head: int | None, sequence: int
) -> tuple[int, int]:
    """Return the head asked for; what is left open is where one key has the most weight."""
    if layer is not None and head is not None:
        return layer, head
    layers, heads = (
        range(run.sizes[axis]) if asked is None else (asked,)
        for axis, asked in ((axes.LAYER, layer), (axes.HEAD, head))
    )
    return most_pinned(
        {
            (at, of): pinned_keys(edges(run, at, of, sequence=sequence))
            for at in layers
            for of in heads
        }
    )


def _of_query(found: xr.Dataset, query: int) -> Float[np.ndarray, "position"]:
    if not 0 <= query < found.sizes["query"]:
        raise ValueError(
            f"query must be one whose edges are kept, of 0 to {found.sizes['query'] - 1}, got "
            f"{query}."
        )
    one = found.isel(query=query)
    times = np.full(found.sizes[POSITION], np.nan)
    listed = one["key"].values >= 0
    times[one["key"].values[listed]] = one["weight"].values[listed] * int(one["visible"])
    return times


def _heat(
    found: xr.Dataset, places: Places, times: Float[np.ndarray, "position"], *, shade: float
) -> dict[str, Any]:
    tokens = [str(token) for token in found[TOKEN].values]
    z = np.log2(np.clip(places.table(times), 2.0**LEAST, None))
    texts = np.full(z.shape, "", dtype=object)
    above = int(places.extra > 0)
    for place, token in enumerate(tokens):
        said = f"{place}: {theme.escape(token)}<br>{times[place]:.3g} × uniform"
        texts[places.row[place] + above, places.column[place]] = said
    return {
        "type": "heatmap",
        "z": z,
        "y": np.arange(z.shape[0]) - above,
        "x": np.arange(z.shape[1]),
        "text": texts,
        "name": "× uniform",
        "coloraxis": "coloraxis",
        "opacity": shade,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _beneath(places: Places, image: Any) -> dict[str, Any]:
    """Return the image as a trace that lies beneath the patches."""
    if not places.image:
        raise ValueError("image can be drawn beneath patches alone, and this is a text.")
    pixels = np.asarray(image)
    if pixels.ndim == COLOURS and pixels.shape[0] == COLOURS != pixels.shape[2]:
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim != COLOURS or pixels.shape[2] != COLOURS:
        raise ValueError(
            f"image must be (channel, row, column) or (row, column, channel) with three channels, "
            f"got shape {np.asarray(image).shape}."
        )
    if pixels.dtype.kind == "f":
        pixels = 255 * np.clip(pixels, 0, 1)
    grey = np.repeat((pixels @ np.array(LUMINANCE))[..., None], COLOURS, axis=2)
    height, width = places.rows / pixels.shape[0], places.columns / pixels.shape[1]
    return {
        "type": "image",
        "z": np.round(grey).astype(np.uint8),
        "x0": -0.5 + width / 2,
        "dx": width,
        "y0": -0.5 + height / 2,
        "dy": height,
        "hoverinfo": "skip",
    }


def _said(sinks: tuple[PinnedKey, ...], places: Places) -> str:
    if not sinks:
        return "No position stands out as a sink does."
    kind = "patch or extra token" if places.image else "token"
    found = ", ".join(f"{each.position} “{each.token}” ({each.mass:.2f})" for each in sinks)
    return f"Outlined, as a sink stands out, with the mean weight: {kind} {found}."


def _left_out(found: xr.Dataset, query: int | None) -> str:
    """Say how much of the weight of one query is on keys that are not listed."""
    if query is None:
        return ""
    return f" {float(found['rest'][query]):.1%} of its weight is on keys that are not listed."


def _colours(times: Float[np.ndarray, "position"]) -> dict[str, Any]:
    """Return a scale of doublings around uniform attention."""
    largest = float(np.nanmax(times, initial=2.0**-LEAST))
    powers = range(LEAST, math.ceil(math.log2(largest)) + 1)
    ticks = [f"1/{2**-power}" if power < 0 else f"{2**power}" for power in powers]
    bar = theme.colour_bar(
        "× uniform", tickvals=list(powers), ticktext=[f"≤ {ticks[0]}", *ticks[1:]]
    )
    limits = {"cmin": powers[0], "cmax": powers[-1]}
    return {"colorscale": theme.SEQUENTIAL, "colorbar": bar, **limits}


def _layout(
    places: Places, sinks: tuple[PinnedKey, ...], times: Float[np.ndarray, "position"]
) -> dict[str, Any]:
    above = int(places.extra > 0)
    corners = [(places.column[each.position], places.row[each.position]) for each in sinks]
    outlines = [
        {
            "type": "rect",
            "x0": float(x) - 0.5,
            "x1": float(x) + 0.5,
            "y0": float(y) - 0.5,
            "y1": float(y) + 0.5,
            "line": {"color": theme.PALETTE[1], "width": 3},
        }
        for x, y in corners
    ]
    ticks, wide = {"showgrid": False, "zeroline": False}, max(places.columns, places.extra)
    rows = {"tickvals": [-1], "ticktext": ["extra"]} if above else {"showticklabels": False}
    return {
        "shapes": outlines,
        "xaxis": theme.axis("", showticklabels=False, range=[-0.5, wide - 0.5], **ticks),
        "yaxis": theme.axis(
            "",
            range=[places.rows - 0.5, -0.5 - above],
            scaleanchor="x" if places.image else None,
            **rows,
            **ticks,
        ),
        "coloraxis": _colours(times),
    }


def _rows(found: xr.Dataset, places: Places, times: Float[np.ndarray, "position"]) -> list[Row]:
    return [
        {
            "position": place,
            "token": str(token),
            "row": int(places.row[place]) if places.row[place] >= 0 else None,
            "column": int(places.column[place]) if places.row[place] >= 0 else None,
            "times uniform": float(times[place]) if np.isfinite(times[place]) else None,
        }
        for place, token in enumerate(found[TOKEN].values)
    ]


VIEW = View(
    received_map,
    title="What positions receive, where they stand",
    question="Which tokens of a text, or patches of an image, does a head look at?",
    needs=(EDGE_WEIGHT,),
    of="queries",
)
