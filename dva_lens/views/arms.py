"""What a figure compares: one arm per label, each made of one run or of one run per seed."""

import difflib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import xarray as xr

from dva_lens import axes
from dva_lens.views import theme

_LABEL = 40
Runs = xr.Dataset | Mapping[str, xr.Dataset | Sequence[xr.Dataset]]


@final
@dataclass(frozen=True)
class Arm:
    """Runs that are drawn as one: the same model from one seed or from several."""

    label: str
    runs: tuple[xr.Dataset, ...]
    colour: str
    symbol: str

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


def arms(data: Runs, *needed: str) -> tuple[Arm, ...]:
    """Sort data into arms, at their last training step, and check that they hold what is needed.

    A dataset is one arm; with a `run` dimension it is one arm per model, with its seeds. A mapping
    holds one dataset, or one per seed, for every label.
    """
    groups = _groups(data)
    if not groups:
        raise ValueError("There is nothing to draw: `data` is empty.")
    for label, runs in groups.items():
        for run in runs:
            _check(run, label, needed)
    place = theme.places(groups)
    return tuple(
        Arm(
            label,
            tuple(_last_step(run) for run in runs),
            theme.PALETTE[place[label]],
            theme.SYMBOLS[place[label]],
        )
        for label, runs in groups.items()
    )


def singles(found: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return one arm per training, named by its label and, where there are several, its seed."""
    return tuple(
        Arm(
            arm.label if len(arm.runs) == 1 else f"{arm.label} · seed {arm.seeds[at]}",
            (run,),
            arm.colour,
            arm.symbol,
        )
        for arm in found
        for at, run in enumerate(arm.runs)
    )


def title_of(variable: xr.DataArray) -> str:
    """Return what a variable is called."""
    return str(variable.attrs.get("long_name", variable.name))


def label_of(variable: xr.DataArray) -> str:
    """Return what an axis of a variable is called, with its units where it has any."""
    units = str(variable.attrs.get("units", ""))
    label = title_of(variable) + (f" [{units}]" if units not in ("", "1") else "")
    return "<br>".join(theme.escape(line) for line in textwrap.wrap(label, _LABEL))


def statistics_in(data: Runs) -> tuple[str, ...]:
    """Return the names of the statistics that the first of the data holds."""
    first = next(iter(_groups(data).values()))[0]
    return _statistics(first)


def _groups(data: Runs) -> dict[str, tuple[xr.Dataset, ...]]:
    if isinstance(data, xr.Dataset):
        if axes.RUN not in data.dims:
            return {str(data.attrs.get("preset") or data.attrs.get("model") or "model"): (data,)}
        return _split(data)
    return {
        str(label): (found,) if isinstance(found, xr.Dataset) else tuple(found)
        for label, found in data.items()
    }


def _split(data: xr.Dataset) -> dict[str, tuple[xr.Dataset, ...]]:
    groups: dict[str, list[xr.Dataset]] = {}
    for at in range(data.sizes[axes.RUN]):
        run = data.isel({axes.RUN: at})
        model = str(run[axes.MODEL].item()) if axes.MODEL in run.coords else "model"
        seed = int(run[axes.SEED].item()) if axes.SEED in run.coords else at
        groups.setdefault(model, []).append(run.assign_attrs(preset=model, seed=seed))
    return {model: tuple(runs) for model, runs in groups.items()}


def _last_step(run: xr.Dataset) -> xr.Dataset:
    return run.isel({axes.STEP: -1}) if axes.STEP in run.dims else run


def _statistics(run: xr.Dataset) -> tuple[str, ...]:
    return tuple(str(name) for name, found in run.data_vars.items() if "at" in found.attrs)


def _check(run: xr.Dataset, label: str, needed: Sequence[str]) -> None:
    for name in needed:
        if name in run:
            continue
        held = _statistics(run) or tuple(str(found) for found in run.data_vars)
        close = difflib.get_close_matches(name, held, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise KeyError(f"{label!r} holds no {name!r}; it holds: {', '.join(held)}.{hint}")
