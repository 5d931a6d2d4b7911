"""`dva-lens compare`: every model of an archive against one of them."""

from itertools import product
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
CONTRASTS = {
    "middle half": "mean over the middle half of the layers",
    "slope": "change from the first to the last layer, by a line",
}


def compare(  # noqa: PLR0913 - one argument per option
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    *,
    baseline: Annotated[str, typer.Option(help="The preset all others are compared with.")],
    statistic: Annotated[
        list[str] | None, typer.Option(help="A statistic; give it again for more.")
    ] = None,
    probe: Annotated[str | None, typer.Option(help="The text; the main one unless told.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="YAML file of claims to hold against the data.")
    ] = None,
    power: Annotated[
        bool, typer.Option("--power", help="Say what difference would have been found.")
    ] = False,
    heads: Annotated[
        bool, typer.Option("--heads", help="Compare all heads as collections of numbers too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for contrasts.csv, and layers.csv to explore.")
    ] = None,
) -> None:
    """Compare models with a baseline: differences, intervals, and what may be said of them.

    Example: dva-lens compare runs/quick --baseline transformer
    """
    from dva_lens.cli.claims import read_claims, show_verdicts
    from dva_lens.cli.contrasts import describe, sensitivity, write_tables
    from dva_lens.cli.heads import show_heads
    from dva_lens.statistics.inference.compare import adjust
    from dva_lens.store.archive import open_archive

    archive = open_archive(folder)
    claims = None if plan is None else read_claims(plan)
    names = statistic or (
        DEFAULT if claims is None else dict.fromkeys(c.statistic for c in claims)
    )
    arms = {name: profiles(archive, name, baseline=baseline, probe=probe) for name in names}
    found = adjust([entry for name in names for entry in comparisons(name, *arms[name], baseline)])
    typer.echo(f"Difference from {baseline}, [95 %], p by Holm over {len(found)} contrasts")
    for name, (contrast, words) in product(names, CONTRASTS.items()):
        typer.echo(f"\n{name}, {words}")
        for entry in found:
            if (entry.statistic, entry.contrast) == (name, contrast):
                typer.echo(f"  {describe(entry)}")
                if power:
                    typer.echo(f"  {sensitivity(entry)}")
    if heads:
        show_heads(archive, names, baseline=baseline, probe=probe)
    if claims is not None:
        show_verdicts(claims, found)
    if out is not None:
        write_tables(out, found, arms, baseline)


def comparisons(
    statistic: str, arms: dict[str, np.ndarray], documents: list[str], baseline: str
) -> tuple["Comparison", ...]:
    """Compare all presets with one of them, on the texts they share."""
    from dva_lens.statistics.inference.compare import compare as over_depth

    return over_depth(statistic, arms, documents, baseline=baseline, contrasts=tuple(CONTRASTS))


def profiles(
    archive: "Archive", statistic: str, *, baseline: str, probe: str | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a statistic over (seed, sequence, layer) for every preset, and the documents."""
    from dva_lens.statistics.table import statistic as find

    find(statistic)
    presets = dict.fromkeys(run.preset for run in archive.runs)
    if baseline not in presets:
        raise ValueError(
            f"No model {baseline!r} in {archive.folder}; it has: {', '.join(presets)}."
        )
    held: dict[str, list[np.ndarray]] = {preset: [] for preset in presets}
    documents: list[str] | None = None
    for run in archive.runs:
        values, texts = profile(archive, run.label, statistic, probe)
        if documents is not None and texts != documents:
            raise ValueError(
                f"{run.label} was measured on other texts than {archive.runs[0].label}; compare "
                f"models of one study."
            )
        documents = texts
        held[run.preset].append(values)
    return {preset: np.stack(values) for preset, values in held.items()}, documents or []


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
