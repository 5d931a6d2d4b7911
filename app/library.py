"""Cached reads of an archive: labelled numbers for the pages, and nothing about how they look.

In what `measurement` returns every measure of the catalogue is a variable of its own, under its
name in addresses: a variable with a threshold or a source has become one variable per place.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeVar, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.schema import BY_QUERY, REFERENCE, ArchiveError
from dva_lens.views.arms import arms
from dva_lens.views.readings import reading

from .catalogue import Catalogue, Choice, Measure, catalogue_of
from .state import EVERY_SPAN, Remembered, Selection

ROWS = "rows"
Result = TypeVar("Result")


class NothingToShowError(LookupError):
    """The archive does not hold what a page asks for; the message says what is missing."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@final
class Library:
    """An archive and what was read of it; the arrays it hands out are in memory and shared."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.catalogue: Catalogue = catalogue_of(archive)
        self._remembered: dict[object, Remembered[Any]] = {}
        self.measurement = lru_cache(maxsize=256)(self._measurement)
        self.history = lru_cache(maxsize=64)(self._history)
        self.by_query_head = lru_cache(maxsize=64)(self._by_query_head)
        self.heads = lru_cache(maxsize=64)(self._heads)
        self.training_or_none = lru_cache(maxsize=64)(self._training_or_none)
        self.display = lru_cache(maxsize=8)(self._display)

    def remembered(self, compute: Callable[["Library", Selection], Result]) -> Remembered[Result]:
        """Return `compute` of this library and a selection, with its results remembered."""
        if compute not in self._remembered:
            self._remembered[compute] = Remembered(partial(compute, self))
        return self._remembered[compute]

    def models(
        self, text: str, keep: Callable[[xr.Dataset], bool] = lambda _: True
    ) -> dict[str, list[xr.Dataset]]:
        """Return the measurements on a text, by model, one per seed, in their order.

        Runs that are not to be kept, and models without any other, are left out.
        """
        choices = [choice for choice in self.catalogue.runs if text in choice.texts]
        if not choices:
            raise NothingToShowError(f"No run was measured on the text “{text}”.")
        found: dict[str, list[xr.Dataset]] = {}
        for choice in choices:
            held = self.measurement(choice.name, text)
            if keep(held):
                found.setdefault(choice.model, []).append(held)
        return found

    def as_kept(self, run: str, text: str) -> xr.Dataset:
        """Return the variables of a run on a text after its last training step."""
        opened = self._statistics(run, text)
        if axes.STEP in opened.dims:
            opened = opened.isel({axes.STEP: -1})
        return opened.load()

    def histories(self, text: str, measure: str) -> dict[str, list[xr.Dataset]]:
        """Return what was measured during training, by model, where a measure was."""
        found: dict[str, list[xr.Dataset]] = {}
        for choice in self.catalogue.runs:
            held = self.history(choice.name, text) if text in choice.texts else None
            if held is not None and measure in held:
                found.setdefault(choice.model, []).append(held)
        if not found:
            raise NothingToShowError(
                f"Nothing was measured on “{text}” during training, only after it; "
                f"choose another text."
            )
        return found

    def _measurement(self, run: str, text: str) -> xr.Dataset:
        """Return the measures of a run on a text after its last training step."""
        return self._by_measure(self.as_kept(run, text))

    def _history(self, run: str, text: str) -> xr.Dataset | None:
        """Return the measures of a run at every training step, or None where there is but one."""
        opened = self._statistics(run, text)
        if opened.sizes.get(axes.STEP, 1) < 2:
            return None
        return self._by_measure(opened.load())

    def _statistics(self, run: str, text: str) -> xr.Dataset:
        opened = self._opened(run, text)
        kept = [name for name in opened.data_vars if not str(name).endswith(BY_QUERY)]
        return opened[kept].drop_vars(["token"], errors="ignore")

    def _by_measure(self, held: xr.Dataset) -> xr.Dataset:
        """Give every measure of the catalogue a variable of its own name."""
        found = {}
        for measure in self.catalogue.measures:
            if measure.variable not in held:
                continue
            for variable, name in (
                (measure.variable, measure.name),
                (measure.variable + REFERENCE, measure.name + REFERENCE),
            ):
                if variable in held:
                    values = held[variable]
                    extra = {k: v for k, v in measure.extra.items() if k in values.dims}
                    values = values.sel(extra).drop_vars(list(extra)) if extra else values
                    found[name] = values.assign_attrs(long_name=measure.long_name)
        rows = {ROWS: held[ROWS]} if ROWS in held else {}
        extra_dims = [dim for dim in (axes.THRESHOLD, axes.SOURCE) if dim in held.coords]
        coords = held.drop_vars(extra_dims).coords
        return self._at_every_span(xr.Dataset({**rows, **found}, coords=coords, attrs=held.attrs))

    def _at_every_span(self, held: xr.Dataset) -> xr.Dataset:
        """Give a run all spans; those that its texts are too short for are empty."""
        spans = list(self.catalogue.spans)
        if axes.SPAN not in held.dims or list(held[axes.SPAN].values) == spans:
            return held
        wider = held.reindex({axes.SPAN: spans})
        return wider.assign({ROWS: wider[ROWS].fillna(0)})

    def _by_query_head(self, run: str, text: str) -> xr.Dataset:
        """Return the measures of a run, what is per key-value head once per head that reads it."""
        held = self.measurement(run, text)
        groups = held.sizes.get(axes.KV_HEAD, 0)
        if not groups:
            return held
        heads = self.catalogue.run(run).heads
        readers = np.repeat(np.arange(groups), max(1, heads // groups))
        shared = [name for name in held.data_vars if axes.KV_HEAD in held[name].dims]
        spread = held[shared].isel({axes.KV_HEAD: readers}).drop_vars(axes.KV_HEAD)
        spread = spread.rename({axes.KV_HEAD: axes.HEAD})
        rest = held.drop_vars([*shared, axes.KV_HEAD])
        return rest.assign({name: spread[name] for name in shared})

    def _heads(self, run: str, text: str, span: int) -> xr.Dataset:
        """Return every per-head measure over (layer, head), averaged over sequences."""
        held = self.by_query_head(run, text)
        found = {}
        for measure in self.catalogue.head_measures:
            if measure.name in held:
                (arm,) = arms(held, measure.name)
                read = reading(
                    arm, measure.name, (axes.LAYER, axes.HEAD), spans=spans_of(measure, span)
                )
                attrs = held[measure.name].attrs
                found[measure.name] = ((axes.LAYER, axes.HEAD), read.value, attrs)
        if not found:
            raise NothingToShowError(
                f"{run} has no measure that differs between heads on “{text}”."
            )
        return xr.Dataset(found, attrs=held.attrs)

    def _training_or_none(self, run: str) -> xr.Dataset | None:
        """Return the training log of a run, or None where it kept none."""
        choice = self.catalogue.run(run)
        try:
            return self.archive.training(self.archive.run(choice.key)).load()
        except ArchiveError:
            return None

    def _display(self, run: str, text: str) -> xr.Dataset:
        """Return the tokens and per-query variables of the sequences kept for display."""
        opened = self._opened(run, text)
        kept = [str(name) for name in opened.data_vars if str(name).endswith(BY_QUERY)]
        if not kept or "token" not in opened:
            raise NothingToShowError(
                f"{run} kept no single tokens on “{text}”; measure with keep='query' to see them."
            )
        texts = {name: opened[name] for name in (axes.LENGTH, axes.DOCUMENT)}
        return opened[[*kept, "token"]].assign_coords(texts).load()

    def _opened(self, run: str, text: str) -> xr.Dataset:
        choice: Choice = self.catalogue.run(run)
        if text not in choice.texts:
            raise NothingToShowError(
                f"{run} was not measured on the text “{text}”, but on: {', '.join(choice.texts)}."
            )
        try:
            return self.archive.dataset(self.archive.run(choice.key), text)
        except ArchiveError as error:
            raise NothingToShowError(str(error)) from error


def spans_of(measure: Measure, span: int) -> list[int] | None:
    """Return the spans a view averages over: the chosen one, or None for all."""
    return [span] if measure.spans and span != EVERY_SPAN else None
