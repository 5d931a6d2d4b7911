"""A statistic from the first layer to the last."""

from collections.abc import Mapping, Sequence
from typing import Any

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Runs, conditions, label_of, title_of
from dva_lens.views.depths import averaged_over, chosen, depth_axis, read_at
from dva_lens.views.figure import Figure, compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import reading, reference
from dva_lens.views.view import View


def depth_profile(
    data: Runs,
    statistic: str = "entropy",
    spans: Sequence[int] | None = None,
    *,
    where: Mapping[str, Any] | None = None,
) -> Figure:
    """Draw a statistic against depth, one line per model with its interval, beside its reference.

    `spans` keeps the queries that see so many keys (`axes.span_of`); all queries are read without
    it. Models of different depth are drawn against relative depth. `where` chooses the entry of a
    statistic's further dimensions, such as {"threshold": 0.3}.

    Raises
    ------
    KeyError
        If a measurement does not hold the statistic.
    ValueError
        If the statistic is not one number per layer, or has no such dimension or label.

    Examples
    --------
    >>> from dva_lens import open_archive
    >>> figure = depth_profile(open_archive("runs/quick").on(), "entropy")
    >>> figure.layout.title.text
    '<b>Attention entropy by depth</b>'
    >>> figure.show()  # doctest: +SKIP
    """
    found = conditions(data, statistic)
    variable = found[0].first(statistic)
    if axes.LAYER not in variable.dims:
        raise ValueError(
            f"{statistic!r} is one number per text, not per layer, so it has no profile by depth."
        )
    where = chosen(found[0], statistic, where)
    depths = depth_axis(found)
    drawn = [
        Line(
            condition,
            depths.of(condition),
            reading(condition, statistic, (axes.LAYER,), spans=spans, where=where),
            reference(condition, statistic, (axes.LAYER,), spans=spans, where=where),
        )
        for condition in found
    ]
    references = lines.draw_references(drawn)
    traces = [*references, *(trace for line in drawn for trace in lines.draw(line))]
    caption = (
        f"Mean over {averaged_over(found[0], statistic, spans)}{read_at(where)}. "
        + words.estimand(found, (line.reading for line in drawn))
        + words.dotted(bool(references), str(variable.attrs.get("why_no_reference", "")))
    )
    return compose(
        traces,
        title=f"{title_of(variable)} by depth",
        caption=caption,
        rows=lines.rows(drawn, depths.name),
        layout={
            "xaxis": theme.axis(depths.title, **depths.ticks),
            "yaxis": theme.axis(label_of(variable)),
            "hovermode": "x unified",
        },
    )


VIEW = View(depth_profile, "Statistic by depth", "In which layers do models differ?")
