"""How small the first key's value is, before and after the output projection."""

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, Runs, conditions, label_of, title_of
from dva_lens.views.depths import averaged_over, depth_axis
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.lines import Line
from dva_lens.views.panels import Panels
from dva_lens.views.readings import reading
from dva_lens.views.view import View

DRAINS = ("value_drain", "written_value_drain")
MEDIAN = "like the median key"


def drain_plot(data: Runs) -> Figure:
    """Draw the first key's value over the median value against depth; 1 is a key like any other.

    The left panel is the value itself, the right one what it writes through the output matrix.

    Raises
    ------
    KeyError
        If a measurement does not hold both drains.
    """
    found = conditions(data, *DRAINS)
    depths = depth_axis(found)
    panels = Panels(len(DRAINS), most_columns=2, gap_x=0.12, headings=False)
    traces: list[lines.Trace] = []
    rows: list[Row] = []
    shape: dict[str, object] = {"hovermode": "x unified"}
    drawn: list[Line] = []
    for at, name in enumerate(DRAINS):
        drawn = [
            Line(condition, depths.of(condition), reading(condition, name, (axes.LAYER,)))
            for condition in found
        ]
        place = panels.place(at)
        widest = max(drawn, key=lambda line: len(line.x)).x
        one = lines.dotted(widest, 0 * widest + 1, MEDIAN, **place)
        traces += [{**one, "showlegend": at == 0}]
        traces += [part for line in drawn for part in lines.draw(line, legend=at == 0, **place)]
        rows += [{"statistic": name, **row} for row in lines.rows(drawn, depths.name)]
        shape.update(
            panels.axes(
                at,
                theme.axis(depths.title, **depths.ticks),
                theme.axis(label_of(found[0].first(name)), rangemode="tozero"),
            )
        )
    return compose(
        traces,
        title="Drained values by depth",
        caption=_caption(found, drawn),
        rows=rows,
        layout=shape,
    )


def _caption(found: tuple[Condition, ...], drawn: list[Line]) -> str:
    names = " and ".join(title_of(found[0].first(name)).lower() for name in DRAINS)
    return (
        f"{names[0].upper()}{names[1:]}: far below 1 is drained. "
        f"Mean over {averaged_over(found[0], DRAINS[0], None)}. "
        + words.estimand(found, (line.reading for line in drawn))
        + " Dotted: 1, a first key like the median key."
    )


VIEW = View(
    drain_plot,
    "Drained values by depth",
    "Is the first key's value drained?",
    needs=DRAINS,
    against=MEDIAN,
    section="values",
)
