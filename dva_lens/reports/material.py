"""What a report is written from: the runs of an archive, sorted by model, at their last step."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive, Run
from dva_lens.results.schema import BY_QUERY, REFERENCE, ArchiveError, statistics_of
from dva_lens.statistics.inference.compare import layer_profile

BASELINE = "transformer"
_TOKEN = "token"


@final
@dataclass(frozen=True)
class Material:
    """Runs and measurements by model, one of each per seed, on one probe."""

    probe: str
    runs: Mapping[str, tuple[Run, ...]]
    data: Mapping[str, tuple[xr.Dataset, ...]]
    training: Mapping[str, tuple[xr.Dataset, ...]]
    unreadable: Mapping[str, str]

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the study."""
        return tuple(self.data)

    @property
    def baseline(self) -> str:
        """The model that the others are compared with."""
        return BASELINE if BASELINE in self.data else self.models[0]

    @property
    def first(self) -> xr.Dataset:
        """A measurement that says what its variables mean."""
        return self.data[self.models[0]][0]

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that all measurements hold."""
        held = [statistics_of(one) for several in self.data.values() for one in several]
        return tuple(name for name in held[0] if all(name in other for other in held))

    @property
    def documents(self) -> tuple[str, ...]:
        """The document of each sequence."""
        return tuple(str(name) for name in self.first[axes.DOCUMENT].values)

    @property
    def seeds(self) -> int:
        """The fewest seeds that any model was trained from."""
        return min(len(several) for several in self.runs.values())

    @property
    def sizes(self) -> tuple[float, ...]:
        """The parameters of every training whose count is known."""
        held = [run.attrs["parameters"] for several in self.runs.values() for run in several]
        return tuple(count for count in map(number_in, held) if count is not None)

    def profiles(self, name: str) -> dict[str, np.ndarray]:
        """Return a statistic over (seed, sequence, layer) for every model; loss has one layer."""
        return {
            model: np.stack([_profile(one, name) for one in several])
            for model, several in self.data.items()
        }

    def reference(self, name: str) -> float | None:
        """Return what uniform attention reads over all of a statistic, None if there is none."""
        if f"{name}{REFERENCE}" not in self.first:
            return None
        level = self.first[f"{name}{REFERENCE}"]
        if axes.SPAN in level.dims:
            weight = self.first["rows"].where(np.isfinite(level), 0.0)
            return float((level.fillna(0.0) * weight).sum() / weight.sum())
        return float(level.mean()) if level.dims == (axes.SEQUENCE,) else None


def gather(archive: Archive, probe: str | None = None) -> Material:
    """Read what a report needs: every run measured on a probe, the main one if none is named."""
    chosen = probe or next(iter(archive.probes(archive.runs[0])))
    groups: dict[str, list[Run]] = {}
    for run in archive.runs:
        if chosen in archive.probes(run):
            groups.setdefault(run.model, []).append(run)
    if not groups:
        held = sorted({name for run in archive.runs for name in archive.probes(run)})
        raise ArchiveError(f"No run was measured on {chosen!r}; there are: {', '.join(held)}.")
    runs = {model: tuple(several) for model, several in groups.items()}
    return Material(
        probe=chosen,
        runs=runs,
        data={
            model: tuple(_last(archive.dataset(run, chosen), run) for run in several)
            for model, several in runs.items()
        },
        training=_training(archive, runs),
        unreadable=archive.unreadable,
    )


def _training(
    archive: Archive, runs: Mapping[str, Sequence[Run]]
) -> dict[str, tuple[xr.Dataset, ...]]:
    """Read the training logs of models that were trained here; measured ones have none."""
    trained = {
        model: [run for run in several if number_in(run.attrs["train_seconds"]) is not None]
        for model, several in runs.items()
    }
    return {
        model: tuple(archive.training(run).load().assign_attrs(seed=run.seed) for run in several)
        for model, several in trained.items()
        if several
    }


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


def _last(data: xr.Dataset, run: Run) -> xr.Dataset:
    kept = [name for name in data if not str(name).endswith(BY_QUERY) and name != _TOKEN]
    data = data[kept]
    if axes.STEP in data.dims:
        data = data.isel({axes.STEP: -1})
    return data.load().assign_attrs(seed=run.seed)


def _profile(data: xr.Dataset, name: str) -> np.ndarray:
    values = data[name]
    place = values.attrs["at"]
    if place == "model":
        return values.values[:, None]
    if place == "query":
        order = (axes.LAYER, axes.HEAD, axes.SEQUENCE, axes.SPAN)
        rows = data["rows"].transpose(axes.SEQUENCE, axes.SPAN).values
        return layer_profile(values.transpose(*order).values, rows)
    heads = [dim for dim in (axes.HEAD, axes.KV_HEAD) if dim in values.dims]
    return layer_profile(values.transpose(axes.LAYER, *heads, axes.SEQUENCE).values)
