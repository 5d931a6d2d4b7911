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
from dva_lens.results.spans import ROWS, lifted


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

    @property
    def over_seeds(self) -> tuple[np.ndarray, np.ndarray]:
        """What each sequence adds to the mean over seeds, and its weight, over (sequence, *cells).

        A seed that read nothing stays out; the mean is NaN where a sequence adds nothing.
        """
        weight = self.bottoms.sum(0)
        means = np.full(weight.shape, np.nan)
        return np.divide(self.tops.sum(0), weight, out=means, where=weight > 0), weight


def shares_of(one: xr.DataArray, along: Sequence[str] = ()) -> Shares:
    """Return the shares of one model along dimensions; `one` is over seed, sequence and others."""
    order = (axes.SEED, axes.SEQUENCE, *along)
    rest = [str(dim) for dim in one.dims if dim not in order]
    values = one.transpose(*order, *rest).values
    rows = np.broadcast_to(lifted(weights_of(one), (*order, *rest)), values.shape)
    held = np.isfinite(values)
    weights = np.where(held, rows, 0.0)
    whole = weights.sum(1, keepdims=True)
    share = np.divide(weights, whole, out=np.zeros(weights.shape), where=whole > 0)
    inner = tuple(range(len(order), values.ndim))
    cells = (whole > 0).sum(inner, keepdims=True)
    share = share / np.maximum(cells, 1)
    tops = (share * np.where(held, values, 0.0)).sum(inner)
    return Shares(tops, share.sum(inner), documents_of(one))


def weights_of(values: xr.DataArray) -> xr.DataArray:
    """Return the queries behind each number, one for what is not of queries."""
    if ROWS in values.coords:
        return xr.DataArray(values[ROWS].variable)
    return xr.DataArray(np.ones(values.sizes[axes.SEQUENCE]), dims=(axes.SEQUENCE,))


def documents_of(values: xr.DataArray) -> np.ndarray:
    """Return the document of each sequence of one model, the sequence itself where unknown."""
    if axes.DOCUMENT in values.coords:
        return np.asarray([str(name) for name in values[axes.DOCUMENT].values])
    return np.asarray([str(at) for at in range(values.sizes[axes.SEQUENCE])])
