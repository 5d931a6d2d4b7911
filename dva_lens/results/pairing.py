"""Numbers of several models side by side on the same texts, ready to be compared."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.estimates import with_models
from dva_lens.results.measurement import LAYERS
from dva_lens.results.shares import Shares, shares_of
from dva_lens.statistics.inference.depth import coefficients


@final
@dataclass(frozen=True)
class Paired:
    """Numbers of every model over (seed, sequence, cell), and what each sequence counts.

    The mean over sequences by `weights` is the mean that `estimates.estimate` gives, for every
    model, seed and cell. `documents` names the document of each sequence; where models were cut
    into other sequences, each document is one.
    """

    models: Mapping[str, np.ndarray]
    weights: np.ndarray
    documents: np.ndarray


def paired_over_depth(
    values: xr.DataArray, contrasts: Sequence[str], *, by_document: bool = False
) -> Paired:
    """Return contrasts over depth of every model, one cell per contrast.

    A statistic without layers has one number, whatever the contrast.
    """
    return _paired(
        {name: _over_depth(one, contrasts) for name, one in _each_model(values).items()},
        by_document=by_document,
    )


def paired_along(
    values: xr.DataArray, along: Sequence[str], *, by_document: bool = False
) -> Paired:
    """Return the numbers of every model along dimensions, such as layers; cells in that order."""
    found: dict[str, Shares] = {}
    for name, one in _each_model(values).items():
        shares = shares_of(one, along)
        flat = [part.reshape(*part.shape[:2], -1) for part in (shares.tops, shares.bottoms)]
        found[name] = Shares(flat[0], flat[1], shares.documents)
    return _paired(found, by_document=by_document)


def _each_model(values: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return what each model holds, without the padding of deeper models and other seeds."""
    values = with_models(values)
    found: dict[str, xr.DataArray] = {}
    for model in values[axes.MODEL].values:
        one = values.sel({axes.MODEL: model})
        seeds = one.notnull().any([dim for dim in one.dims if dim != axes.SEED]).values
        one = one.isel({axes.SEED: seeds})
        if not one.sizes[axes.SEED]:
            continue
        if axes.LAYER in one.dims and LAYERS in one.coords:
            one = one.isel({axes.LAYER: slice(int(one[LAYERS]))})
        found[str(model)] = one
    return found


def _over_depth(one: xr.DataArray, contrasts: Sequence[str]) -> Shares:
    if axes.LAYER not in one.dims:
        shares = shares_of(one, ())
        tops, bottoms = (
            np.repeat(part[..., None], len(contrasts), axis=-1)
            for part in (shares.tops, shares.bottoms)
        )
        return Shares(tops, bottoms, shares.documents)
    by_layer = shares_of(one, (axes.LAYER,))
    held = by_layer.bottoms.sum(1) > 0
    tops, bottoms = [], []
    for contrast in contrasts:
        counts = coefficients(contrast, held)
        tops.append(np.einsum("ksl,kl->ks", by_layer.tops, counts))
        used = (counts != 0) & held
        share = np.einsum("ksl,kl->ks", by_layer.bottoms, used.astype(float))
        bottoms.append(share / np.maximum(used.sum(-1), 1)[:, None])
    return Shares(np.stack(tops, -1), np.stack(bottoms, -1), by_layer.documents)


def _on_common_documents(found: Mapping[str, Shares]) -> dict[str, Shares]:
    """Leave what stands in for sequences that a model has fewer of: it belongs to no document."""
    held = [set(each.documents.tolist()) for each in found.values()]
    common = sorted(set.intersection(*held))
    return {name: each.of_documents(common) for name, each in found.items()}


def _paired(found: Mapping[str, Shares], *, by_document: bool) -> Paired:
    if by_document:
        found = _on_common_documents({name: each.by_document() for name, each in found.items()})
    first = next(iter(found.values()))
    bottoms = np.concatenate([shares.bottoms for shares in found.values()])
    held = (bottoms > 0).sum(0)
    weights = np.divide(bottoms.sum(0), held, out=np.zeros(held.shape), where=held > 0)
    models = {}
    for name, shares in found.items():
        kept = (shares.bottoms > 0) & (weights > 0)
        means = np.full(kept.shape, np.nan)
        models[name] = np.divide(shares.tops, weights, out=means, where=kept)
    return Paired(models, weights, first.documents)
