"""What the first key takes, against what uniform attention would give it."""

from dva_lens.reports.charts import charts_of_views, depth_chart
from dva_lens.reports.material import Material
from dva_lens.reports.page import Chart, Part, Section, Text
from dva_lens.views.scatter import head_scatter
from dva_lens.views.spans import span_profile


def section(material: Material) -> Section:
    """Return how much the first key takes, and in how many heads."""
    data, held = material.measurements, material.statistics
    parts: list[Part] = [
        Text(
            "An attention sink is a key, usually the first, that receives much of the attention "
            "whatever the query. Uniform attention also gives the first key a share, a large one "
            "in short texts, so every figure shows that reference."
        )
    ]
    if "sink_importance" in held:
        parts.append(depth_chart(material, "sink_importance"))
    if "first_key_mass" in held:
        parts.append(Chart("first-key-mass-by-visible-keys", span_profile(data, "first_key_mass")))
    parts += charts_of_views(material, "sinks")
    if {"normalised_entropy", "first_key_mass"} <= set(held):
        parts.append(Chart("heads", head_scatter(data), 460))
    return Section("sinks", "Sinks", tuple(parts))
