"""What an archive lets a reader choose: built from its metadata, and knowing no model by name.

Every address is checked against it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.outline import Outline
from dva_lens.results.runs import Run
from dva_lens.results.schema import DIMENSIONS, ArchiveError
from dva_lens.results.spans import ROWS
from dva_lens.statistics.statistic import Place

PUBLISHED_THRESHOLD = 0.3
NO_MODELS = (
    "There is no model to run: this archive kept no checkpoints. Name a model when you start the "
    "explorer, such as `dva-lens explore DIR --model gpt2`."
)
Offer = Literal["layers", "heads", "queries"]


@final
@dataclass(frozen=True)
class Choice:
    """One measured run: `key` is its name in the archive and `name` its name in addresses."""

    key: str
    name: str
    model: str
    seed: int
    layers: int
    heads: int
    texts: tuple[str, ...]


NO_RUN = Choice("", "", "", seed=0, layers=1, heads=1, texts=())
"""What is chosen where nothing has been measured yet."""


@final
@dataclass(frozen=True)
class Measure:
    """One number a page can show: a variable of the archive, at one place of its extra dimension.

    `name` is what addresses say: the variable, and after a dot the place of its extra dimension.
    `long_name` says the place as well, `variable_name` does not.
    """

    name: str
    variable: str
    at: Place
    long_name: str
    variable_name: str
    units: str
    meaning: str = ""
    formula: str = ""
    source: str = ""
    pitfalls: str = ""
    why_no_reference: str = ""
    extra: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def per_head(self) -> bool:
        """Say whether heads differ in it."""
        return self.at in ("query", "head", "kv_head")

    @property
    def spans(self) -> bool:
        """Say whether it is kept by the number of visible keys."""
        return self.at == "query"

    @property
    def label(self) -> str:
        """Return its name and units as an axis says them."""
        bare = self.units in ("", "1")
        return self.long_name if bare else f"{self.long_name} [{self.units}]"


@final
@dataclass(frozen=True)
class Catalogue:
    """Runs, texts, measures and spans of one archive, in the order in which menus show them.

    `models` are those that can be run on a typed text; `why_no_live` says why nothing can.
    Without an archive there are no runs until a text has been run.
    """

    runs: tuple[Choice, ...]
    texts: tuple[str, ...]
    measures: tuple[Measure, ...]
    spans: tuple[int, ...]
    refused: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    why_no_live: str = ""

    def run(self, name: str) -> Choice:
        """Return the run of a name, or the first one; where there is none, one of no name."""
        first = self.runs[0] if self.runs else NO_RUN
        return next((run for run in self.runs if run.name == name), first)

    @property
    def first_runs(self) -> Mapping[str, str]:
        """Return the name of the first run of every model, in the order of the runs."""
        found: dict[str, str] = {}
        for run in self.runs:
            found.setdefault(run.model, run.name)
        return found

    def measure(self, name: str) -> Measure:
        """Return the measure of a name, or the first one."""
        return next((found for found in self.measures if found.name == name), self.measures[0])

    @property
    def head_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which heads differ."""
        return tuple(found for found in self.measures if found.per_head)

    @property
    def query_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which the queries of a text differ."""
        return tuple(found for found in self.measures if found.at == "query")

    def offered(self, to: Offer) -> tuple[Measure, ...]:
        """Return the measures that a page about layers, heads or queries can show."""
        if to == "layers":
            return self.layer_measures
        return self.head_measures if to == "heads" else self.query_measures

    @property
    def layer_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which layers differ."""
        return tuple(found for found in self.measures if found.at != "model")


@final
@dataclass
class _Draft:
    runs: list[Choice] = field(default_factory=list)
    texts: dict[str, None] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    spans: set[int] = field(default_factory=set)


def catalogue_of(
    archive: Archive, models: tuple[str, ...] = (), *, why_no_live: str = ""
) -> Catalogue:
    """Return what an archive offers; runs that cannot be read are left out.

    Raises
    ------
    ArchiveError
        No run of the archive can be read.
    """
    draft, refused = _Draft(), []
    names = _names(archive.runs)
    for run in archive.runs:
        try:
            _add(draft, archive, run, name=names[run.key])
        except ArchiveError as error:
            refused.append(str(error))
    if archive.runs and not draft.runs:
        raise ArchiveError(f"{archive.folder} holds no measured run. {' '.join(refused)}".rstrip())
    return Catalogue(
        runs=tuple(draft.runs),
        texts=tuple(draft.texts),
        measures=tuple(draft.measures.values()),
        spans=tuple(sorted(draft.spans)),
        refused=(*archive.unreadable.values(), *refused),
        models=models,
        why_no_live=why_no_live or ("" if any(models) else NO_MODELS),
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
    texts = archive.texts_of(run)
    if not texts:
        raise ArchiveError(f"Run {run.label} was measured on no text.")
    opened = archive.outline(run, texts[0])
    for measure in _measures(opened):
        draft.measures.setdefault(measure.name, measure)
    draft.spans.update(_spans(opened))
    draft.texts.update(dict.fromkeys(texts))
    draft.runs.append(
        Choice(
            key=run.key,
            name=name,
            model=run.model,
            seed=run.seed,
            layers=opened.sizes.get(axes.LAYER, 1),
            heads=opened.sizes.get(axes.HEAD, 1),
            texts=texts,
        )
    )


def _measures(opened: Outline) -> Iterator[Measure]:
    for variable in opened.statistics:
        values = opened.variables[variable]
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
    variable: str, title: str, opened: Outline, extra: list[str]
) -> Iterator[tuple[str, str, dict[str, float | str]]]:
    """List the numbers of a variable with a further dimension: one threshold, every source."""
    if not extra:
        yield variable, title, {}
        return
    for dim in extra[:1]:
        places = opened.values(dim)
        if dim == axes.THRESHOLD:
            nearest = float(places[np.abs(places - PUBLISHED_THRESHOLD).argmin()])
            yield variable, f"{title} ({dim} {nearest:g})", {dim: nearest}
            continue
        for place in places:
            found = place.item() if isinstance(place, np.generic) else place
            yield f"{variable}.{found}", f"{title} ({found})", {dim: found}


def _spans(opened: Outline) -> Iterator[int]:
    """List the spans that hold any query."""
    held = opened.variables.get(ROWS)
    if held is None:
        return
    counts = opened.values(ROWS).max(held.dims.index(axes.SEQUENCE))
    for span, rows in zip(opened.values(axes.SPAN), counts, strict=True):
        if rows > 0:
            yield int(span)
