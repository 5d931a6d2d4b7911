"""The sections of a study's report: figures and tables, each with what to know before reading."""

from collections.abc import Sequence

from dva_lens import views
from dva_lens.reports.findings import (
    TOO_SMALL,
    at_a_glance,
    difference_table,
    findings,
    interval,
    over_layers,
    too_small,
)
from dva_lens.reports.material import Material, number_in
from dva_lens.reports.page import Chart, DataTable, Folded, Part, Section, Text
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.views import (
    depth_profile,
    drain_plot,
    dynamism_profile,
    head_scatter,
    layer_head_map,
    sink_curve,
    span_profile,
    training_curves,
    value_source_flow,
)

_CONTROLS = {
    "shuffled": "the same tokens in another order, so that what they say together is gone",
    "repeated": "one token over and over, so that there is nothing to choose",
}
_OTHERS = (
    "effective_keys",
    "largest_weight",
    "importance_entropy",
    "head_importance_excess",
    "sink_output_share",
    "massive_activation",
)


def in_short(material: Material, comparisons: Sequence[Comparison]) -> Section:
    """Return the findings in words, and the numbers they rest on."""
    parts: list[Part] = [findings(material, comparisons), at_a_glance(material)]
    if comparisons:
        table = difference_table(material, comparisons)
        parts.append(Folded(f"All differences from {material.baseline}, with p values", (table,)))
    return Section("findings", "In short", tuple(parts))


def concentration(material: Material, others: Sequence[Material] = ()) -> Section:
    """Return where attention is concentrated: by depth, by visible keys, by head."""
    data, held = material.data, material.statistics
    parts: list[Part] = [
        Text(
            "Entropy says over how many keys a query spreads its attention. Divided by the "
            "logarithm of the number of keys it can see, it reads 1 for uniform attention at any "
            "length and 0 for a single key. Only queries that see equally many keys compare."
        )
    ]
    if "normalised_entropy" in held:
        figure = depth_profile(data, "normalised_entropy")
        parts.append(Chart("normalised-entropy-by-depth", figure))
    if "entropy" in held:
        parts.append(Chart("entropy-by-visible-keys", span_profile(data, "entropy")))
    if "sink_free_entropy" in held:
        parts.append(Chart("sink-free-entropy-by-depth", depth_profile(data, "sink_free_entropy")))
    if "normalised_entropy" in held:
        figure = layer_head_map(data, "normalised_entropy")
        parts.append(Chart("normalised-entropy-of-heads", figure, _tall(figure), wide=True))
    parts += controls(material, others)
    more = tuple(
        Chart(f"{name.replace('_', '-')}-by-depth", depth_profile(data, name))
        for name in _OTHERS
        if name in held
    )
    if more:
        parts.append(Folded("More statistics by depth", more))
    return Section("concentration", "How concentrated attention is", tuple(parts))


def controls(material: Material, others: Sequence[Material]) -> tuple[Part, ...]:
    """Return what the models read on texts that destroy what is claimed, beside the text."""
    if not others or "normalised_entropy" not in material.statistics:
        return ()
    found = {one.probe: over_layers(one, "normalised_entropy") for one in (material, *others)}
    rows = [
        {
            "model": model,
            **{
                probe: interval(estimates[model]) if model in estimates else None
                for probe, estimates in found.items()
            },
        }
        for model in material.models
    ]
    said = [f"{probe}: {_CONTROLS[probe]}" for probe in found if probe in _CONTROLS]
    words = (
        "Normalised attention entropy, mean over layers, 95 % intervals for these checkpoints on "
        f"new text. {'; '.join(said).capitalize()}{'.' if said else ''}"
    )
    return (DataTable.of("controls", "The same models on controls", rows, words),)


def sinks(material: Material) -> Section:
    """Return what the first key takes, against what uniform attention would give it."""
    data, held = material.data, material.statistics
    parts: list[Part] = [
        Text(
            "A sink is a key, mostly the first, that takes much of the attention whatever the "
            "query asks for. Uniform attention gives the first key a share too, and most of it "
            "in short texts, so every figure carries that reference."
        )
    ]
    if too_small(material):
        parts.append(Text(TOO_SMALL, "note"))
    if "sink_importance" in held:
        parts.append(Chart("sink-importance-by-depth", depth_profile(data, "sink_importance")))
    if "first_key_mass" in held:
        parts.append(Chart("first-key-mass-by-visible-keys", span_profile(data, "first_key_mass")))
    if "sink_rate" in held:
        parts.append(Chart("sink-rate-by-threshold", sink_curve(data)))
    if {"normalised_entropy", "first_key_mass"} <= set(held):
        parts.append(Chart("heads", head_scatter(data), 460))
    return Section("sinks", "Sinks", tuple(parts))


def values(material: Material) -> Section:
    """Return what values do: how dynamic, how drained, and from which layer."""
    data, held = material.data, material.statistics
    parts: list[Part] = [
        Text(
            "What a head writes is its pattern times its values. Static values are the same for "
            "every query; dynamic ones are not. The first key's value is drained where it is "
            "small beside the others, which is how a sink can take attention without writing."
        )
    ]
    if "dynamism" in held:
        parts.append(Chart("dynamism-by-depth", dynamism_profile(data)))
    if {"value_drain", "written_value_drain"} <= set(held):
        parts.append(Chart("drains-by-depth", drain_plot(data), wide=True))
    if "value_source_share" in held:
        figure = value_source_flow(data)
        parts.append(Chart("sources-of-values", figure, _tall(figure), wide=True))
    return Section("values", "What values do", tuple(parts))


def training(material: Material) -> Section:
    """Return what training cost and how the loss fell."""
    parts: list[Part] = [costs(material)]
    if material.training:
        parts.append(Chart("loss-during-training", training_curves(material.training)))
    return Section("training", "Training and cost", tuple(parts))


def costs(material: Material) -> DataTable:
    """Return loss, size and cost of every training."""
    rows = [
        {
            "model": model,
            "seed": run.seed,
            "loss [nat]": number_in(run.attrs["loss"]),
            "parameters": _whole(run.attrs["parameters"]),
            "FLOPs per token": _whole(run.attrs["flops_per_token"]),
            "training time [s]": number_in(run.attrs["train_seconds"]),
            "KV cache per token [bytes]": _whole(run.attrs["kv_bytes_per_token"]),
        }
        for model, several in material.runs.items()
        for run in several
    ]
    caption = (
        "Loss on held-out text at the end of training. FLOPs: of one forward pass. Training time "
        "is of one run on the machine named under Methods, and moves with its load."
    )
    return DataTable.of("costs", "Every training", rows, caption)


def _whole(value: object) -> int | None:
    found = number_in(value)
    return None if found is None else round(found)


def _tall(figure: views.Figure) -> int:
    """Return the height that the rows of panels of a figure need."""
    layout = figure.to_plotly_json()["layout"]
    panels = sum(key.startswith("yaxis") for key in layout)
    return 200 + 170 * -(-panels // 4)
