"""Cached reads of an archive: labelled numbers for the pages, and nothing about how they look.

In what `measurement` returns every measure of the menu is a variable of its own, under its name
in addresses: a variable with a threshold or a source has become one variable per place.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.schema import BY_QUERY, REFERENCE, ArchiveError
from dva_lens.views.arms import arms
from dva_lens.views.readings import reading

from .menu import Choice, Measure, Menu
from .menus import menu_of
from .selection import EVERY_SPAN

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
        self.menu: Menu = menu_of(archive)
        self._answers: dict[tuple[object, ...], Any] = {}
        self.measurement = lru_cache(maxsize=256)(self._measurement)
        self.history = lru_cache(maxsize=64)(self._history)
        self.by_query_head = lru_cache(maxsize=64)(self._by_query_head)
        self.heads = lru_cache(maxsize=64)(self._heads)
        self.training_or_none = lru_cache(maxsize=64)(self._training_or_none)
        self.display = lru_cache(maxsize=8)(self._display)

    def remembered(self, compute: Callable[..., Result], *what: str | int) -> Result:
        """Return `compute(self, *what)`, computed once."""
        key = (compute, what)
        if key not in self._answers:
            self._answers[key] = compute(self, *what)
        return self._answers[key]

    def models(
        self, probe: str, keep: Callable[[xr.Dataset], bool] = lambda _: True
    ) -> dict[str, list[xr.Dataset]]:
        """Return the measurements on a text, by model, one per seed, in the order of the menu.

        Runs that are not to be kept, and models without any other, are left out.
        """
        choices = [choice for choice in self.menu.runs if probe in choice.probes]
        if not choices:
            raise NothingToShowError(f"No run was measured on the text “{probe}”.")
        found: dict[str, list[xr.Dataset]] = {}
        for choice in choices:
            held = self.measurement(choice.name, probe)
            if keep(held):
                found.setdefault(choice.model, []).append(held)
        return found

    def as_kept(self, run: str, probe: str) -> xr.Dataset:
        """Return the variables of a run on a text after its last training step."""
        opened = self._statistics(run, probe)
        if axes.STEP in opened.dims:
            opened = opened.isel({axes.STEP: -1})
        return opened.load()

    def histories(self, probe: str, measure: str) -> dict[str, list[xr.Dataset]]:
        """Return what was measured during training, by model, where a measure was."""
        found: dict[str, list[xr.Dataset]] = {}
        for choice in self.menu.runs:
            held = self.history(choice.name, probe) if probe in choice.probes else None
            if held is not None and measure in held:
                found.setdefault(choice.model, []).append(held)
        if not found:
            raise NothingToShowError(
                f"Nothing was measured on “{probe}” during training, only after it; "
                f"choose another text."
            )
        return found

    def _measurement(self, run: str, probe: str) -> xr.Dataset:
        """Return the measures of a run on a text after its last training step."""
        return self._by_measure(self.as_kept(run, probe))

    def _history(self, run: str, probe: str) -> xr.Dataset | None:
        """Return the measures of a run at every training step, or None where there is but one."""
        opened = self._statistics(run, probe)
        if opened.sizes.get(axes.STEP, 1) < 2:
            return None
        return self._by_measure(opened.load())

    def _statistics(self, run: str, probe: str) -> xr.Dataset:
        opened = self._opened(run, probe)
        kept = [name for name in opened.data_vars if not str(name).endswith(BY_QUERY)]
        return opened[kept].drop_vars(["token"], errors="ignore")

    def _by_measure(self, held: xr.Dataset) -> xr.Dataset:
        """Give every measure of the menu a variable of its own name."""
        found = {}
        for measure in self.menu.measures:
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
        """Give a run the spans of the menu; those that its texts are too short for are empty."""
        spans = list(self.menu.spans)
        if axes.SPAN not in held.dims or list(held[axes.SPAN].values) == spans:
            return held
        wider = held.reindex({axes.SPAN: spans})
        return wider.assign({ROWS: wider[ROWS].fillna(0)})

    def _by_query_head(self, run: str, probe: str) -> xr.Dataset:
        """Return the measures of a run, what is per key-value head once per head that reads it."""
        held = self.measurement(run, probe)
        groups = held.sizes.get(axes.KV_HEAD, 0)
        if not groups:
            return held
        heads = self.menu.run(run).heads
        readers = np.repeat(np.arange(groups), max(1, heads // groups))
        shared = [name for name in held.data_vars if axes.KV_HEAD in held[name].dims]
        spread = held[shared].isel({axes.KV_HEAD: readers}).drop_vars(axes.KV_HEAD)
        spread = spread.rename({axes.KV_HEAD: axes.HEAD})
        rest = held.drop_vars([*shared, axes.KV_HEAD])
        return rest.assign({name: spread[name] for name in shared})

    def _heads(self, run: str, probe: str, span: int) -> xr.Dataset:
        """Return every per-head measure as one number per (layer, head), averaged over texts."""
        held = self.by_query_head(run, probe)
        found = {}
        for measure in self.menu.head_measures:
            if measure.name in held:
                (arm,) = arms(held, measure.name)
                read = reading(
                    arm, measure.name, (axes.LAYER, axes.HEAD), spans=spans_of(measure, span)
                )
                attrs = held[measure.name].attrs
                found[measure.name] = ((axes.LAYER, axes.HEAD), read.value, attrs)
        if not found:
            raise NothingToShowError(
                f"{run} has no measure that differs between heads on “{probe}”."
            )
        return xr.Dataset(found, attrs=held.attrs)

    def _training_or_none(self, run: str) -> xr.Dataset | None:
        """Return the training log of a run, or None where it kept none."""
        choice = self.menu.run(run)
        try:
            return self.archive.training(self.archive.run(choice.key)).load()
        except ArchiveError:
            return None

    def _display(self, run: str, probe: str) -> xr.Dataset:
        """Return the tokens and per-query variables of the sequences kept for display."""
        opened = self._opened(run, probe)
        kept = [str(name) for name in opened.data_vars if str(name).endswith(BY_QUERY)]
        if not kept or "token" not in opened:
            raise NothingToShowError(
                f"{run} kept no single tokens on “{probe}”; measure with keep='query' to see them."
            )
        texts = {name: opened[name] for name in (axes.LENGTH, axes.DOCUMENT)}
        return opened[[*kept, "token"]].assign_coords(texts).load()

    def _opened(self, run: str, probe: str) -> xr.Dataset:
        choice: Choice = self.menu.run(run)
        if probe not in choice.probes:
            raise NothingToShowError(
                f"{run} was not measured on the text “{probe}”, but on: "
                f"{', '.join(choice.probes)}."
            )
        try:
            return self.archive.dataset(self.archive.run(choice.key), probe)
        except ArchiveError as error:
            raise NothingToShowError(str(error)) from error


def spans_of(measure: Measure, span: int) -> list[int] | None:
    """Return the spans a view averages over: the chosen one, or None for all."""
    return [span] if measure.spans and span != EVERY_SPAN else None
