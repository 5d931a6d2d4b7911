"""Every model minus a baseline along layers, or layers and heads: to explore, not to claim."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.compare import baseline_of
from dva_lens.results.entries import split_name
from dva_lens.results.moments import When
from dva_lens.results.pairing import Paired, paired_along
from dva_lens.results.reader import Measurements
from dva_lens.results.same_text import same_text
from dva_lens.results.schema import NotComparableError
from dva_lens.results.spans import Spans
from dva_lens.statistics.inference.contrasts import same_against_same, text_contrast
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg

COLUMNS = ("value", "low", "high", "p", "adjusted")


def differences(
    measurements: Measurements,
    name: str,
    along: Sequence[str] = (axes.LAYER,),
    *,
    baseline: str | None = None,
    moment: When = "last",
    spans: Spans = "all",
) -> xr.Dataset:
    """Return every model minus the baseline along layers, or layers and heads, to explore.

    Models whose layers or heads are not as many as the baseline's are left out. p values are
    adjusted within the statistic and model (Benjamini-Hochberg).

    Returns
    -------
    xarray.Dataset
        `value`, `low`, `high`, `p` and `adjusted` over (model, *along): the difference for these
        checkpoints with its 95 % interval over documents; `same` over `along`: what two halves
        of the baseline's seeds differ by, NaN with one seed; attributes of the statistic.

    Raises
    ------
    ValueError
        If there is no such baseline.
    NotComparableError
        If the models were measured on different texts, or their tokenizers differ and the
        statistic counts tokens.
    KeyError
        If no model holds the statistic.
    """
    base = baseline_of(measurements, baseline)
    same = same_text(measurements)
    if reason := same.refusal(measurements, split_name(name)[0]):
        raise NotComparableError(f"{reason}; choose a number per document.")
    values = _alike(measurements.values(name, moment=moment, spans=spans), base, along)
    found = paired_along(values, along, by_document=same.by_document)
    return _apart(found, base, values, along)


def _alike(values: xr.DataArray, baseline: str, along: Sequence[str]) -> xr.DataArray:
    """Keep the models that have as many layers and heads as the baseline, and no padding."""
    shapes: dict[str, tuple[int, ...]] = {}
    for model in values[axes.MODEL].values:
        held = values.sel({axes.MODEL: model}).notnull()
        rest = {dim: [other for other in held.dims if other != dim] for dim in along}
        shapes[str(model)] = tuple(int(held.any(others).sum()) for others in rest.values())
    kept = [model for model, shape in shapes.items() if shape == shapes[baseline]]
    sizes = dict(zip(along, shapes[baseline], strict=True))
    return values.sel({axes.MODEL: kept}).isel({dim: slice(n) for dim, n in sizes.items()})


def _apart(found: Paired, baseline: str, values: xr.DataArray, along: Sequence[str]) -> xr.Dataset:
    models = [name for name in found.models if name != baseline]
    shape = tuple(values.sizes[dim] for dim in along)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    for name in models:
        ours, theirs = found.models[name], found.models[baseline]
        one = text_contrast(ours, theirs, found.documents, weights=found.weights)
        numbers = (one.mean, one.low, one.high, one.p, benjamini_hochberg(one.p))
        for column, array in zip(columns.values(), numbers, strict=True):
            column.append(array.reshape(shape))
    base = found.models[baseline]
    same = same_against_same(base, found.documents, weights=found.weights)
    level = np.full(shape, np.nan) if same is None else same.mean.reshape(shape)
    places = {axes.MODEL: models} | {dim: values[dim].values for dim in along}
    blank = np.empty((0, *shape))
    return xr.Dataset(
        {
            **{
                name: ((axes.MODEL, *along), np.stack(column) if column else blank)
                for name, column in columns.items()
            },
            "same": (tuple(along), level),
        },
        coords=places,
        attrs=values.attrs,
    )
