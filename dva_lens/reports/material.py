"""What a report is written from: the measurements of an archive on one text, and its runs."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.compare import Comparisons, baseline_of, compare
from dva_lens.results.estimates import mean_of
from dva_lens.results.reader import Measurements
from dva_lens.results.runs import Run
from dva_lens.results.schema import NotComparableError, statistics_of


class MeanWithInterval(NamedTuple):
    """A mean with its 95 % interval for these checkpoints on new text, NaN where there is none."""

    mean: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Material:
    """What an archive holds on one evaluation text; every number is read by `results`."""

    archive: Archive
    measurements: Measurements

    @property
    def text(self) -> str:
        """The name of the evaluation text."""
        return self.measurements.text

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the study."""
        return self.measurements.models

    @property
    def baseline(self) -> str:
        """The model that the others are compared with."""
        return baseline_of(self.measurements)

    @property
    def first(self) -> xr.Dataset:
        """A measurement that says how its numbers came about."""
        return self.measurements.parts[0].data

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that all measurements hold."""
        held = [statistics_of(part.data) for part in self.measurements.parts]
        return tuple(name for name in held[0] if all(name in other for other in held))

    @cached_property
    def runs(self) -> Mapping[str, tuple[Run, ...]]:
        """The runs of every model, in the order of its measurements."""
        left = list(self.archive.runs)
        found: dict[str, list[Run]] = {}
        for part in self.measurements.parts:
            run = next(run for run in left if run.label == part.label)
            left.remove(run)
            found.setdefault(part.model, []).append(run)
        return {model: tuple(several) for model, several in found.items()}

    @property
    def documents(self) -> tuple[str, ...]:
        """The document of each sequence of the first measurement."""
        held = self.measurements.parts[0].of_sequences(axes.DOCUMENT)
        return tuple(str(name) for name in held) if held is not None else ()

    @property
    def seeds(self) -> int:
        """The fewest seeds that any model was trained from."""
        return min(len(several) for several in self.runs.values())

    @property
    def parameters(self) -> tuple[float, ...]:
        """The parameters of every training whose count is known."""
        held = [run.attrs["parameters"] for several in self.runs.values() for run in several]
        return tuple(count for count in map(number_in, held) if count is not None)

    @cached_property
    def training(self) -> Mapping[str, Sequence[xr.Dataset]]:
        """The training logs of these models; models that were only measured have none."""
        return {
            model: logs
            for model, logs in self.archive.trainings(self.text).items()
            if number_in(self.archive.run(str(logs[0].attrs["label"])).attrs["train_seconds"])
            is not None
        }

    @property
    def own_texts(self) -> tuple[str, ...]:
        """The texts that any of these models was measured on."""
        runs = [run for several in self.runs.values() for run in several]
        return tuple(dict.fromkeys(text for run in runs for text in self.archive.texts_of(run)))

    @cached_property
    def others(self) -> "tuple[Material, ...]":
        """What the archive holds on the other texts of these models, such as controls."""
        names = [name for name in self.own_texts if name != self.text]
        return tuple(Material(self.archive, self.archive.on(name)) for name in names)

    @property
    def comparisons(self) -> Comparisons | None:
        """Every model against the baseline; None where there is one model or texts differ."""
        return self._compared[0] if len(self.models) > 1 else None

    @property
    def why_not_compared(self) -> str:
        """Why models may not be compared, such as that they were measured on different texts."""
        return self._compared[1] if len(self.models) > 1 else ""

    @cached_property
    def _compared(self) -> tuple[Comparisons | None, str]:
        try:
            return compare(self.measurements), ""
        except NotComparableError as refusal:
            return None, str(refusal)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the archive could not be read, and why."""
        return (*self.archive.unreadable.values(), *self.measurements.left_out)

    def datasets(self, model: str) -> tuple[xr.Dataset, ...]:
        """Return the measurements of a model, one per training."""
        return tuple(part.data for part in self.measurements.of(model).parts)

    def variable(self, name: str) -> xr.DataArray:
        """Return a statistic as recorded, with its meaning."""
        return self.measurements.variable(name)

    def means(self, name: str) -> dict[str, MeanWithInterval]:
        """Return the mean of a statistic over everything, for every model."""
        found = self.measurements.estimate(name)
        parts = [found[part].values for part in ("value", "low", "high")]
        return {
            str(model): MeanWithInterval(*map(float, numbers))
            for model, *numbers in zip(found[axes.MODEL].values, *parts, strict=True)
        }

    def by_layer(self, name: str) -> xr.DataArray:
        """Return the mean of a statistic over (model, layer)."""
        return mean_of(self.measurements.values(name), (axes.MODEL, axes.LAYER))

    def reference(self, name: str) -> float | None:
        """Return what uniform attention reads over all of a statistic, None if there is none."""
        level = self.measurements.uniform(name)
        if level is None:
            return None
        mean = float(mean_of(level))
        return mean if math.isfinite(mean) else None


def gather(archive: Archive, text: str | None = None) -> Material:
    """Read what a report needs of an archive on an evaluation text; default: the main one.

    Raises
    ------
    ArchiveError
        If no run was measured on the text.
    """
    return Material(archive, archive.on(text))


def number_in(value: object) -> float | None:
    """Return an attribute as a number, None where it is none."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None


def facts_of(text: object) -> dict[str, Any]:
    """Return what an attribute in JSON says, nothing where it is empty or no JSON."""
    if not isinstance(text, str):
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
