"""What a figure compares: one condition per label, each made of one run or of one run per seed."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.collect import Data, collect
from dva_lens.results.measurement import Measurement
from dva_lens.results.moments import Moment
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import statistics_of
from dva_lens.validation import meant
from dva_lens.views import theme

_LABEL = 40
Runs = Data | Archive


@final
@dataclass(frozen=True)
class Condition:
    """Runs that are drawn as one: the same model from one seed or from several."""

    label: str
    runs: tuple[xr.Dataset, ...]
    colour: str
    symbol: str

    @cached_property
    def measurements(self) -> Measurements:
        """The runs, as results read them."""
        return collect({self.label: self.runs})

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seed of each run, as a person reads it."""
        return tuple(str(run.attrs.get("seed", at)) for at, run in enumerate(self.runs))

    @property
    def name(self) -> str:
        """The label, safe to draw."""
        return theme.escape(self.label)

    @property
    def step(self) -> str:
        """The training step that is drawn, empty where the runs know of no steps."""
        found = {str(run[axes.STEP].item()) for run in self.runs if axes.STEP in run.coords}
        return ", ".join(sorted(found))

    def first(self, name: str) -> xr.DataArray:
        """Return a variable of the first run, which says what it means."""
        return self.runs[0][name]


def measured(data: Runs) -> Measurements:
    """Return the measurements of anything that a view takes; of an archive, its main text."""
    return data.on() if isinstance(data, Archive) else collect(data)


def conditions(data: Runs, *needed: str) -> tuple[Condition, ...]:
    """Sort data into conditions, at the last training step that all share.

    Parameters
    ----------
    data : Dataset, sequence or mapping of them, Measurements or Archive
        What `dva_lens.measure` returned, one or several of it for each label, or what was read
        of an archive. A dataset with a `run` dimension is one condition per model, with its seeds.
    needed : str
        Variables that every run must hold.

    Raises
    ------
    KeyError
        If a run lacks a variable.
    ValueError
        If there is no run, or the runs share no step.
    """
    found = measured(data)
    for part in found.parts:
        _check(part, needed)
    moment, place = found.moment(), theme.places(found.models)
    return tuple(
        Condition(
            model,
            tuple(_at(moment, part) for part in found.of(model).parts),
            theme.PALETTE[place[model]],
            theme.SYMBOLS[place[model]],
        )
        for model in found.models
    )


def singles(found: Sequence[Condition]) -> tuple[Condition, ...]:
    """Return one condition per training, named by its label and, of several, its seed."""
    return tuple(
        Condition(
            condition.label
            if len(condition.runs) == 1
            else f"{condition.label} · seed {condition.seeds[at]}",
            (run,),
            condition.colour,
            condition.symbol,
        )
        for condition in found
        for at, run in enumerate(condition.runs)
    )


def title_of(variable: xr.DataArray) -> str:
    """Return what a variable is called."""
    return str(variable.attrs.get("long_name", variable.name))


def label_of(variable: xr.DataArray) -> str:
    """Return what an axis of a variable is called, with its units where it has any."""
    units = str(variable.attrs.get("units", ""))
    label = title_of(variable) + (f" [{units}]" if units not in ("", "1") else "")
    return "<br>".join(theme.escape(line) for line in textwrap.wrap(label, _LABEL))


def _at(moment: Moment, part: Measurement) -> xr.Dataset:
    """Return a run at a moment, with its seed."""
    data = part.data.assign_attrs(seed=part.seed)
    if axes.STEP not in data.dims:
        return data
    if moment.at is None:
        return data.isel({axes.STEP: -1})
    return data.sel({axes.STEP: int(moment.at)})


def _check(part: Measurement, needed: Sequence[str]) -> None:
    for name in needed:
        if name not in part.data:
            raise KeyError(_lacking(name, part))


def _lacking(name: str, part: Measurement) -> str:
    held = statistics_of(part.data) or tuple(str(found) for found in part.data.data_vars)
    return f"{part.model!r} holds no {name!r}{meant(name, held)}; it holds: {', '.join(held)}."
