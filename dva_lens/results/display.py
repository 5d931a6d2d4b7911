"""Numbers of single queries of the sequences that are kept for display, read exactly.

A measurement made with `keep="query"`, or `Archive.display`, holds them. Means over heads and
layers are made here, as `dva_lens.results.reader` makes those over spans.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence

import xarray as xr

from dva_lens import axes
from dva_lens.results.schema import BY_QUERY, TOKEN


def displayed_tokens(data: xr.Dataset, sequence: int = 0) -> list[str]:
    """Return the tokens of a sequence that is kept for display.

    Raises
    ------
    ValueError
        If the queries of the sequence were not kept.
    """
    return [str(token) for token in _displayed(data, TOKEN, sequence).values]


def by_query(
    data: xr.Dataset, statistic: str, sequence: int = 0, along: Sequence[str] = (axes.LAYER,)
) -> xr.DataArray:
    """Return a statistic of every query of a displayed sequence, over (*along, query).

    `along` names what is kept of layers and heads; everything else is averaged. The units are
    those of the statistic.

    Raises
    ------
    KeyError
        If the measurement holds no single queries of the statistic.
    ValueError
        If the queries of the sequence were not kept.
    """
    values = _displayed(data, statistic + BY_QUERY, sequence)
    kept = (*along, axes.QUERY)
    averaged = values.mean([dim for dim in values.dims if dim not in kept], keep_attrs=True)
    return averaged.transpose(*kept)


def _displayed(data: xr.Dataset, name: str, sequence: int) -> xr.DataArray:
    values = data[name]
    held = values.sizes[axes.SHOWN]
    if not 0 <= sequence < held:
        raise ValueError(
            f"sequence must be one whose queries are kept, 0 to {held - 1}, got {sequence}."
        )
    length = int(data[axes.LENGTH].isel({axes.SEQUENCE: sequence}).item())
    return values.isel({axes.SHOWN: sequence, axes.QUERY: slice(0, length)})
