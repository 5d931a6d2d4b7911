"""Every model of a text against a baseline: one contrast, one family, one verdict.

Models are compared by the middle half of their layers and by their slope over depth, or by their
mean where one of them has one or two layers. p values of all models, primary statistics and
contrasts of one text are one family (Holm). Anything else that is asked for is exploration: its
family is its own statistic (Benjamini-Hochberg). Tables of a report, verdicts of the explorer, the
command line and notebooks print from `Comparisons` and from nothing else.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.entries import split_name
from dva_lens.results.measurement import LAYERS
from dva_lens.results.moments import When
from dva_lens.results.pairing import Paired, paired_over_depth
from dva_lens.results.reader import Measurements
from dva_lens.results.same_text import SameText, same_text
from dva_lens.results.schema import NotComparableError
from dva_lens.results.spans import Spans
from dva_lens.statistics.inference.compare import Comparison, adjust, compare_cells
from dva_lens.statistics.inference.depth import MEAN, default_contrasts
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg, holm
from dva_lens.statistics.table import PRIMARY
from dva_lens.validation import meant

BASELINE = "transformer"
ENTROPY = "entropy"
ZERO = "zero"
"""In place of a baseline: numbers are compared with nothing, so that they are levels."""


@final
@dataclass(frozen=True)
class Comparisons:
    """All models of a text against one of them, p values adjusted.

    `when` says at which moment of training, `refused` why a statistic, or a model without
    attention, was not compared, and
    `note` what a reader has to know of the texts.
    """

    baseline: str
    text: str
    when: str
    entries: tuple[Comparison, ...]
    refused: Mapping[str, str]
    note: str = ""

    @property
    def family(self) -> int:
        """How many contrasts the family of the primary statistics has."""
        return sum(entry.primary for entry in self.entries)

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that were compared."""
        return tuple(dict.fromkeys(entry.statistic for entry in self.entries))

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts over depth."""
        return tuple(dict.fromkeys(entry.contrast for entry in self.entries))

    def of(
        self, statistic: str, *, model: str | None = None, contrast: str | None = None
    ) -> tuple[Comparison, ...]:
        """Return the comparisons of a statistic, of one model or contrast if they are named."""
        return tuple(
            entry
            for entry in self.entries
            if entry.statistic == statistic
            and model in (None, entry.model)
            and contrast in (None, entry.contrast)
        )


def usual_baseline(models: Sequence[str]) -> str:
    """Return what others are compared with if nobody says: `transformer`, or the first."""
    return BASELINE if BASELINE in models else models[0]


def baseline_of(measurements: Measurements, baseline: str | None = None) -> str:
    """Return the model that others are compared with; default: the usual one.

    `zero` stands for itself where no model is called so.

    Raises
    ------
    ValueError
        If there is no model of that name.
    """
    models = measurements.models
    if baseline is None:
        return usual_baseline(models)
    if baseline not in (*models, ZERO):
        raise ValueError(
            f"No model {baseline!r} on this text{meant(baseline, models)}; "
            f"there are: {', '.join(models)}."
        )
    return baseline


def compare(
    measurements: Measurements,
    baseline: str | None = None,
    statistics: Sequence[str] = (),
    *,
    contrasts: Sequence[str] = (),
    moment: When = "last",
    spans: Spans = "all",
) -> Comparisons:
    """Compare every model with a baseline in the primary statistics, and in others if named.

    Parameters
    ----------
    measurements : Measurements
        What models were measured to be on one text.
    baseline : str, optional
        The model that all others are compared with; default: `transformer`, else the first.
        `zero` compares every model with nothing: its levels and slopes over depth.
    statistics : sequence of str
        Further statistics, or entries such as `sink_rate:0.1`, to explore.
    contrasts : sequence of str
        Further contrasts over depth of the statistics that are named, to explore.
    moment, spans
        When in training, and over which queries, as for `Measurements.values`.

    Raises
    ------
    ValueError
        If there is no such baseline.
    NotComparableError
        If the models were measured on different texts, or a statistic that is named cannot be
        compared between their tokenizers.
    KeyError
        If no model holds a statistic that is named.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> found = compare(open_archive("runs/quick").on(), baseline="transformer")
    >>> found.contrasts
    ('middle half', 'slope', 'mean')
    >>> {entry.model for entry in found.of("entropy")}
    {'dva'}
    """
    base = baseline_of(measurements, baseline)
    kept = spans if isinstance(spans, str) else tuple(spans)
    reader = _Reader(measurements, base, same_text(measurements), moment, kept)
    key = ("compared", base, tuple(statistics), tuple(contrasts), moment, kept)
    return measurements.once(key, lambda: _compared(reader, statistics, contrasts))


def _compared(
    reader: "_Reader", statistics: Sequence[str], contrasts: Sequence[str]
) -> Comparisons:
    """Compare the primary statistics, and those that are named, p values adjusted by family."""
    measurements, same = reader.measurements, reader.same
    refused: dict[str, str] = {}
    held = [name for name in PRIMARY if name in measurements.statistics]
    for name in (*held, *statistics):
        if reason := same.refusal(measurements, split_name(name)[0]):
            refused[name] = reason
    if named := [name for name in statistics if name in refused]:
        raise NotComparableError(f"{refused[named[0]]}; choose a number per document.")
    primary = [name for name in held if name not in refused]
    claimed = adjust(reader.compared(primary), holm)
    explored = [
        replace(entry, primary=False)
        for name in dict.fromkeys(statistics)
        for entry in adjust(
            reader.compared([name], known=name in primary, contrasts=contrasts),
            benjamini_hochberg,
        )
    ]
    refused |= _unattended(measurements)
    when = measurements.moment(reader.moment).words
    return Comparisons(
        reader.baseline, measurements.text, when, (*claimed, *explored), refused, note=same.note
    )


def _unattended(measurements: Measurements) -> dict[str, str]:
    """Return the models in which no layer attends, each with the reason that was recorded."""
    reasons = {model: why_unattended(measurements, model) for model in measurements.models}
    return {
        model: f"{model} has no statistics of attention: {reason}"
        for model, reason in reasons.items()
        if reason
    }


def why_unattended(measurements: Measurements, model: str) -> str:
    """Return why no layer of a model has statistics of attention, nothing where one has them."""
    held = [part.data[ENTROPY] for part in measurements.of(model).parts if ENTROPY in part.data]
    if not held or any(np.isfinite(each.values).any() for each in held):
        return ""
    return str(held[0].attrs.get("why_not", "none was measured"))


@final
@dataclass(frozen=True)
class _Reader:
    """Reads and compares statistics of one text at one moment."""

    measurements: Measurements
    baseline: str
    same: SameText
    moment: When
    spans: Spans

    def compared(
        self, names: Sequence[str], *, known: bool = False, contrasts: Sequence[str] = ()
    ) -> tuple[Comparison, ...]:
        """Return the comparisons of statistics, p values not adjusted.

        By the usual contrasts unless these are `known`, and by others.
        """
        cells: list[tuple[str, str]] = []
        parts: list[Paired] = []
        for name in names:
            values = self.measurements.values(name, moment=self.moment, spans=self.spans)
            usual = _usual_contrasts(values)
            others = [each for each in dict.fromkeys(contrasts) if each not in usual]
            wanted = (*(() if known else usual), *others)
            if not wanted:
                continue
            paired = self._paired(name, values, wanted)
            if self.baseline in (*paired.models, ZERO):
                cells += [(name, contrast) for contrast in wanted]
                parts.append(paired)
        return _all_cells(cells, parts, self.baseline) if parts else ()

    def _paired(self, name: str, values: xr.DataArray, contrasts: tuple[str, ...]) -> Paired:
        """Return the numbers of all models side by side, which no baseline changes."""
        key = ("paired", name, contrasts, self.moment, self.spans, self.same.by_document)
        return self.measurements.once(
            key, lambda: paired_over_depth(values, contrasts, by_document=self.same.by_document)
        )


def _usual_contrasts(values: xr.DataArray) -> tuple[str, ...]:
    if axes.LAYER not in values.dims:
        return (MEAN,)
    return default_contrasts(int(values[LAYERS].min()))


def _all_cells(
    cells: Sequence[tuple[str, str]], parts: Sequence[Paired], baseline: str
) -> tuple[Comparison, ...]:
    """Compare all cells at once: they share texts."""
    names = list(dict.fromkeys(name for part in parts for name in part.models))
    seeds = {n: max(len(p.models[n]) for p in parts if n in p.models) for n in names}
    width = len(parts[0].weights)
    models: dict[str, np.ndarray] = {}
    for name in names:
        columns: list[np.ndarray] = []
        for part in parts:
            block = np.full((seeds[name], width, part.weights.shape[1]), np.nan)
            if name in part.models:
                block[: len(part.models[name])] = part.models[name]
            columns.append(block)
        models[name] = np.concatenate(columns, axis=-1)
    weights = np.concatenate([part.weights for part in parts], axis=-1)
    if baseline not in models:
        models[baseline] = np.zeros((max(seeds.values()), *weights.shape))
    found = compare_cells(cells, models, parts[0].documents, baseline=baseline, weights=weights)
    return tuple(entry for entry in found if np.isfinite(float(entry.text.mean)))
