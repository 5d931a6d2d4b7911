"""What a report says of its material at a glance, and how a statistic is defined."""

from collections.abc import Sequence

from dva_lens.reports.material import Material, facts_of
from dva_lens.reports.page import GlossaryEntry
from dva_lens.results.runs import Run
from dva_lens.views.words import number

_FOUND = (
    ("source", "Source"),
    ("pitfalls", "Pitfalls"),
    ("why_no_reference", "No reference"),
    ("version", "Version"),
)


def facts(material: Material) -> tuple[tuple[str, str], ...]:
    """Return the facts at a glance."""
    found = facts_of(any_run(material).attrs.get("provenance"))
    seeds = sorted({len(several) for several in material.runs.values()})
    shown = [
        ("Models", ", ".join(material.models)),
        ("Trainings", f"{' or '.join(map(str, seeds))} per model"),
        ("Measured on", f"{sequences(material)} ({material.text})"),
    ]
    if "text" in found:
        shown.append(("Text", str(found["text"])))
    sizes = material.parameters
    if sizes:
        shown.append(("Parameters", number_range(sizes)))
    return tuple(shown)


def definition(material: Material, name: str) -> GlossaryEntry:
    """Return how a statistic is defined, as its variable says."""
    attrs = material.variable(name).attrs
    details = [(title, str(attrs[key])) for key, title in _FOUND if attrs.get(key)]
    return GlossaryEntry(
        name,
        str(attrs["long_name"]),
        str(attrs["meaning"]),
        str(attrs["formula"]),
        (("Units", str(attrs["units"])), *details),
    )


def sequences(material: Material) -> str:
    """Say how many sequences were measured, from how many documents."""
    count = len(material.documents)
    documents = number(len(set(material.documents)), "document")
    return f"{number(count, 'sequence')} from {documents}"


def any_run(material: Material) -> Run:
    """Return a run that says what is equal for all."""
    return material.runs[material.models[0]][0]


def number_range(values: Sequence[int] | Sequence[float]) -> str:
    """Return the least and the most of some numbers, one number where they are equal."""
    low, high = min(values), max(values)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
