"""What the numbers say, in words: every sentence is made from an estimate and its interval."""

from collections.abc import Sequence

import numpy as np

from dva_lens.reports.material import Material
from dva_lens.reports.page import Cell, DataTable, Points
from dva_lens.statistics.inference.compare import Comparison, adjust, compare
from dva_lens.statistics.inference.estimate import Estimate, profile, seeds_note
from dva_lens.views.words import listed, shown, spelled

COMPARED = (
    "normalised_entropy",
    "sink_free_entropy",
    "sink_importance",
    "dynamism",
    "written_value_drain",
    "loss",
)
_GLANCE = ("normalised_entropy", "sink_importance", "dynamism", "written_value_drain", "loss")
OVER_DEPTH = "all layers"
SHOWS_SINKS = 10_000_000
TOO_SMALL = (
    "These models are too small to show sinks: what is seen is shown against its reference, and "
    "nothing is claimed of it."
)
_CERTAIN = 0.05


def compared(material: Material) -> tuple[Comparison, ...]:
    """Compare every model with the baseline in the statistics of this report, p adjusted."""
    if len(material.models) < 2:
        return ()
    found: list[Comparison] = []
    for name in COMPARED:
        if name in material.statistics:
            found += compare(
                name,
                material.profiles(name),
                material.documents,
                baseline=material.baseline,
                contrasts=(OVER_DEPTH,),
            )
    return adjust(found)


def findings(material: Material, comparisons: Sequence[Comparison]) -> Points:
    """Return the headline findings, each with what it is about."""
    entries = [
        _differences(
            material, comparisons, "normalised_entropy", "How concentrated attention is."
        ),
        _dynamism(material),
        _sinks(material),
        _differences(material, comparisons, "loss", "What the models learned."),
        ("What this is about.", _scope(material)),
    ]
    return Points(tuple(entry for entry in entries if entry is not None))


def at_a_glance(material: Material) -> DataTable:
    """Return the compared statistics of every model, mean over layers, with what uniform reads."""
    names = [name for name in _GLANCE if name in material.statistics]
    titles = {name: _title(material, name) for name in names}
    found = {name: over_layers(material, name) for name in names}
    rows: list[dict[str, Cell]] = [
        {"model": model, **{titles[name]: interval(found[name][model]) for name in names}}
        for model in material.models
    ]
    uniform = {titles[name]: _uniform(material, name) for name in names}
    rows.append({"model": "uniform attention", **uniform})
    return DataTable.of(
        "at-a-glance",
        "At a glance",
        rows,
        "Mean over layers, heads, queries, texts and seeds, with 95 % intervals for these "
        "checkpoints on new text.",
    )


def over_layers(material: Material, name: str) -> dict[str, Estimate]:
    """Estimate the mean of a statistic over layers and seeds, for every model."""
    found = {}
    for model, values in material.profiles(name).items():
        held = np.isfinite(values)
        count = held.sum((0, 2))
        total = np.where(held, values, 0.0).sum((0, 2))
        means = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
        found[model] = profile(means, material.documents)
    return found


def difference_table(material: Material, comparisons: Sequence[Comparison]) -> DataTable:
    """Return all comparisons with the baseline, both estimands side by side."""
    rows = [
        {"statistic": _title(material, entry.statistic), "model": entry.arm, **compared_row(entry)}
        for entry in comparisons
    ]
    title = f"Differences from {material.baseline}"
    return DataTable.of(
        "differences", title, rows, f"Means over layers. {compared_words(material)}"
    )


def compared_row(entry: Comparison) -> dict[str, Cell]:
    """Return one comparison as cells of a table."""
    return {
        "on new text": interval(entry.text),
        "adjusted p": _p(entry.text_adjusted),
        "no difference": "–" if entry.same is None else interval(entry.same),
        "retrained": interval(entry.retrained),
        "verdict": entry.verdict.split(" ")[0],
    }


def compared_words(material: Material) -> str:
    """Say what the columns of compared rows are."""
    note = seeds_note(material.seeds)
    about = "these checkpoints only" if note else "the architectures"
    return (
        "95 % intervals. On new text: these checkpoints, compared text by text; p values are "
        f"adjusted over all rows (Holm). No difference: one half of the seeds of "
        f"{material.baseline} minus the other half. Retrained: what other seeds would give"
        f"{f' ({note})' if note else ''}. The verdict is about {about}."
    )


