"""Build the menu of an archive from its metadata: nothing here knows a model or a statistic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive, Run
from dva_lens.results.schema import DIMENSIONS, ArchiveError, statistics_of

from .menu import Choice, Measure, Menu

PUBLISHED_THRESHOLD = 0.3


@final
@dataclass
class _Draft:
    runs: list[Choice] = field(default_factory=list)
    probes: dict[str, None] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    rows: dict[int, float] = field(default_factory=dict)


def menu_of(archive: Archive) -> Menu:
    """Return what an archive offers; runs that cannot be read are left out."""
    draft, refused = _Draft(), []
    names = _names(archive.runs)
    for run in archive.runs:
        try:
            _add(draft, archive, run, name=names[run.key])
        except ArchiveError as error:
            refused.append(str(error))
    if not draft.runs:
        raise ArchiveError(f"{archive.folder} holds no measured run. {' '.join(refused)}".rstrip())
    return Menu(
        runs=tuple(draft.runs),
        probes=tuple(draft.probes),
        measures=tuple(draft.measures.values()),
        spans=tuple(sorted(draft.rows)),
        usual_span=_usual_span(draft.rows),
        refused=(*archive.unreadable.values(), *refused),
    )


def _names(runs: Iterable[Run]) -> dict[str, str]:
    """Call runs by their labels, or by label and key where two share a label."""
    listed = list(runs)
    labels = [run.label for run in listed]
    return {
        run.key: run.label if labels.count(run.label) == 1 else f"{run.label}.{run.key}"
        for run in listed
    }


def _add(draft: _Draft, archive: Archive, run: Run, *, name: str) -> None:
    probes = archive.probes(run)
    if not probes:
        raise ArchiveError(f"Run {run.label} was measured on no text.")
    opened = archive.dataset(run, probes[0])
    for measure in _measures(opened):
        draft.measures.setdefault(measure.name, measure)
    for span, rows in _rows(opened):
        draft.rows[span] = max(draft.rows.get(span, 0.0), rows)
    draft.probes.update(dict.fromkeys(probes))
    draft.runs.append(
        Choice(
            key=run.key,
            name=name,
            model=run.model,
            seed=run.seed,
            layers=opened.sizes.get(axes.LAYER, 1),
            heads=opened.sizes.get(axes.HEAD, 1),
            probes=probes,
        )
    )


def _measures(opened: xr.Dataset) -> Iterator[Measure]:
    for variable in statistics_of(opened):
        values = opened[variable]
        attrs = values.attrs
        due = {*DIMENSIONS[attrs["at"]], axes.STEP}
        extra = [str(dim) for dim in values.dims if dim not in due]
        about = {
            key: str(attrs.get(key, ""))
            for key in ("units", "meaning", "formula", "source", "pitfalls", "why_no_reference")
        }
        whole = str(attrs["long_name"])
        for name, title, place in _places(variable, whole, opened, extra):
            yield Measure(
                name=name,
                variable=variable,
                at=attrs["at"],
                long_name=title,
                variable_name=whole,
                extra=place,
                **about,
            )


def _places(
    variable: str, title: str, opened: xr.Dataset, extra: list[str]
) -> Iterator[tuple[str, str, dict[str, float | str]]]:
    """List the numbers of a variable with a further dimension: one threshold, every source."""
    if not extra:
        yield variable, title, {}
        return
    for dim in extra[:1]:
        places = opened[dim].values
        if dim == axes.THRESHOLD:
            nearest = float(places[np.abs(places - PUBLISHED_THRESHOLD).argmin()])
            yield variable, f"{title} ({dim} {nearest:g})", {dim: nearest}
            continue
        for place in places:
            found = place.item() if isinstance(place, np.generic) else place
            yield f"{variable}.{found}", f"{title} ({found})", {dim: found}


def _rows(opened: xr.Dataset) -> Iterator[tuple[int, float]]:
    if "rows" not in opened:
        return
    counts = opened["rows"].max(axes.SEQUENCE)
    for span, rows in zip(opened[axes.SPAN].values, counts.values, strict=True):
        if rows > 0:
            yield int(span), float(rows)


def _usual_span(rows: dict[int, float]) -> int:
    """Prefer the longest span that is full: it says most about long contexts, over enough rows."""
    full = [span for span, count in rows.items() if count >= 1 << span]
    return max(full, default=max(rows, default=0))
