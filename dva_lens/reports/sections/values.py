"""What values do: how dynamic, how drained, and from which layer."""

from dva_lens.reports.charts import charts_of_views
from dva_lens.reports.material import Material
from dva_lens.reports.page import Section, Text


def section(material: Material) -> Section:
    """Return what values do."""
    words = Text(
        "A head writes its attention weights times its values. Static values are the same for "
        "every query; dynamic values are not. The value of the first key is drained where it is "
        "small relative to the others: a sink can then receive attention without writing."
    )
    return Section("values", "What values do", (words, *charts_of_views(material, "values")))
