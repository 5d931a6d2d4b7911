"""How models differ from the baseline, as rows and words: what `results.compare` says of them."""

from dva_lens.reports.material import Material, MeanWithInterval
from dva_lens.reports.page import Cell, DataTable
from dva_lens.results.compare import Comparisons
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import CONTRASTS
from dva_lens.statistics.inference.estimate import Estimate, seeds_note
from dva_lens.views.words import p_value, shown


def interval(estimate: Estimate | MeanWithInterval) -> str:
    """Return an estimate of one number with its interval."""
    return shown(float(estimate.mean), float(estimate.low), float(estimate.high))


def title_of(material: Material, name: str) -> str:
    """Return what a statistic is called."""
    return str(material.variable(name).attrs["long_name"])


def difference_table(
    material: Material, found: Comparisons, statistics: tuple[str, ...] = ()
) -> DataTable:
    """Return the comparisons with the baseline, both estimands side by side.

    `statistics` keeps some of them; default: all.
    """
    rows: list[dict[str, Cell]] = [
        {
            "statistic": title_of(material, entry.statistic),
            "model": entry.model,
            "over depth": entry.contrast,
            **_row(entry),
        }
        for entry in found.entries
        if not statistics or entry.statistic in statistics
    ]
    title = f"Differences from {found.baseline}"
    return DataTable.of("differences", title, rows, _words(material, found))


def _row(entry: Comparison) -> dict[str, Cell]:
    return {
        "on new text": interval(entry.text),
        "adjusted p": p_value(entry.text_adjusted),
        "A/A": "–" if entry.same is None else interval(entry.same),
        "retrained": interval(entry.retrained),
        "verdict": entry.word,
    }


def _words(material: Material, found: Comparisons) -> str:
    """Say what the columns are."""
    note = seeds_note(material.seeds)
    about = "these checkpoints only" if note else "the architectures"
    contrasts = "; ".join(f"{name}: {CONTRASTS[name]}" for name in found.contrasts)
    contrasts = f"{contrasts[:1].upper()}{contrasts[1:]}"
    return (
        f"95 % intervals, {found.when}. {contrasts}. On new text: these checkpoints, "
        "paired by text; p values are adjusted over all "
        f"{found.family} contrasts of the primary statistics (Holm). A/A: one half of "
        f"the seeds of {found.baseline} minus the other half. Retrained: the same architectures "
        f"with other seeds{f' ({note})' if note else ''}. The verdict is about {about}, and "
        f"undecided where the A/A difference is larger.{f' {found.note}' if found.note else ''}"
    )
