"""Every other statistic that the archive holds, whoever added it."""

from dva_lens import axes
from dva_lens.reports.charts import depth_chart
from dva_lens.reports.material import Material
from dva_lens.reports.page import Folded, Section, Text
from dva_lens.views.table import VIEWS

_ELSEWHERE = ("normalised_entropy", "sink_free_entropy", "sink_importance")


def section(material: Material) -> Section | None:
    """Return by depth what no other section draws, nothing where there is no such statistic."""
    drawn = {
        *_ELSEWHERE,
        *(name for view in VIEWS.values() if view.section for name in view.needs),
    }
    names = [
        name
        for name in material.statistics
        if name not in drawn and axes.LAYER in material.variable(name).dims
    ]
    if not names:
        return None
    charts = tuple(depth_chart(material, name) for name in names)
    words = Text("The remaining statistics by layer. Methods gives their definitions.")
    return Section(
        "more", "More statistics", (words, Folded("Every other statistic by depth", charts))
    )
