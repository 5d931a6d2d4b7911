"""`dva-lens compare`: every model of an archive against one of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

if TYPE_CHECKING:
    from dva_lens.statistics.inference.compare import Comparison
    from dva_lens.store.archive import Archive

DEFAULT = (
    "normalised_entropy",
    "sink_free_entropy",
    "first_key_mass",
    "head_importance_excess",
    "value_drain",
    "dynamism",
)


def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    *,
    baseline: Annotated[str, typer.Option(help="The preset all others are compared with.")],
    statistic: Annotated[
        list[str] | None, typer.Option(help="A statistic; give it again for more.")
    ] = None,
    probe: Annotated[str | None, typer.Option(help="The text; the main one unless told.")] = None,
) -> None:
    """Compare models with a baseline: differences, intervals, and what may be said of them.

    Example: dva-lens compare runs/quick --baseline transformer
    """
    from dva_lens.statistics.inference.compare import adjust
    from dva_lens.store.archive import open_archive

    archive = open_archive(folder)
    found = [
        entry
        for name in statistic or DEFAULT
        for entry in comparisons(archive, name, baseline=baseline, probe=probe)
    ]
    typer.echo(f"Difference from {baseline}, mean over the middle half of the layers, [95 %]")
    for name in dict.fromkeys(entry.statistic for entry in found):
        typer.echo(f"\n{name}")
        for entry in adjust(found):
            if entry.statistic == name:
                typer.echo(f"  {describe(entry)}")


def comparisons(
    archive: "Archive", statistic: str, *, baseline: str, probe: str | None
) -> tuple["Comparison", ...]:
    """Compare all presets of an archive with one of them, on the texts they share."""
    from dva_lens.statistics.inference.compare import compare as over_depth
    from dva_lens.statistics.table import statistic as find

    find(statistic)
    presets = dict.fromkeys(run.preset for run in archive.runs)
    if baseline not in presets:
        raise ValueError(
            f"No model {baseline!r} in {archive.folder}; it has: {', '.join(presets)}."
        )
    profiles: dict[str, list[np.ndarray]] = {preset: [] for preset in presets}
    documents: list[str] | None = None
    for run in archive.runs:
        values, texts = profile(archive, run.label, statistic, probe)
        if documents is not None and texts != documents:
            raise ValueError(
                f"{run.label} was measured on other texts than {archive.runs[0].label}; compare "
                f"models of one study."
            )
        documents = texts
        profiles[run.preset].append(values)
    arms = {preset: np.stack(values) for preset, values in profiles.items()}
    return over_depth(
        statistic, arms, documents or [], baseline=baseline, contrasts=("middle half",)
    )


def profile(
    archive: "Archive", run: str, statistic: str, probe: str | None
) -> tuple[np.ndarray, list[str]]:
    """Return a statistic of a run over (sequence, layer) at the last step, and the documents."""
    from dva_lens.statistics.inference.compare import layer_profile

    data = archive.dataset(run, probe)
    if "step" in data.dims:
        data = data.isel(step=-1)
    if statistic not in data or data[statistic].attrs["at"] == "model":
        raise ValueError(f"{run} holds no {statistic!r} of its layers; choose another statistic.")
    values = data[statistic]
    rows = data["rows"].values if "span" in values.dims else None
    return layer_profile(values.values, rows), [str(name) for name in data["document"].values]


def describe(entry: "Comparison") -> str:
    """Return a comparison as one line: new text, retrained, verdict."""
    text, again = entry.text, entry.retrained
    return (
        f"{entry.arm:<24} {float(text.mean):+.4f} "
        f"new text [{float(text.low):+.4f}, {float(text.high):+.4f}]  "
        f"retrained [{float(again.low):+.4f}, {float(again.high):+.4f}]  {entry.verdict}"
    )
