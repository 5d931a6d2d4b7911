"""How the numbers of a report came about, read from the data themselves."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import xarray as xr

from dva_lens import axes
from dva_lens.reports.material import Material, facts_of
from dva_lens.reports.page import DataTable, Folded, GlossaryEntry, Part, Section, Text
from dva_lens.results.archive import Run
from dva_lens.views.words import number

_FOUND = (
    ("source", "Source"),
    ("pitfalls", "Pitfalls"),
    ("why_no_reference", "No reference"),
    ("version", "Version"),
)
_MODEL_FACTS = ("text", "text_sha256", "tokenizer_sha256", "python", "torch", "dva_lens")
_FIDELITY = "fidelity_"


def methods(material: Material) -> Section:
    """Return data, estimands, provenance and definitions."""
    parts: list[Part] = [
        Text(_texts(material)),
        Text(
            "Intervals are 95 % and rest on whole documents, drawn again: sequences of one "
            "document resemble each other. They speak of these checkpoints on new text. What "
            "retraining would give rests on seeds (t, Satterthwaite) and stands apart. Heads are "
            "fixed, never drawn again, and heads of different trainings are never paired."
        ),
        Text(
            "The dotted reference is what a statistic reads on uniform attention over the keys "
            "that a query can see. It is a yardstick, not a null hypothesis."
        ),
        _provenance(material),
        _runs(material),
        Folded(
            "Definition of every statistic",
            tuple(definition(material, name) for name in material.statistics),
        ),
    ]
    if material.unreadable:
        parts.append(
            Text(
                "Left out, because they could not be read: "
                + "; ".join(f"{name} ({why})" for name, why in material.unreadable.items())
                + ".",
                "note",
            )
        )
    return Section("methods", "Methods", tuple(parts))


def definition(material: Material, name: str) -> GlossaryEntry:
    """Return how a statistic is defined, as its variable says."""
    attrs = material.first[name].attrs
    details = [(title, str(attrs[key])) for key, title in _FOUND if attrs.get(key)]
    return GlossaryEntry(
        name,
        str(attrs["long_name"]),
        str(attrs["meaning"]),
        str(attrs["formula"]),
        (("Units", str(attrs["units"])), *details),
    )


def facts(material: Material) -> tuple[tuple[str, str], ...]:
    """Return the facts at a glance."""
    found = facts_of(_any_run(material).attrs.get("provenance"))
    seeds = sorted({len(several) for several in material.runs.values()})
    shown = [
        ("Models", ", ".join(material.models)),
        ("Trainings", f"{' or '.join(map(str, seeds))} per model"),
        ("Measured on", f"{_sequences(material)} ({material.probe})"),
    ]
    if "text" in found:
        shown.append(("Text", str(found["text"])))
    sizes = material.sizes
    if sizes:
        shown.append(("Parameters", _range(sizes)))
    return tuple(shown)


def _texts(material: Material) -> str:
    first = material.first
    bos = str(first.attrs.get("bos", ""))
    trained = "study" in _any_run(material).attrs
    return (
        f"Every model was measured on the same {_sequences(material)} of the probe "
        f"{material.probe!r}, {_range(first[axes.LENGTH].values.tolist())} tokens long"
        f"{', from documents that no model was trained on' if trained else ''}. "
        f"{f'Special tokens: {bos}. ' if bos else ''}{_cut(first)}Numbers per query and per key "
        "were kept, the attention pattern never."
    )


def _cut(measured: xr.Dataset) -> str:
    """Return how texts became sequences, where the measurement says it."""
    said = measured.attrs
    found = []
    if "window" in said:
        found.append(f"Windows of {said['window']} tokens, one every {said['stride']}")
    if "padding_side" in said:
        found.append(f"padding on the {said['padding_side']}, which never counts")
    if "chat_template" in said:
        found.append(f"chat template: {said['chat_template']}")
    return f"{'; '.join(found)}. " if found else ""


def _sequences(material: Material) -> str:
    count = len(material.documents)
    documents = number(len(set(material.documents)), "document")
    return f"{number(count, 'sequence')} from {documents}"


def _provenance(material: Material) -> DataTable:
    run, first = _any_run(material), material.first
    found = facts_of(run.attrs.get("provenance")) | facts_of(first.attrs.get("provenance"))
    found |= {f"recipe: {key}": said for key, said in facts_of(run.attrs.get("recipe")).items()}
    rows = [
        {"what": key.replace("_", " "), "value": _words(said)}
        for key, said in found.items()
        if not key.startswith(_FIDELITY) and key != "recipe: seed"
    ]
    rows.append({"what": "report written by", "value": f"dva-lens {version('dva-lens')}"})
    return DataTable.of("provenance", "What it rests on", rows, "Equal for all trainings.")


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
        for run, data in zip(several, material.data[model], strict=True)
    ]
    caption = (
        "Fidelity: how far the measuring pass came from the model's own, in its output and loss."
    )
    return DataTable.of("trainings", "How each training was measured", rows, caption)


def _any_run(material: Material) -> Run:
    return material.runs[material.models[0]][0]


def _range(values: Sequence[int] | Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def _words(value: Any) -> str:
    found = _plain(value)
    return f"{found:g}" if isinstance(found, float) else str(found)


def _plain(value: Any) -> str | int | float | None:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, (str, int, float)):
        return value
    return json.dumps(value)
