"""What an archive shows, in a few sentences: its sinks, their values, and what models change.

Every number and verdict is read from `dva_lens.results`: sinks by the one definition, differences
from the one comparison. The command line, the report, the explorer and a notebook say the same
because they say these sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import pandas as pd

from dva_lens import axes
from dva_lens.reports.sentences import (
    bars,
    changes,
    drain_words,
    heads_with_sinks,
    key_words,
    limits,
    nothing_changes,
    trait,
    why_idle,
)
from dva_lens.results.archive import Archive
from dva_lens.results.collect import Data, collect
from dva_lens.results.compare import Comparisons, compare, why_unattended
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import NotComparableError
from dva_lens.results.sinks import sinks as sink_table
from dva_lens.results.sinks import strongest
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.views.words import shown

CONTROL = "random-init"
CHANGES = ("first_key_mass", "written_value_drain", "normalised_entropy", "dynamism")

About = Literal["sink", "change", "note"]


@final
@dataclass(frozen=True)
class Finding:
    """One sentence about one model, with its verdict and where the evidence is.

    `place` holds what chooses the evidence in the explorer, such as run, layer, head and
    statistic; `muted` says that seeds of the baseline differ by more.
    """

    about: About
    model: str
    words: str
    verdict: str
    muted: bool = False
    place: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])


@final
@dataclass(frozen=True)
class Findings:
    """What the models measured on one text show, the sinks first; it prints as plain lines."""

    text: str
    when: str
    entries: tuple[Finding, ...]

    def of(self, about: About) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(entry for entry in self.entries if entry.about == about)

    def about(self, *models: str) -> "Findings":
        """Return the findings about some models, and what is about none; default: all."""
        kept = [e for e in self.entries if not models or e.model in ("", *models)]
        named = any(entry.model for entry in kept)
        return replace(self, entries=tuple(kept) if named else ())

    def __str__(self) -> str:
        name = f" on {self.text}" if self.text else ""
        return "\n".join(
            [f"Findings{name}, {self.when}:", *(f"- {e.words}" for e in self.entries)]
        )


def findings(data: Archive | Data, text: str | None = None) -> Findings:
    """Return what the models of an archive, or measured data, show on one text.

    Parameters
    ----------
    data : Archive, or what `dva_lens.measure` returned, one or several by model
        What was measured.
    text : str, optional
        The evaluation text of an archive; default: the main one.

    Returns
    -------
    Findings
        For every model its strongest sink (layer, head, token, mass with 95 % interval, uniform
        attention, the untrained model) or why it has none, and whether the value there is
        drained; then what each model changes against the baseline, with verdicts. `print` shows
        plain lines.

    Raises
    ------
    ArchiveError
        If no run was measured on the text.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> found = findings(open_archive("runs/quick"))
    >>> [entry.model for entry in found.of("sink")]
    ['transformer', 'dva']
    """
    measured, untrained = measured_on(data, text)
    return findings_of(measured, untrained=untrained, traits=traits_of(data))


def sinks(data: Archive | Data, text: str | None = None) -> pd.DataFrame:
    """Return what every head of measured models gives the first key and one other, sinks first.

    `dva_lens.results.sinks.sinks` says what the columns are; `data` and `text` are as for
    `findings`.

    Raises
    ------
    ArchiveError
        If no run was measured on the text.
    KeyError
        If no training holds the weight on the first key.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> table = sinks(open_archive("runs/quick"))
    >>> list(table.columns[:5])
    ['model', 'seed', 'layer', 'head', 'key']
    """
    measured, untrained = measured_on(data, text)
    return sink_table(measured, untrained=untrained)


def measured_on(
    data: Archive | Data, text: str | None
) -> tuple[Measurements, Measurements | None]:
    """Return measurements, and those of the same models with random weights if there are any."""
    if not isinstance(data, Archive):
        return collect(data), None
    measured = data.on(text)
    grown = any(axes.STEP in part.data.dims for part in measured.parts)
    held = CONTROL in data.texts and measured.text != CONTROL and not grown
    return measured, data.on(CONTROL) if held else None


def traits_of(data: Archive | Data) -> Mapping[str, str]:
    """Return what is particular about the value path of each model of an archive."""
    if not isinstance(data, Archive):
        return {}
    return {run.model: trait(run.attrs.get("config")) for run in data.runs}


def findings_of(
    measured: Measurements,
    *,
    untrained: Measurements | None = None,
    traits: Mapping[str, str] | None = None,
    comparisons: Comparisons | None = None,
    table: pd.DataFrame | None = None,
) -> Findings:
    """Return the findings of measurements; sinks and a comparison found already are taken."""
    entries: list[Finding] = []
    if "first_key_mass" in measured.statistics:
        table = sink_table(measured, untrained=untrained) if table is None else table
        entries += [_sink(measured, table, model) for model in measured.models]
    if len(measured.models) > 1:
        entries += _changes(measured, traits or {}, comparisons)
    return Findings(measured.text, measured.moment().words, tuple(entries))


def _sink(measured: Measurements, table: pd.DataFrame, model: str) -> Finding:
    row = strongest(table, model)
    if row is None and why_unattended(measured, model):
        words = f"{model}: no sink can be said: {why_unattended(measured, model)}."
        return Finding("sink", model, words, "no attention")
    if row is None:
        words = f"{model}: no sink can be said: no query sees 16 keys."
        return Finding("sink", model, words, "no sink")
    run = next(p.label for p in measured.parts if (p.model, p.seed) == (model, row["seed"]))
    place = {"run": run, "layer": row["layer"], "head": row["head"], "statistic": "first_key_mass"}
    several = sum(part.model == model for part in measured.parts) > 1
    where = f"layer {row['layer']}, head {row['head']}" + f" of seed {row['seed']}" * several
    level = f"{shown(row['mass'], row['low'], row['high'])}; {bars(row)}"
    if not row["sink"]:
        idle = why_idle(measured, model)
        words = f"{model}: no sink here. {idle}The largest weight on the first key is "
        words += f"{level} ({where}): {row['reason']}."
        return Finding("sink", model, words, "no sink", place=place, numbers=row)
    more = "" if row["position"] == 0 else "at least "
    words = f"{model}: strongest sink in {where}: {key_words(row)} receives {more}{level}. "
    words += f"{heads_with_sinks(table, model)} {drain_words(row)}"
    return Finding("sink", model, words, "sink", place=place, numbers=row)


def _changes(
    measured: Measurements, traits: Mapping[str, str], comparisons: Comparisons | None
) -> list[Finding]:
    try:
        found = comparisons or compare(measured)
    except NotComparableError as refusal:
        return [Finding("note", "", f"Models are not compared: {refusal}", "not compared")]
    titles = {name: str(measured.variable(name).attrs["long_name"]) for name in found.statistics}
    entries: list[Finding] = []
    for model in measured.models:
        each = [one for name in CHANGES for one in found.of(name, model=model)[:1]]
        own = [one for one in each if not nothing_changes(one)]
        name = f"{model} ({traits[model]})" if traits.get(model) else model
        if model == found.baseline or not own:
            continue
        said = changes(own, titles)
        words = f"{name} against {found.baseline}: {said}. {limits(own)}".rstrip()
        place = {"statistic": own[0].statistic, "baseline": found.baseline}
        decided = dict.fromkeys(one.word for one in own if one.word != "undecided")
        verdicts = " and ".join(decided) or "undecided"
        muted = all(one.muted for one in own)
        entries.append(Finding("change", model, words, verdicts, muted, place, _numbers(own)))
    return entries


def _numbers(own: Sequence[Comparison]) -> Mapping[str, Any]:
    return {
        one.statistic: (float(one.text.mean), float(one.text.low), float(one.text.high))
        for one in own
    }
