"""How much values differ between queries, from the first layer to the last."""

from dva_lens import axes
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Runs, conditions, label_of, title_of
from dva_lens.views.depths import averaged_over, depth_axis
from dva_lens.views.figure import Figure, compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import reading
from dva_lens.views.view import View

DYNAMISM = "dynamism"
STATIC = "static values"


def dynamism_profile(data: Runs) -> Figure:
    """Draw dynamism against depth; the dotted line is zero, which static values read exactly."""
    found = conditions(data, DYNAMISM)
    depths = depth_axis(found)
    drawn = [
        Line(condition, depths.of(condition), reading(condition, DYNAMISM, (axes.LAYER,)))
        for condition in found
    ]
    widest = max(drawn, key=lambda line: len(line.x)).x
    variable = found[0].first(DYNAMISM)
    zero = lines.dotted(widest, 0 * widest, STATIC)
    caption = (
        f"Mean over {averaged_over(found[0], DYNAMISM, None)}. "
        + words.estimand(found, (line.reading for line in drawn))
        + " Dotted: zero, as for static values. A gate or a branch"
        " of the query alone is dynamic too, so this is no proof of dependence on the pair."
    )
    return compose(
        [zero, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{title_of(variable)} by depth",
        caption=caption,
        rows=lines.rows(drawn, depths.name),
        layout={
            "xaxis": theme.axis(depths.title, **depths.ticks),
            "yaxis": theme.axis(label_of(variable), rangemode="tozero"),
            "hovermode": "x unified",
        },
    )


VIEW = View(
    dynamism_profile,
    "Dynamism by depth",
    "Do values differ between queries?",
    needs=(DYNAMISM,),
    against=STATIC,
    section="values",
)
