"""The values that queries receive from one key: what a measurement of dynamic values keeps."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import POSITION, check_places
from dva_lens.results.groups import read
from dva_lens.results.schema import (
    KEY_VALUES,
    TOKEN,
    VALUE_EXPLAINED,
    VALUE_FIRST,
    VALUE_KEY,
    VALUE_NORM,
    VALUE_SECOND,
    VALUE_WEIGHT,
    ArchiveError,
)

STATIC = (
    "This measurement keeps no values of single keys: the values of its model are the same for "
    "all queries, or it was measured without edges (`--edges 64MiB`, or keep='query' in Python)."
)
NAMES = {
    VALUE_KEY: "key",
    VALUE_WEIGHT: "weight",
    VALUE_NORM: "norm",
    VALUE_FIRST: "first",
    VALUE_SECOND: "second",
    VALUE_EXPLAINED: "explained",
}


def has_key_values(data: xr.Dataset) -> bool:
    """Say whether a measurement keeps the values that queries receive from single keys."""
    return all(name in data for name in KEY_VALUES)


def key_values(data: xr.Dataset, layer: int, head: int, *, sequence: int = 0) -> xr.Dataset:
    """Return the values that queries receive from the strongest keys of one head, v_ij over i.

    `data` is a measurement made with `keep="query"` of a model whose values depend on the query,
    or one that an archive holds.

    Returns
    -------
    xarray.Dataset
        Over `kept_key`, the key that receives most weight first: `key`, its position, and over
        (kept_key, query) its `weight`, the `norm` of the value v_ij that the query receives, and
        `first` and `second`, where that value lies from the mean over queries in the two
        directions in which the values of this key differ most; `explained` is their share. NaN
        where a query does not see the key. `token(position)` is the text.

    Raises
    ------
    ArchiveError
        The measurement keeps none, or the layer has static values, or they are damaged.
    ValueError
        There is no such layer or head, or the sequence was not kept.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> found = key_values(data, layer=1, head=0)
    >>> found["norm"].dims
    ('kept_key', 'query')
    """
    if not has_key_values(data):
        raise ArchiveError(STATIC)
    check_places(data, layer, head, sequence)
    at = {axes.LAYER: layer, axes.HEAD: head, axes.LISTED: sequence}
    model = data.attrs.get("model", "a model")
    one = read(data[list(KEY_VALUES)].isel(at, drop=True), f"the values of {model}")
    if not bool((one[VALUE_KEY] >= 0).any()):
        raise ArchiveError(f"The values of layer {layer} of {model} are the same for all queries.")
    length = int(data[axes.LENGTH].values[sequence])
    found = one.rename({**NAMES, axes.VALUED_QUERY: axes.QUERY}).isel({axes.QUERY: slice(length)})
    tokens = (POSITION, data[TOKEN].values[sequence][:length])
    about = {"model": data.attrs.get("model", ""), "layer": layer, "head": head}
    return found.assign({TOKEN: tokens}).assign_attrs({**about, "sequence": sequence})