def too_small(material: Material) -> bool:
    """Whether no model is of a size at which sinks have been reported."""
    return bool(material.sizes) and max(material.sizes) < SHOWS_SINKS


def interval(estimate: Estimate) -> str:
    """Return an estimate of one number with its interval."""
    return shown(float(estimate.mean), float(estimate.low), float(estimate.high))


def _differences(
    material: Material, comparisons: Sequence[Comparison], name: str, about: str
) -> tuple[str, str] | None:
    """Say how a statistic differs from the baseline, or what it is where there is no other."""
    if name not in material.statistics:
        return None
    title, base = _title(material, name), material.baseline
    found = over_layers(material, name)
    units = str(material.first[name].attrs["units"])
    unit = f" {units}" if units != "1" else ""
    said = f"{title} is {interval(found[base])}{unit} in {base}, averaged over layers and heads."
    if name == "loss":
        said = f"{title} on these texts is {interval(found[base])}{unit} in {base}."
    entries = [entry for entry in comparisons if entry.statistic == name]
    if entries:
        said += f" On the same texts {listed([_difference(entry) for entry in entries])}."
    return about, said + for_scale(entries)


def for_scale(entries: Sequence[Comparison]) -> str:
    """Say how far apart trainings of the baseline are, and whether any model is further."""
    if not entries or entries[0].same is None:
        return ""
    same = entries[0].same
    said = f" For scale: two halves of its own seeds differ by {interval(same)}"
    told = [entry for entry in entries if entry.text_adjusted <= _CERTAIN]
    if not told:
        return f"{said}."
    further = [entry.arm for entry in told if abs(entry.text.mean) > abs(same.mean)]
    if not further:
        return f"{said}, which is more than any of these differences."
    return f"{said}, less than the difference of {listed(further)}."


def _difference(entry: Comparison) -> str:
    mean, low, high = (float(part) for part in (entry.text.mean, entry.text.low, entry.text.high))
    if not entry.text_adjusted <= _CERTAIN:
        return f"{entry.arm} is not told apart from it ({shown(mean, low, high)})"
    if mean < 0:
        return f"{entry.arm} is lower by {shown(-mean, -high, -low)}"
    return f"{entry.arm} is higher by {shown(mean, low, high)}"


def _dynamism(material: Material) -> tuple[str, str] | None:
    name = "dynamism"
    if name not in material.statistics:
        return None
    found = over_layers(material, name)
    moving = [f"{interval(one)} in {model}" for model, one in found.items() if float(one.mean) > 0]
    still = [model for model, one in found.items() if float(one.mean) == 0]
    if not moving:
        return None
    said = f"The share of the values' power that differs between queries is {listed(moving)}"
    said += f"; it is exactly zero in {listed(still)}, as it must be." if still else "."
    return "Whether values differ between queries.", said


def _sinks(material: Material) -> tuple[str, str] | None:
    name = "sink_importance"
    if name not in material.statistics:
        return None
    each = [f"{interval(one)} in {model}" for model, one in over_layers(material, name).items()]
    said = f"The share of attention on the first key is {listed(each)}"
    level = _uniform(material, name)
    said += f", where uniform attention gives {level}." if level is not None else "."
    return "Sinks.", said + (f" {TOO_SMALL}" if too_small(material) else "")


def _scope(material: Material) -> str:
    said = (
        "Intervals are 95 % and say how far these trained models would move on other texts of "
        "this kind, not how far retraining would move them. A difference counts only if it "
        f"stands after adjusting for all comparisons. With {_trainings(material)} per model, "
    )
    if seeds_note(material.seeds):
        return said + "nothing here is claimed of the architectures."
    return said + "the table of differences gives both."


def _trainings(material: Material) -> str:
    return spelled(material.seeds, "training")


def _uniform(material: Material, name: str) -> str | None:
    level = material.reference(name)
    return None if level is None else shown(level)


def _title(material: Material, name: str) -> str:
    return str(material.first[name].attrs["long_name"])


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
