"""Figures of views as charts of a page: named, as high as their panels need."""

from collections.abc import Iterator

from dva_lens.reports.material import Material
from dva_lens.reports.page import Chart
from dva_lens.views.depth import depth_profile
from dva_lens.views.figure import Figure
from dva_lens.views.table import VIEWS

_HEIGHT = 400
_ABREAST = 4


def chart(name: str, figure: Figure) -> Chart:
    """Return a figure as a chart: wide if it has several panels, high if it has rows of them."""
    panels = sum(key.startswith("yaxis") for key in figure.to_plotly_json()["layout"])
    rows = -(-panels // _ABREAST)
    return Chart(name, figure, _HEIGHT if rows < 2 else 200 + 170 * rows, wide=panels > 1)


def depth_chart(material: Material, statistic: str) -> Chart:
    """Return a statistic by depth."""
    name = f"{statistic.replace('_', '-')}-by-depth"
    return Chart(name, depth_profile(material.measurements, statistic))


def charts_of_views(material: Material, section: str) -> Iterator[Chart]:
    """Yield the views that a section of a report draws, where their statistics are held."""
    for view in VIEWS.values():
        if view.section == section and set(view.needs) <= set(material.statistics):
            name = view.title.lower().replace(" ", "-")
            yield chart(name, view.function(material.measurements))
