"""A statistic against the number of keys a query can see."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Runs, conditions, label_of, title_of
from dva_lens.views.figure import Figure, compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import reading, reference
from dva_lens.views.view import View

_POWERS = 30


def span_profile(data: Runs, statistic: str = "entropy", layer: int | None = None) -> Figure:
    """Draw a row statistic against visible keys, the only way to compare rows of any length.

    `layer` names one layer; default: the mean over all.

    Raises
    ------
    KeyError
        If a measurement does not hold the statistic.
    ValueError
        If the statistic is not kept by the number of visible keys.

    Examples
    --------
    >>> from dva_lens import open_archive
    >>> figure = span_profile(open_archive("runs/quick").on(), "entropy", layer=1)
    >>> figure.layout.xaxis.title.text
    'Visible keys'
    """
    found = conditions(data, statistic)
    variable = found[0].first(statistic)
    if axes.SPAN not in variable.dims:
        raise ValueError(
            f"{statistic!r} is one number per {variable.attrs.get('at', 'text')}, not per query, "
            "so it has no spans of visible keys; draw it with `depth_profile`."
        )
    where = {} if layer is None else {axes.LAYER: layer}
    drawn = [
        Line(
            condition,
            2.0 ** condition.labels(axes.SPAN),
            reading(condition, statistic, (axes.SPAN,), where=where),
            reference(condition, statistic, (axes.SPAN,)),
        )
        for condition in found
    ]
    longest = max(drawn, key=lambda line: len(line.x))
    labels = [axes.span_label(round(np.log2(x))) for x in longest.x]
    references = lines.draw_references(drawn)
    at = "all layers" if layer is None else f"layer {layer}"
    caption = (
        f"Mean over heads of {at} and over the queries of each range of visible keys. "
        + words.estimand(found, (line.reading for line in drawn))
        + words.dotted(bool(references), str(variable.attrs.get("why_no_reference", "")))
    )
    return compose(
        [*references, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{title_of(variable)} by visible keys",
        caption=caption,
        rows=lines.rows(drawn, "visible_keys", labels),
        layout={
            "xaxis": theme.axis("Visible keys", type="log", tickvals=longest.x, ticktext=labels),
            "yaxis": theme.axis(label_of(variable), **_scale(drawn)),
            "hovermode": "x unified",
        },
    )


def _scale(drawn: Sequence[Line]) -> dict[str, Any]:
    """Return a logarithmic axis for what is positive throughout and spans powers of ten."""
    parts = [part for line in drawn for part in (line.reading.each, line.reading.low)]
    parts += [line.reference for line in drawn if line.reference is not None]
    values = np.concatenate([np.ravel(part) for part in parts])
    held = values[np.isfinite(values)]
    if held.size == 0 or held.min() <= 0 or held.max() / held.min() < _POWERS:
        return {}
    return {"type": "log", "dtick": 1}


VIEW = View(span_profile, "Statistic by visible keys", "Does it hold at every length?")
