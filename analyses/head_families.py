"""Are there families of heads, and do value paths change which families a model has?

Every head is a profile: how concentrated it is, what it gives the first key, what the first key
writes, whether the value there is drained, and further scores where they were measured. Profiles
of all models are divided by Ward's method; a division counts where it is found again from other
trainings, more so than in a single cloud. How far heads look is shown where edges were kept.

    python -m dva_lens.analyses.head_families runs/quick --out heads.html
"""

import sys
from collections.abc import Sequence

import numpy as np

from dva_lens.reports.facts import definition, facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, DataTable, Part, Points, Report, Section
from dva_lens.reports.seeds import HOW, seeds_in_words
from dva_lens.results.archive import Archive
from dva_lens.results.distances import BINS, DistanceProfile, distances
from dva_lens.results.head_profiles import FEATURES, HeadProfiles, head_profiles
from dva_lens.results.schema import ArchiveError
from dva_lens.statistics.inference.families import FEWEST_STABLE, Families, families, standardised
from dva_lens.views.words import listed, number, shown, spelled

from .archive_question import answered

QUESTION = "Are there families of heads, and do value paths change which families a model has?"
SHARE = (0.0, 1.0)
FEWEST = 3
CLEAR = 0.5
"""A family differs in a feature where its mean is so many standard deviations away."""


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive holds too few statistics of heads, or too few heads.
    """
    material = gather(archive)
    held = [name for name in FEATURES if name in material.statistics]
    if len(held) < FEWEST:
        raise ArchiveError(
            f"{archive.folder} holds fewer than three statistics of heads; measure it again with "
            f"the primary statistics."
        )
    profiles = head_profiles(material.measurements, held)
    try:
        found = families(profiles.comparable, _units(profiles))
    except ValueError as error:
        raise ArchiveError(f"{archive.folder} has no families of heads. {error}") from error
    parts: list[Part] = [_answer(profiles, found, material), _stability(found)]
    if found.count > 1:
        parts[1:1] = [_families(profiles, found, material), _models(profiles, found, material)]
    distance = _distances(archive, material)
    return Report(
        title="Families of heads",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", tuple(parts)),
            *([Section("distance", "How far heads look", (distance,))] if distance else []),
            Section("definitions", "Definitions", tuple(definition(material, n) for n in held)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("head_families", __doc__, report, arguments)


def _units(profiles: HeadProfiles) -> np.ndarray:
    """Return what is resampled: trainings, or heads where there are few trainings."""
    several = len(np.unique(profiles.training)) > 2
    return profiles.training if several else np.arange(len(profiles.training))


def _answer(profiles: HeadProfiles, found: Families, material: Material) -> Points:
    heads = number(len(found.labels), "head")
    if found.count == 1:
        best = int(found.stability.argmax())
        words = (
            f"no division of {heads} is found again well enough from other trainings; the best, "
            f"into {spelled(found.counts[best], 'group')}, has an adjusted Rand index of "
            f"{shown(float(found.stability[best]))}, where {FEWEST_STABLE} is asked for and a "
            f"single cloud reaches {shown(float(found.chance[best]))}."
        )
        return Points((("Families:", words),))
    at = found.counts.index(found.count)
    said = [
        (
            "Families:",
            f"{heads} fall into {spelled(found.count, 'group')}, "
            f"found again from other trainings with an adjusted Rand index of "
            f"{shown(float(found.stability[at]))}; a single cloud reaches "
            f"{shown(float(found.chance[at]))}.",
        )
    ]
    for family in range(found.count):
        traits = _traits(profiles, found, family, material)
        said.append((f"Family {family + 1}:", f"{traits or 'close to the mean of all heads'}."))
    return Points(tuple(said))


def _traits(profiles: HeadProfiles, found: Families, family: int, material: Material) -> str:
    """Say in which features a family is far from the mean of all heads, the clearest first."""
    values = profiles.comparable
    varies = [at for at in range(values.shape[1]) if np.ptp(values[:, at]) > 0]
    away = standardised(values[:, varies])[found.labels == family].mean(0)
    order = np.argsort(-np.abs(away))[:4]
    said = [
        f"{_title(material, profiles.features[varies[at]])} "
        f"{'above' if away[at] > 0 else 'below'} the mean by {abs(away[at]):.1f} deviations"
        for at in order
        if abs(away[at]) >= CLEAR
    ]
    return listed(said)


def _title(material: Material, name: str) -> str:
    title = str(material.variable(name).attrs["long_name"])
    return f"{title[:1].lower()}{title[1:]}"


def _families(profiles: HeadProfiles, found: Families, material: Material) -> DataTable:
    rows: list[dict[str, Cell]] = []
    for family in range(found.count):
        own = profiles.values[found.labels == family]
        layers = profiles.layer[found.labels == family]
        row: dict[str, Cell] = {"family": family + 1, "heads": len(own)}
        row["mean layer"] = float(layers.mean())
        means = own.mean(0).tolist()
        row |= {
            _title(material, name): mean
            for name, mean in zip(profiles.features, means, strict=True)
        }
        rows.append(row)
    return DataTable.of(
        "families", "What families read", rows, "Means over the heads of a family."
    )


def _models(profiles: HeadProfiles, found: Families, material: Material) -> DataTable:
    rows: list[dict[str, Cell]] = []
    for model in material.models:
        own = profiles.model == model
        trainings = np.unique(profiles.training[own])
        row: dict[str, Cell] = {"model": model}
        for family in range(found.count):
            shares = [
                float((found.labels[own & (profiles.training == one)] == family).mean())
                for one in trainings
            ]
            row[f"family {family + 1}"] = seeds_in_words(shares, within=SHARE)
        rows.append(row)
    return DataTable.of("families-of-models", "Share of the heads of each model", rows, HOW)


def _stability(found: Families) -> DataTable:
    rows: list[dict[str, Cell]] = [
        {"families": count, "found again": float(one), "in a single cloud": float(chance)}
        for count, one, chance in zip(found.counts, found.stability, found.chance, strict=True)
    ]
    caption = (
        "Mean adjusted Rand index between the division and those of resampled trainings (of "
        "resampled heads, where there are fewer than three trainings); the largest mean that "
        "profiles from one normal cloud with the same correlations gave. The largest number of "
        "families is taken whose stability is within 0.02 of the best, if that is 0.7 or more and "
        "above chance."
    )
    return DataTable.of("stability", "Is a division stable?", rows, caption)


def _distances(archive: Archive, material: Material) -> DataTable | None:
    """Return the weight by distance of the models that keep edges, None where none does."""
    held = distances(archive, material.text)
    if not held:
        return None
    rows: list[dict[str, Cell]] = [
        {"model": model, **_row([each for each in held if each.model == model])}
        for model in dict.fromkeys(each.model for each in held)
    ]
    rows.append({"model": "uniform attention", "trainings": None, **_cells(held[0].uniform)})
    caption = (
        "Weight on keys so many tokens back, on the texts whose edges were kept, over queries "
        "that see at least 16 keys; mean over heads and layers, with 95 % intervals over seeds "
        "where three trainings or more keep edges. Not listed: on keys whose edges were not kept."
    )
    return DataTable.of("weight-by-distance", "Weight by distance", rows, caption)


def _row(own: Sequence[DistanceProfile]) -> dict[str, Cell]:
    """Return the weight in each bin over the trainings of one model."""
    means = np.stack([each.weight.mean((0, 1)) for each in own])
    if len(own) == 1:
        return {"trainings": "single run", **_cells(means[0])}
    each = [seeds_in_words(column, within=SHARE) for column in means.T]
    return {"trainings": len(own), **dict(zip(BINS, each, strict=True))}


def _cells(numbers: np.ndarray) -> dict[str, Cell]:
    return {name: shown(float(one)) for name, one in zip(BINS, numbers, strict=True)}


if __name__ == "__main__":
    sys.exit(main())
