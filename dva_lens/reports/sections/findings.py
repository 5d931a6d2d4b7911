"""What the numbers say, in words: every sentence is made from an estimate and its interval."""

from collections.abc import Sequence

from dva_lens.reports.differences import difference_table, interval, title_of
from dva_lens.reports.findings import findings_of, measured_on, traits_of
from dva_lens.reports.material import Material
from dva_lens.reports.page import Cell, DataTable, Folded, Part, Points, Section, Text
from dva_lens.results.compare import Comparisons
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import MIDDLE_HALF
from dva_lens.statistics.inference.estimate import seeds_note
from dva_lens.views.words import listed, shown, spelled

GLANCE = ("normalised_entropy", "sink_importance", "dynamism", "written_value_drain", "loss")


def section(material: Material) -> Section:
    """Return the findings in words, and the numbers they rest on."""
    parts: list[Part] = [findings(material), at_a_glance(material)]
    if material.why_not_compared:
        parts.append(Text(f"Models are not compared: {material.why_not_compared}", "note"))
    if material.comparisons:
        table = difference_table(material, material.comparisons)
        parts.append(Folded(f"All differences from {material.baseline}, with p values", (table,)))
        refused = "; ".join(material.comparisons.refused.values())
        if refused:
            parts.append(Text(f"Not compared: {refused}.", "note"))
    return Section("findings", "In short", tuple(parts))


def found_in(material: Material) -> tuple[tuple[str, str], ...]:
    """Return sinks, drains and differences in the sentences that are said everywhere."""
    _, untrained = measured_on(material.archive, material.text)
    found = findings_of(
        material.measurements,
        untrained=untrained,
        traits=traits_of(material.archive),
        comparisons=material.comparisons,
    )
    abouts = {"sink": "Sinks.", "change": "What it changes.", "note": "Comparison."}
    return tuple((abouts[entry.about], entry.words) for entry in found.entries)


def findings(material: Material) -> Points:
    """Return the headline findings, each with what it is about; sinks come first."""
    entries = [
        _differences(material, "normalised_entropy", "How concentrated attention is."),
        _dynamism(material),
        _differences(material, "loss", "What the models learned."),
        ("Scope.", _scope(material)),
    ]
    held = (entry for entry in entries if entry is not None)
    return Points((*found_in(material), *held))


def at_a_glance(material: Material) -> DataTable:
    """Return the main statistics of every model, mean over layers, with what uniform reads."""
    names = [name for name in GLANCE if name in material.statistics]
    titles = {name: title_of(material, name) for name in names}
    found = {name: material.means(name) for name in names}
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


def _differences(material: Material, name: str, about: str) -> tuple[str, str] | None:
    """Say how a statistic differs from the baseline, or what it is where there is no other."""
    if name not in material.statistics:
        return None
    title, base = title_of(material, name), material.baseline
    level = interval(material.means(name)[base])
    units = str(material.variable(name).attrs["units"])
    unit = f" {units}" if units != "1" else ""
    said = f"{title} is {level}{unit} in {base}, averaged over layers and heads."
    if name == "loss":
        said = f"{title} on these texts is {level}{unit} in {base}."
    entries = _first_contrast(material.comparisons, name)
    if entries:
        place = " and in the middle half of the layers"
        where = place if entries[0].contrast == MIDDLE_HALF else ""
        each = listed([difference_in_words(entry) for entry in entries])
        said += f" On the same texts{where}, {each}."
    return about, said + for_scale(entries)


def _first_contrast(found: Comparisons | None, name: str) -> tuple[Comparison, ...]:
    """Return the comparisons of a statistic in its first contrast, the level over depth."""
    entries = list(found.of(name)) if found is not None else []
    return tuple(entry for entry in entries if entry.contrast == entries[0].contrast)


def for_scale(entries: Sequence[Comparison]) -> str:
    """Say how far apart trainings of the baseline are, and whether any model is further."""
    if not entries or entries[0].same is None:
        return ""
    same = entries[0].same
    said = f" For scale: two halves of its seeds differ by {interval(same)}"
    decided = [entry.model for entry in entries if entry.word != "undecided"]
    if decided:
        return f"{said}, less than the difference of {listed(decided)}."
    if all(entry.muted for entry in entries):
        return f"{said}, which is more than any of these differences."
    return f"{said}."


def difference_in_words(entry: Comparison) -> str:
    """Say how a model differs from the baseline, in the word of the verdict."""
    mean, low, high = (float(part) for part in (entry.text.mean, entry.text.low, entry.text.high))
    if entry.word == "lower":
        return f"{entry.model} is lower by {shown(-mean, -high, -low)}"
    if entry.word == "higher":
        return f"{entry.model} is higher by {shown(mean, low, high)}"
    if entry.muted:
        return (
            f"{entry.model} differs from it by {shown(mean, low, high)}, less than two halves of "
            f"the seeds of {entry.baseline} differ"
        )
    alike = f"{entry.model} does not differ detectably from it"
    if entry.retrained.supports_claims:
        return f"{alike} with other seeds ({interval(entry.retrained)})"
    return f"{alike} ({shown(mean, low, high)})"


def _dynamism(material: Material) -> tuple[str, str] | None:
    name = "dynamism"
    if name not in material.statistics:
        return None
    found = material.means(name)
    moving = [f"{interval(one)} in {model}" for model, one in found.items() if one.mean > 0]
    still = [model for model, one in found.items() if one.mean == 0]
    if not moving:
        return None
    said = f"The share of the values' power that differs between queries is {listed(moving)}"
    said += f"; it is exactly zero in {listed(still)}, as their form implies." if still else "."
    return "Whether values differ between queries.", said


def _scope(material: Material) -> str:
    said = (
        "The 95 % intervals cover the variation of these trained models over other texts of this "
        "kind, not the variation over retraining. A difference is reported only if it remains "
        f"significant after adjustment for all comparisons. With "
        f"{spelled(material.seeds, 'training')} per model, "
    )
    if seeds_note(material.seeds):
        return said + "no claim is made about the architectures."
    return said + "the table of differences gives both."


def _uniform(material: Material, name: str) -> str | None:
    level = material.reference(name)
    return None if level is None else shown(level)
