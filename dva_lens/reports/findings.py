"""What the numbers say, in words: every sentence is made from an estimate and its interval."""

from collections.abc import Mapping, Sequence

import numpy as np

from dva_lens.reports.material import Material
from dva_lens.reports.page import Points, Table
from dva_lens.statistics.inference.compare import Comparison, adjust, compare
from dva_lens.statistics.inference.estimate import Estimate, profile, seeds_note
from dva_lens.views.words import number, shown

COMPARED = (
    "normalised_entropy",
    "sink_free_entropy",
    "sink_importance",
    "dynamism",
    "written_value_drain",
    "loss",
)
OVER_DEPTH = "all layers"
SHOWS_SINKS = 10_000_000
TOO_SMALL = (
    "These models are too small to show sinks: what is seen is shown against its reference and "
    "claimed of nothing else."
)
_CERTAIN = 0.05


def compared(material: Material) -> tuple[Comparison, ...]:
    """Compare every model with the baseline in the statistics of this report, p adjusted."""
    if len(material.models) < 2:
        return ()
    found: list[Comparison] = []
    for name in COMPARED:
        if name not in material.statistics:
            continue
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
        _concentration(material, comparisons),
        _dynamism(material),
        _sinks(material),
        _loss(material, comparisons),
        ("What this is about.", _scope(material)),
    ]
    return Points(tuple(entry for entry in entries if entry is not None))


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


def difference_table(material: Material, comparisons: Sequence[Comparison]) -> Table:
    """Return all comparisons with the baseline, both estimands side by side."""
    rows = [
        {
            "statistic": entry.statistic,
            "model": entry.arm,
            "these checkpoints, new text": interval(entry.text),
            "adjusted p": _p(entry.text_adjusted),
            f"{entry.baseline} against itself": "–"
            if entry.same is None
            else interval(entry.same),
            "retrained": interval(entry.retrained),
            "verdict": entry.verdict,
        }
        for entry in comparisons
    ]
    return Table.of(
        "differences",
        f"Differences from {material.baseline}, mean over layers",
        rows,
        "95 % intervals. Models are compared text by text; p values are adjusted over all rows "
        "(Holm). Against itself: one half of the baseline's seeds minus the other half, what no "
        "difference of architecture looks like. Retrained: what other seeds would give.",
    )


def interval(estimate: Estimate) -> str:
    """Return an estimate of one number with its interval."""
    return shown(float(estimate.mean), float(estimate.low), float(estimate.high))


def _concentration(
    material: Material, comparisons: Sequence[Comparison]
) -> tuple[str, str] | None:
    name = "normalised_entropy"
    if name not in material.statistics:
        return None
    found = over_layers(material, name)
    said = (
        "Of the entropy that uniform attention over the same keys would have, queries keep "
        f"{_each(found, percent=True)}, averaged over layers and heads."
    )
    return "How concentrated attention is.", said + _against(material, comparisons, name)


def _dynamism(material: Material) -> tuple[str, str] | None:
    name = "dynamism"
    if name not in material.statistics:
        return None
    found = over_layers(material, name)
    moving = {model: one for model, one in found.items() if float(one.mean) > 0}
    still = [model for model, one in found.items() if float(one.mean) == 0]
    if not moving:
        return None
    said = f"The share of the values' power that differs between queries is {_each(moving)}"
    said += f"; it is exactly zero in {_list(still)}." if still else "."
    return "Whether values differ between queries.", said


def _sinks(material: Material) -> tuple[str, str] | None:
    name = "sink_importance"
    reference = f"{name}_reference"
    if name not in material.statistics:
        return None
    found = over_layers(material, name)
    said = f"The first key holds {_each(found, percent=True)} of the attention"
    if reference in material.first:
        level = float(material.first[reference].mean())
        said += f", where uniform attention gives it {_number(level, percent=True)}"
    return "Sinks.", said + "." + (f" {TOO_SMALL}" if too_small(material) else "")


def _loss(material: Material, comparisons: Sequence[Comparison]) -> tuple[str, str] | None:
    if "loss" not in material.statistics:
        return None
    found = over_layers(material, "loss")
    said = f"Next-token loss on these texts is {_each(found)} nat."
    return "What the models learned.", said + _against(material, comparisons, "loss")


def _scope(material: Material) -> str:
    trained = number(material.seeds, "training")
    said = (
        "Intervals are 95 % and say how far these trained models would move on other texts of "
        "this kind, not how far retraining would move them. "
    )
    if seeds_note(material.seeds):
        return said + (f"With {trained} per model, nothing here is claimed of the architectures.")
    return said + f"With {trained} per model, the table of differences gives both."


def too_small(material: Material) -> bool:
    """Whether no model is of a size at which sinks have been reported."""
    sizes = [run.attrs["parameters"] for several in material.runs.values() for run in several]
    return max(sizes) < SHOWS_SINKS


def _against(material: Material, comparisons: Sequence[Comparison], name: str) -> str:
    entries = [entry for entry in comparisons if entry.statistic == name]
    if not entries:
        return ""
    parts = [_difference(entry) for entry in entries]
    said = f" Against {material.baseline} on the same texts: {'; '.join(parts)}."
    same = entries[0].same
    if same is not None:
        said += f" Two halves of its own seeds differ by {interval(same)}."
    return said


def _difference(entry: Comparison) -> str:
    certain = entry.text_adjusted <= _CERTAIN
    word = "undecided" if not certain else "higher" if float(entry.text.mean) > 0 else "lower"
    return f"{entry.arm} {word}, {interval(entry.text)}"


def _each(found: Mapping[str, Estimate], *, percent: bool = False) -> str:
    return _list([f"{_interval(one, percent=percent)} in {model}" for model, one in found.items()])


def _interval(estimate: Estimate, *, percent: bool) -> str:
    if not percent:
        return interval(estimate)
    mean, low, high = (float(part) for part in (estimate.mean, estimate.low, estimate.high))
    if not np.isfinite(low):
        return _number(mean, percent=True)
    return f"{100 * mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _number(value: float, *, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else shown(value)


def _list(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
