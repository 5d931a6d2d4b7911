"""How concentrated attention is: by depth, by visible keys, by head, and beside controls."""

from dva_lens.reports.charts import chart, depth_chart
from dva_lens.reports.differences import interval
from dva_lens.reports.material import Material
from dva_lens.reports.page import Chart, DataTable, Part, Section, Text
from dva_lens.views.heads import layer_head_map
from dva_lens.views.spans import span_profile

NAME = "normalised_entropy"
_CONTROLS = {
    "shuffled": "the same tokens in random order, which destroys their context",
    "repeated": "one token repeated, so that all keys have the same content",
}


def section(material: Material) -> Section:
    """Return where attention is concentrated."""
    data, held = material.measurements, material.statistics
    parts: list[Part] = [
        Text(
            "Entropy measures over how many keys a query spreads its attention. Divided by the "
            "logarithm of the number of keys it can see, it reads 1 for uniform attention at any "
            "length and 0 for a single key. Only queries that see equally many keys are "
            "comparable."
        )
    ]
    if NAME in held:
        parts.append(depth_chart(material, NAME))
    if "entropy" in held:
        parts.append(Chart("entropy-by-visible-keys", span_profile(data, "entropy")))
    if "sink_free_entropy" in held:
        parts.append(depth_chart(material, "sink_free_entropy"))
    if NAME in held:
        parts.append(chart("normalised-entropy-of-heads", layer_head_map(data, NAME)))
    return Section("concentration", "How concentrated attention is", (*parts, *controls(material)))


def controls(material: Material) -> tuple[Part, ...]:
    """Return what the models read on texts that destroy what is claimed, beside the text."""
    others = [one for one in material.others if NAME in one.statistics]
    if not others or NAME not in material.statistics:
        return ()
    found = {one.text: one.means(NAME) for one in (material, *others)}
    rows = [
        {
            "model": model,
            **{
                text: interval(means[model]) if model in means else None
                for text, means in found.items()
            },
        }
        for model in material.models
    ]
    said = [f"{text}: {_CONTROLS[text]}" for text in found if text in _CONTROLS]
    words = (
        "Normalised attention entropy, mean over layers, 95 % intervals for these checkpoints on "
        f"new text. {'; '.join(said).capitalize()}{'.' if said else ''}"
    )
    return (DataTable.of("controls", "The same models on controls", rows, words),)
