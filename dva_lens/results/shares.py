"""What each sequence adds to a mean: the one weighting behind intervals and comparisons.

Rows weight sequences within each seed, layer and head; layers and heads weigh equally.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.grid import lifted
from dva_lens.results.spans import ROWS


@final
@dataclass(frozen=True)
class Shares:
    """What each sequence of one model adds to its means, over (seed, sequence, *cells).

    The sum of `tops` over sequences is the mean of a seed and cell, and that of `bottoms` is one,
    or zero where nothing was read. `documents` names the document of each sequence.
    """

    tops: np.ndarray
    bottoms: np.ndarray
    documents: np.ndarray

    def by_document(self) -> "Shares":
        """Put the sequences of each document together."""
        names, belongs = np.unique(self.documents, return_inverse=True)
        pick = (belongs == np.arange(len(names))[:, None]).astype(float)
        tops, bottoms = (
            np.einsum("ds,ks...->kd...", pick, part) for part in (self.tops, self.bottoms)
        )
        return Shares(tops, bottoms, names)


def shares_of(one: xr.DataArray, along: Sequence[str] = ()) -> Shares:
    """Return the shares of one model along dimensions; `one` is over seed, sequence and others."""
    tops, bottoms = parts_of(one, (axes.SEED, axes.SEQUENCE, *along))
    return Shares(tops, bottoms, documents_of(one))


def parts_of(values: xr.DataArray, kept: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return what sequences add to the top and the bottom of means, over the kept dimensions.

    `kept` holds the sequences; what is not kept is averaged, and what has no number stays out.
    """
    rest = [str(dim) for dim in values.dims if dim not in kept]
    numbers = values.transpose(*kept, *rest).values
    rows = np.broadcast_to(lifted(weights_of(values).variable, (*kept, *rest)), numbers.shape)
    held = np.isfinite(numbers)
    weights = np.where(held, rows, 0.0)
    whole = weights.sum(list(kept).index(axes.SEQUENCE), keepdims=True)
    share = np.divide(weights, whole, out=np.zeros(weights.shape), where=whole > 0)
    inner = tuple(range(len(kept), numbers.ndim))
    share = share / np.maximum((whole > 0).sum(inner, keepdims=True), 1)
    return (share * np.where(held, numbers, 0.0)).sum(inner), share.sum(inner)


def weights_of(values: xr.DataArray) -> xr.DataArray:
    """Return the queries behind each number, one for what is not of queries."""
    if ROWS in values.coords:
        return xr.DataArray(values[ROWS].variable)
    return xr.DataArray(np.ones(values.sizes[axes.SEQUENCE]), dims=(axes.SEQUENCE,))


def documents_of(values: xr.DataArray) -> np.ndarray:
    """Return the document of each sequence, by model too where models differ in them.

    Where documents are not known, each sequence is one.
    """
    if axes.DOCUMENT in values.coords:
        return np.asarray(values[axes.DOCUMENT].values).astype(str)
    return np.arange(values.sizes[axes.SEQUENCE]).astype(str)
