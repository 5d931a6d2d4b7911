"""Measurements for the pages, read by `dva_lens.results` once, and nothing about how they look.

A page asks for measurements of a text (`on`, `history`) or of one run (`of_run`) in which every
measure of the catalogue is a variable under its name in addresses: a variable with a threshold or
a source has become one variable per place. All averaging is done by results.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, TypeVar, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.edges import WITHOUT, edged_sequences, edges_of_head, edges_of_layer
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.measurement import Measurement
from dva_lens.results.moments import Moment
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import DOCUMENT_HASH, REFERENCE, TOKENS_HASH
from dva_lens.results.spans import ROWS, ROWS_BY_LAYER

from .catalogue import Catalogue, Measure, catalogue_of
from .state import EVERY_SPAN, Remembered, Selection

Result = TypeVar("Result")
LAYERS = 32
"""Of how many layers edges stay in memory, all heads of each."""
CACHED = 1024
"""How many results of a function stay in memory that pages compute of a library."""


class NothingToShowError(LookupError):
    """The archive does not hold what a page asks for; the message says what is missing."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@final
class Library:
    """An archive and what was read of it; the arrays it hands out are in memory and shared."""

    def __init__(
        self, archive: Archive, models: tuple[str, ...] = (), *, why_no_live: str = ""
    ) -> None:
        self.archive = archive
        self.catalogue: Catalogue = catalogue_of(archive, models, why_no_live=why_no_live)
        self._remembered: dict[object, Remembered[Any]] = {}
        self._cached: dict[object, Callable[..., Any]] = {}
        self.on = lru_cache(maxsize=16)(self._on)
        self.of_run = lru_cache(maxsize=256)(self._of_run)
        self.history = lru_cache(maxsize=16)(self._history)
        self.by_head = lru_cache(maxsize=1024)(self._by_head)
        self.by_span = lru_cache(maxsize=64)(self._by_span)
        self.level = lru_cache(maxsize=1024)(self._level)
        self.dataset = lru_cache(maxsize=64)(self._dataset)
        self.display = lru_cache(maxsize=8)(self._display)
        self.edges = lru_cache(maxsize=256)(self._edges)
        self._edges_of_layer = lru_cache(maxsize=LAYERS)(self._read_edges)
        self.trainings = lru_cache(maxsize=16)(archive.trainings)

    def remembered(self, compute: Callable[["Library", Selection], Result]) -> Remembered[Result]:
        """Return `compute` of this library and a selection, with its results remembered."""
        if compute not in self._remembered:
            self._remembered[compute] = Remembered(partial(compute, self))
        return self._remembered[compute]

    def cached(self, compute: Callable[..., Result]) -> Callable[..., Result]:
        """Return `compute` of this library; its last results stay as long as the library does."""
        if compute not in self._cached:
            self._cached[compute] = lru_cache(maxsize=CACHED)(partial(compute, self))
        return self._cached[compute]

    def as_measured(self, text: str) -> Measurements:
        """Return the measurements of all runs on a text, as results read them.

        Raises
        ------
        NothingToShowError
            No run was measured on the text.
        """
        if text not in self.archive.texts:
            raise NothingToShowError(f"No run was measured on the text “{text}”.")
        return self.archive.on(text)

    def holding(self, text: str, measure: Measure) -> Measurements:
        """Return the measurements on a text of the runs that hold a measure.

        Raises
        ------
        NothingToShowError
            There is none.
        """
        found = self.on(text).holding(measure.name)
        if not found.parts:
            raise NothingToShowError(f"No run holds {measure.long_name.lower()} on “{text}”.")
        return found

    def _on(self, text: str) -> Measurements:
        """Return the measures of all runs on a text, at the last step that they share."""
        found = self.as_measured(text)
        moment = found.moment()
        parts = [replace(part, data=self._by_measure(part.data, moment)) for part in found.parts]
        return Measurements(tuple(parts), text, found.left_out)

    def _history(self, text: str) -> Measurements:
        """Return the measures of the runs that were measured on a text during training."""
        found = self.as_measured(text)
        parts = [
            replace(part, data=self._by_measure(part.data, None))
            for part in found.parts
            if part.data.sizes.get(axes.STEP, 1) > 1
        ]
        if not parts:
            raise NothingToShowError(
                f"Nothing was measured on “{text}” during training, only after it; "
                f"choose another text."
            )
        return Measurements(tuple(parts), text)

    def _dataset(self, run: str, text: str) -> xr.Dataset:
        """Return what was measured of one run on a text, opened once and read where needed."""
        found = self.archive.run(self.catalogue.run(run).key)
        own = [part.data for part in self.as_measured(text).parts if part.label == found.label]
        return own[0] if len(own) == 1 else self.archive.dataset(found, text)

    def _of_run(self, run: str, text: str) -> Measurements:
        """Return the measures of one run on a text, per query head where heads differ."""
        choice = self.catalogue.run(run)
        if text not in choice.texts:
            raise NothingToShowError(
                f"{run} was not measured on the text “{text}”, but on: {', '.join(choice.texts)}."
            )
        data = self.dataset(run, text)
        held = self._by_measure(data, self.as_measured(text).moment())
        part = Measurement(run, choice.seed, run, self._by_query_head(held, choice.heads))
        return Measurements((part,), text)

    def kept(self, run: str, text: str) -> Measurements:
        """Return what was measured of one run on a text, under the names of the archive."""
        part = self.of_run(run, text).parts[0]
        return Measurements((replace(part, data=self.dataset(run, text)),), text)

    def _by_head(self, run: str, text: str, measure: str, span: int) -> xr.DataArray | None:
        """Return a measure over (layer, head), averaged over sequences, or None if not held."""
        known = self.catalogue.measure(measure)
        found = self.of_run(run, text).holding(measure)
        if not found.parts or not known.per_head:
            return None
        spans = spans_of(known, span) or "all"
        values = found.values(measure, spans=spans)
        return mean_of(values, (axes.LAYER, axes.HEAD))

    def _by_span(self, run: str, text: str, measure: str) -> xr.Dataset:
        """Return estimates of a measure over (layer, head, span), and `uniform` if there is any.

        All heads are estimated at once, so that choosing another head estimates nothing.
        """
        held = self.of_run(run, text)
        values = held.values(measure, spans="each")
        found = estimate(values, (axes.LAYER, axes.HEAD, axes.SPAN)).isel({axes.MODEL: 0})
        level = held.reference(measure, spans="each")
        if level is None:
            return found
        return found.assign(uniform=mean_of(level, (axes.LAYER, axes.SPAN)))

    def _level(self, run: str, text: str, measure: str, span: int) -> float:
        """Return what a measure of a run reads on uniform attention, or NaN."""
        spans = spans_of(self.catalogue.measure(measure), span) or "all"
        level = self.of_run(run, text).reference(measure, spans=spans)
        return float("nan") if level is None else float(mean_of(level))

    def _by_measure(self, held: xr.Dataset, moment: Moment | None) -> xr.Dataset:
        """Give every measure of the catalogue a variable of its own name, at a moment or all."""
        found = {}
        for measure in self.catalogue.measures:
            for suffix in ("", REFERENCE):
                if measure.variable + suffix in held:
                    values = held[measure.variable + suffix]
                    extra = {k: v for k, v in measure.extra.items() if k in values.dims}
                    values = values.sel(extra).drop_vars(list(extra)) if extra else values
                    found[measure.name + suffix] = values.assign_attrs(long_name=measure.long_name)
        found |= {name: held[name] for name in (ROWS, ROWS_BY_LAYER) if name in held}
        if moment is not None:
            found = {name: moment.select(values) for name, values in found.items()}
        known = {name: held[name] for name in _ABOUT_TEXTS if name in held.variables}
        return xr.Dataset(found, attrs=held.attrs).assign_coords(known).load()

    def _by_query_head(self, held: xr.Dataset, heads: int) -> xr.Dataset:
        """Repeat what is per key-value head for every head that reads it."""
        groups = held.sizes.get(axes.KV_HEAD, 0)
        if not groups:
            return held
        readers = np.repeat(np.arange(groups), max(1, heads // groups))
        shared = [name for name in held.data_vars if axes.KV_HEAD in held[name].dims]
        spread = held[shared].isel({axes.KV_HEAD: readers}).drop_vars(axes.KV_HEAD)
        spread = spread.rename({axes.KV_HEAD: axes.HEAD}).assign_coords({axes.HEAD: range(heads)})
        rest = held.drop_vars([*shared, axes.KV_HEAD])
        spread = spread.assign({name: spread[name].assign_attrs(at="head") for name in shared})
        return rest.assign({name: spread[name] for name in shared})

    def _display(self, run: str, text: str) -> xr.Dataset:
        """Return the tokens and per-query variables of the sequences kept for display."""
        return self.archive.display(self.archive.run(self.catalogue.run(run).key), text)

    def _edges(self, run: str, text: str, layer: int, head: int, sequence: int) -> xr.Dataset:
        """Return where the queries of one display text look in one head.

        Raises
        ------
        NothingToShowError
            The edges of this text were not kept, or the run was not measured on it.
        """
        return edges_of_head(self._edges_of_layer(run, text, layer, sequence), head)

    def _read_edges(self, run: str, text: str, layer: int, sequence: int) -> xr.Dataset:
        """Read where the queries of one display text look in all heads of a layer."""
        return edges_of_layer(self.edged(run, text, sequence), layer, sequence=sequence)

    def edged(self, run: str, text: str, sequence: int) -> xr.Dataset:
        """Return what was measured of a run on a text, where edges of the sequence were kept.

        Raises
        ------
        NothingToShowError
            The edges of this text were not kept, or the run was not measured on it.
        """
        choice = self.catalogue.run(run)
        if text not in choice.texts:
            raise NothingToShowError(f"{run} was not measured on the text “{text}”.")
        held = self.dataset(run, text)
        count = edged_sequences(held)
        if not count:
            raise NothingToShowError(WITHOUT)
        if sequence >= count:
            which = "sequence 0" if count == 1 else f"sequences 0 to {count - 1}"
            raise NothingToShowError(
                f"Edges were kept of {which}; choose one of these to see where tokens look, or "
                f"measure again with more room (`--edges 64MiB`)."
            )
        return held


_ABOUT_TEXTS = (axes.DOCUMENT, axes.LENGTH, DOCUMENT_HASH, TOKENS_HASH)


def spans_of(measure: Measure, span: int) -> list[int] | None:
    """Return the spans a view averages over: the chosen one, or None for all."""
    return [span] if measure.spans and span != EVERY_SPAN else None
