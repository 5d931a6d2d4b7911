"""One training measured on one text, and the coordinates that several of them share."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.schema import DOCUMENT_HASH, TOKENS_HASH, NotComparableError

RUN_LABEL = "run"
LAYERS = "layers"
OF_SEQUENCES = (axes.DOCUMENT, axes.LENGTH, DOCUMENT_HASH, TOKENS_HASH)


@final
@dataclass(frozen=True)
class Measurement:
    """One training of a model, measured on one text; `label` names it."""

    model: str
    seed: int
    label: str
    data: xr.Dataset

    def of_sequences(self, name: str) -> np.ndarray | None:
        """Return a coordinate over sequences, such as their documents, None if not recorded."""
        if name in self.data.variables and self.data[name].dims == (axes.SEQUENCE,):
            return np.asarray(self.data[name].values)
        if name == axes.DOCUMENT:
            return np.array([f"sequence {at}" for at in self.data[axes.SEQUENCE].values], object)
        return None


def models_of(parts: Sequence[Measurement]) -> tuple[str, ...]:
    """Return the models of measurements, in the order of the study."""
    return tuple(dict.fromkeys(part.model for part in parts))


def seeds_of(parts: Sequence[Measurement]) -> tuple[int, ...]:
    """Return the seeds that any of these models was trained from."""
    return tuple(sorted({part.seed for part in parts}))


def coordinates_of(parts: Sequence[Measurement]) -> dict[str, xr.DataArray]:
    """Return what all arrays of these measurements say of their models, trainings and sequences.

    Raises
    ------
    NotComparableError
        If the seeds of a model were measured on different texts.
    """
    models, seeds = list(models_of(parts)), list(seeds_of(parts))
    labels = np.full((len(models), len(seeds)), "", dtype=object)
    depth = np.zeros(len(models), dtype=int)
    for part in parts:
        labels[models.index(part.model), seeds.index(part.seed)] = part.label
        depth[models.index(part.model)] = part.data.sizes.get(axes.LAYER, 0)
    places: dict[str, Any] = {axes.MODEL: models, axes.SEED: seeds}
    found = {
        RUN_LABEL: xr.DataArray(labels, coords=places, dims=(axes.MODEL, axes.SEED)),
        LAYERS: xr.DataArray(depth, coords={axes.MODEL: models}, dims=(axes.MODEL,)),
    }
    for name in OF_SEQUENCES:
        held = {part.label: (part.model, part.of_sequences(name)) for part in parts}
        if all(values is not None for _, values in held.values()):
            found[name] = _of_sequences(parts, name, models)
    return found


def _of_sequences(parts: Sequence[Measurement], name: str, models: list[str]) -> xr.DataArray:
    most = max(part.data.sizes[axes.SEQUENCE] for part in parts)
    blank: Any = 0 if name == axes.LENGTH else ""
    values = np.full((len(models), most), blank, dtype=int if name == axes.LENGTH else object)
    seen: dict[str, Measurement] = {}
    for part in parts:
        own = part.of_sequences(name)
        first = seen.setdefault(part.model, part)
        theirs = first.of_sequences(name)
        if own is None or theirs is None:
            continue
        if not np.array_equal(own, theirs):
            raise NotComparableError(
                f"{part.label} was measured on different texts than {first.label}: {name} is "
                f"{len(own)} and {len(theirs)} sequences that are not alike. Draw them as two "
                f"models, or measure them on one text."
            )
        values[models.index(part.model), : len(own)] = own
    same = bool((values == values[:1]).all())
    if same:
        return xr.DataArray(values[0], dims=(axes.SEQUENCE,))
    return xr.DataArray(values, coords={axes.MODEL: models}, dims=(axes.MODEL, axes.SEQUENCE))
