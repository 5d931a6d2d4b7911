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

    def of_documents(self, names: Sequence[str]) -> "Shares":
        """Return the shares of some documents, each of which is one, in this order."""
        order = [self.documents.tolist().index(name) for name in names]
        return Shares(self.tops[:, order], self.bottoms[:, order], self.documents[order])


def shares_of(one: xr.DataArray, along: Sequence[str] = ()) -> Shares:
    """Return the shares of one model along dimensions; `one` is over seed, sequence and others."""
    tops, bottoms = parts_of(one, (axes.SEED, axes.SEQUENCE, *along))
    return Shares(tops, bottoms, documents_of(one))


def parts_of(values: xr.DataArray, kept: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return what sequences add to the top and the bottom of means, over the kept dimensions.

    `kept` holds the sequences; what is not kept is averaged, and what has no number stays out.
    Sequences of several texts that are averaged follow one another.
    """
    at = list(kept).index(axes.SEQUENCE)
    texts = [axes.TEXT] if axes.TEXT in values.dims and axes.TEXT not in kept else []
    order = [*kept[:at], *texts, *kept[at:]]
    rest = [str(dim) for dim in values.dims if dim not in order]
    numbers = values.transpose(*order, *rest).values
    rows = np.broadcast_to(lifted(weights_of(values).variable, (*order, *rest)), numbers.shape)
    held = np.isfinite(numbers)
    weights = np.where(held, rows, 0.0)
    whole = weights.sum(order.index(axes.SEQUENCE), keepdims=True)
    share = np.divide(weights, whole, out=np.zeros(weights.shape), where=whole > 0)
    inner = tuple(range(len(order), numbers.ndim))
    averaged = (*range(at, at + len(texts)), *inner)
    share = share / np.maximum((whole > 0).sum(averaged, keepdims=True), 1)
    tops, bottoms = (share * np.where(held, numbers, 0.0)).sum(inner), share.sum(inner)
    shape = (*tops.shape[:at], -1, *tops.shape[at + len(texts) + 1 :])
    return tops.reshape(shape), bottoms.reshape(shape)


def weights_of(values: xr.DataArray) -> xr.DataArray:
    """Return the queries behind each number, one for what is not of queries."""
    if ROWS in values.coords:
        return xr.DataArray(values[ROWS].variable)
    return xr.DataArray(np.ones(values.sizes[axes.SEQUENCE]), dims=(axes.SEQUENCE,))


def documents_of(values: xr.DataArray) -> np.ndarray:
    """Return the document of each sequence, by model too where models differ in them.

    Sequences of several texts follow one another. Where documents are not known, each sequence
    is one.
    """
    if axes.DOCUMENT in values.coords:
        order = (axes.MODEL, axes.TEXT, axes.SEQUENCE)
        known = values[axes.DOCUMENT].transpose(*order, missing_dims="ignore")
        names = known.values.astype(str)
        return names.reshape(*names.shape[:-2], -1) if axes.TEXT in known.dims else names
    texts = values.sizes.get(axes.TEXT, 1)
    return np.tile(np.arange(values.sizes[axes.SEQUENCE]).astype(str), texts)
