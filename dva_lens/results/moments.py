"""When in training numbers are read: at a step that all models share, or at an equal loss.

Equal step and equal loss each favour some model, so there are both; the start is the control of
random initialisation.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.grid import Grid
from dva_lens.results.schema import NotComparableError
from dva_lens.statistics.inference.fairness import at_loss, common_loss, common_step

LOSS = "loss"
Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)
When = Literal["last", "loss", "start", "every"]
MOMENTS: dict[str, str] = {
    "last": "the last step that all were measured at",
    "loss": "the lowest loss that all reach",
    "start": "before training",
    "every": "every step",
}


@final
@dataclass(frozen=True)
class Moment:
    """A moment of training that all models share.

    `at` is the step or the loss. None means that some models were measured once and each is read
    as it is, or that every step is kept.
    """

    kind: When
    at: float | None

    @property
    def words(self) -> str:
        """The moment as a person reads it."""
        if self.kind == "every":
            return "at every measured step"
        if self.at is None:
            return "as measured"
        return f"at loss {self.at:.4f}" if self.kind == "loss" else f"at step {self.at:.0f}"

    def select(self, values: Labelled) -> Labelled:
        """Return values over steps at this moment; equal loss keeps them for `interpolate`."""
        if axes.STEP not in values.dims or self.kind in ("every", "loss"):
            return values
        if self.at is None:
            return values.isel({axes.STEP: -1})
        return values.sel({axes.STEP: int(self.at)})

    def interpolate(self, values: Grid, data: xr.Dataset) -> Grid:
        """Return values at equal loss, between measured steps by a line; else leave them."""
        if self.kind != "loss" or axes.STEP not in values.dims or self.at is None:
            return values
        labels = {dim: at for dim, at in values.labels.items() if dim != axes.STEP}
        steps = values.over((axes.STEP, *labels))
        return Grid(at_loss(steps, _mean_loss(data), self.at), labels)

    def most(self, rows: Grid) -> Grid:
        """Return numbers of queries at this moment: at equal loss the most of any step."""
        if self.kind != "loss" or axes.STEP not in rows.dims:
            return rows
        labels = {dim: at for dim, at in rows.labels.items() if dim != axes.STEP}
        return Grid(np.fmax.reduce(rows.over((axes.STEP, *labels))), labels)


def shared_moment(datasets: Sequence[xr.Dataset], kind: When) -> Moment:
    """Return the moment of a kind that all measurements share.

    Raises
    ------
    ValueError
        If `kind` is unknown.
    NotComparableError
        If the measurements share no step or no loss, or if some were measured once and the moment
        is not the last one.
    """
    if kind not in MOMENTS:
        raise ValueError(f"moment must be one of {', '.join(MOMENTS)}, got {kind!r}.")
    if kind == "every":
        return Moment(kind, None)
    if not datasets or not all(axes.STEP in data.dims for data in datasets):
        if kind != "last":
            raise NotComparableError(
                "Some models were measured once and not as they were trained, so they cannot be "
                "compared at equal loss or at the start."
            )
        return Moment(kind, None)
    try:
        return Moment(kind, _shared(datasets, kind))
    except ValueError as error:
        raise NotComparableError(str(error)) from error


def _shared(datasets: Sequence[xr.Dataset], kind: When) -> float:
    """Return the step or the loss of a kind that all measurements share."""
    steps = [np.asarray(data[axes.STEP].values) for data in datasets]
    if kind == "start":
        return float(max(each.min() for each in steps))
    if kind == "last":
        return float(common_step(steps))
    return common_loss([_mean_loss(data) for data in datasets])


def _mean_loss(data: xr.Dataset) -> np.ndarray:
    if LOSS not in data:
        raise ValueError(
            "A model was measured without the loss, so models cannot be read at equal loss."
        )
    return np.asarray(data[LOSS].mean(axes.SEQUENCE).values, dtype=float)
