"""How the numbers of a report came about, read from the data themselves."""

import json
from importlib.metadata import version
from typing import Any

import xarray as xr

from dva_lens import axes
from dva_lens.reports.facts import any_run, definition, number_range, sequences
from dva_lens.reports.material import Material, facts_of
from dva_lens.reports.page import DataTable, Folded, Part, Points, Section, Text

LIMITS = (
    (
        "Attention is not use",
        "A weight says where a head reads, not what the model would lose without it; only an "
        "intervention, such as an ablation beside its control, says that.",
    ),
    (
        "These checkpoints, this kind of text",
        "An interval covers other texts of the kind that was measured, at these lengths. It does "
        "not cover other domains, longer contexts or another training.",
    ),
    (
        "Architectures need seeds",
        "What holds for one checkpoint may be its seed. Nothing is claimed about an architecture "
        "with fewer than three trainings of it.",
    ),
    (
        "Heads have no names",
        "Head 3 of one training is not head 3 of another, so heads of different trainings are "
        "never paired to make a claim; a pinned head is set beside another to look at.",
    ),
    (
        "Undecided is not equal",
        "A difference that is not decided may be large; its interval says how large.",
    ),
    (
        "Uniform attention is a reference",
        "It is what a statistic reads when nothing is preferred. It is no hypothesis that is "
        "tested, and a number that differs from it need not mean anything by itself.",
    ),
    (
        "Length moves most numbers",
        "A query that sees more keys can spread its attention more widely: compare queries that "
        "see as many keys.",
    ),
    (
        "Texts that are shown are examples",
        "What single tokens do in a text that is shown illustrates a number; the number is a mean "
        "over all texts.",
    ),
)
"""What a reader must not take from the numbers: what it is about, and why."""
_FIDELITY = "fidelity_"


def section(material: Material) -> Section:
    """Return data, estimands, provenance and definitions."""
    parts: list[Part] = [
        Text(_texts(material)),
        Text(
            "The 95 % intervals take whole documents as units, because sequences of one document "
            "are correlated; they apply to these checkpoints on new text (t, Satterthwaite's "
            "degrees of freedom for documents of unequal length). Intervals for retraining "
            "are separate and rest on the seeds (t, Satterthwaite). Heads are fixed, "
            "not sampled, and heads of different trainings are never paired."
        ),
        Text(
            "The dotted reference is the value of a statistic under uniform attention over the "
            "keys that a query can see. It is a point of reference, not a null hypothesis."
        ),
        Folded("What the numbers cannot say", (Points(LIMITS),)),
        _provenance(material),
        _runs(material),
        Folded(
            "Definition of every statistic",
            tuple(definition(material, name) for name in material.statistics),
        ),
    ]
    if lost := material.left_out:
        parts.append(Text(f"Omitted because they could not be read: {'; '.join(lost)}", "note"))
    return Section("methods", "Methods", tuple(parts))


def _texts(material: Material) -> str:
    first = material.first
    bos = str(first.attrs.get("bos", ""))
    trained = "study" in any_run(material).attrs
    everyone = "Not every" if material.why_not_compared else "Every"
    return (
        f"{everyone} model was measured on the same {sequences(material)} of {material.text!r}, "
        f"{number_range(first[axes.LENGTH].values.tolist())} tokens long"
        f"{', from documents that no model was trained on' if trained else ''}. "
        f"{f'Special tokens: {bos}. ' if bos else ''}{_cut(first)}Numbers per query and per key "
        "were stored; the attention pattern was not."
    )


def _cut(measured: xr.Dataset) -> str:
    """Return how texts became sequences, where the measurement says it."""
    said = measured.attrs
    found = []
    if "window" in said:
        found.append(f"Windows of {said['window']} tokens, one every {said['stride']}")
    if "padding_side" in said:
        found.append(f"padding on the {said['padding_side']}, never counted")
    if "chat_template" in said:
        found.append(f"chat template: {said['chat_template']}")
    words = "; ".join(found)
    return f"{words[:1].upper()}{words[1:]}. " if found else ""


def _provenance(material: Material) -> DataTable:
    run, first = any_run(material), material.first
    found = facts_of(run.attrs.get("provenance")) | facts_of(first.attrs.get("provenance"))
    found |= {f"recipe: {key}": said for key, said in facts_of(run.attrs.get("recipe")).items()}
    rows = [
        {"what": key.replace("_", " "), "value": _words(said)}
        for key, said in found.items()
        if not key.startswith(_FIDELITY) and key != "recipe: seed"
    ]
    rows.append({"what": "report written by", "value": f"dva-lens {version('dva-lens')}"})
    return DataTable.of("provenance", "Provenance", rows, "The same for all trainings.")


def _runs(material: Material) -> DataTable:
    rows = [
        {
            "model": model,
            "seed": run.seed,
            "key": run.key,
            "backend": data.attrs.get("backend"),
            "dtype": data.attrs.get("dtype"),
            "device": data.attrs.get("device")
            or facts_of(data.attrs.get("provenance")).get("device"),
            **{
                f"fidelity: {str(key).removeprefix(_FIDELITY)}": _plain(said)
                for key, said in data.attrs.items()
                if str(key).startswith(_FIDELITY)
            },
        }
        for model, several in material.runs.items()
        for run, data in zip(several, material.datasets(model), strict=True)
    ]
    caption = (
        "Fidelity: how far the measuring pass came from the model's own, in its output and loss."
    )
    return DataTable.of("trainings", "How each training was measured", rows, caption)


def _words(value: Any) -> str:
    found = _plain(value)
    return f"{found:g}" if isinstance(found, float) else str(found)


def _plain(value: Any) -> str | int | float | None:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, (str, int, float)):
        return value
    return json.dumps(value)
