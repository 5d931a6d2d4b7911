"""What values do: how dynamic, how drained, and from which layer."""

from dva_lens.reports.charts import charts_of_views
from dva_lens.reports.material import Material
from dva_lens.reports.page import Section, Text


def section(material: Material) -> Section:
    """Return what values do."""
    words = Text(
        "What a head writes is its pattern times its values. Static values are the same for "
        "every query; dynamic ones are not. The first key's value is drained where it is "
        "small beside the others, which is how a sink can take attention without writing."
    )
    return Section("values", "What values do", (words, *charts_of_views(material, "values")))
