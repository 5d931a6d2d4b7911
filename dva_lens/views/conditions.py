"""What a figure compares: one condition per label, each made of one run or of one run per seed."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
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
    """Runs that are drawn as one: the same model from one seed or from several.

    `measurements` holds everything that the figure compares, so that all of it is read at once;
    the runs are those of the model that `label` names. `step` is the training step that is drawn,
    empty where the runs know of no steps.
    """

    label: str
    measurements: Measurements
    look: theme.Appearance
    step: str = ""

    @cached_property
    def parts(self) -> tuple[Measurement, ...]:
        """The measurements of its runs, by seed."""
        return self.measurements.of(self.label).parts

    @cached_property
    def runs(self) -> tuple[xr.Dataset, ...]:
        """The data of its runs, at the moment that all conditions share."""
        moment = self.measurements.moment()
        return tuple(moment.select(part.data) for part in self.parts)

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seed of each run, as a person reads it."""
        return tuple(str(part.seed) for part in self.parts)

    @property
    def name(self) -> str:
        """The label, safe to draw."""
        return theme.escape(self.label)

    def first(self, name: str) -> xr.DataArray:
        """Return a variable as the first run recorded it, which says what it means."""
        return self.measurements.of(self.label).variable(name)

    def labels(self, dim: str) -> np.ndarray:
        """Return the labels of a dimension, such as the layers, of the first run."""
        return np.asarray(self.parts[0].data[dim].values)


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
    looks = theme.looks(found.models)
    return tuple(
        Condition(
            model,
            found,
            looks[model],
            _step(found.of(model), found.moment()),
        )
        for model in found.models
    )


def singles(found: Sequence[Condition]) -> tuple[Condition, ...]:
    """Return one condition per training, named by its label and, of several, its seed."""
    several = [(condition, condition.measurements.each_training()) for condition in found]
    return tuple(
        replace(condition, label=each.parts[at].model, measurements=each)
        for condition, each in several
        for at, part in enumerate(condition.measurements.parts)
        if part.model == condition.label
    )


def title_of(variable: xr.DataArray) -> str:
    """Return what a variable is called."""
    return str(variable.attrs.get("long_name", variable.name))


def label_of(variable: xr.DataArray) -> str:
    """Return what an axis of a variable is called, with its units where it has any."""
    units = str(variable.attrs.get("units", ""))
    label = title_of(variable) + (f" [{units}]" if units not in ("", "1") else "")
    return "<br>".join(theme.escape(line) for line in textwrap.wrap(label, _LABEL))


def _step(found: Measurements, moment: Moment) -> str:
    """Return the training step that is read, as a person reads it."""
    steps = (part.data.coords[axes.STEP] for part in found.parts if axes.STEP in part.data.coords)
    return ", ".join(sorted({str(moment.select(each).values.ravel()[-1]) for each in steps}))


def _check(part: Measurement, needed: Sequence[str]) -> None:
    for name in needed:
        if name not in part.data:
            raise KeyError(_lacking(name, part))


def _lacking(name: str, part: Measurement) -> str:
    held = statistics_of(part.data) or tuple(str(found) for found in part.data.data_vars)
    return f"{part.model!r} holds no {name!r}{meant(name, held)}; it holds: {', '.join(held)}."
