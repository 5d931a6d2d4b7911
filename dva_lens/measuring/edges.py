"""The largest edges of the queries of shown sequences, as variables of a measurement."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.measuring.dataset import Part
from dva_lens.recording.edge_plan import key_type
from dva_lens.recording.edges import padded_edges
from dva_lens.results.schema import (
    EDGE_KEY,
    EDGE_REST,
    EDGE_REST_BY_KEY,
    EDGE_SHARE,
    EDGE_VISIBLE,
    EDGE_WEIGHT,
    VALUE_EXPLAINED,
    VALUE_FIRST,
    VALUE_KEY,
    VALUE_NORM,
    VALUE_SECOND,
    VALUE_WEIGHT,
)
from dva_lens.sites import AttentionEdges

_QUERIES = (axes.LAYER, axes.HEAD, axes.LISTED, axes.LISTED_QUERY)
VARIABLES = {
    EDGE_KEY: ("key", (*_QUERIES, axes.RANK), "Key of the edge, -1 for none", "position"),
    EDGE_WEIGHT: ("weight", (*_QUERIES, axes.RANK), "Attention weight of the edge", "1"),
    EDGE_SHARE: (
        "share",
        (*_QUERIES, axes.RANK),
        "Signed projection share of the edge in the output of its query",
        "1",
    ),
    EDGE_REST: ("rest", _QUERIES, "Weight that a query gives to keys not listed", "1"),
    EDGE_REST_BY_KEY: (
        "rest_by_key",
        (axes.LAYER, axes.HEAD, axes.LISTED, axes.LISTED_KEY),
        "Weight that a key receives from listed queries without being listed",
        "queries",
    ),
    EDGE_VISIBLE: (
        "visible",
        (axes.LAYER, axes.LISTED, axes.LISTED_QUERY),
        "Keys that a query sees",
        "keys",
    ),
}
"""Field of the record, dimensions, meaning and units of each variable."""
_KEYS = (axes.LAYER, axes.HEAD, axes.LISTED, axes.KEPT_KEY)
_RECEIVED = (*_KEYS, axes.VALUED_QUERY)
KEY_VALUE_VARIABLES = {
    VALUE_KEY: ("key", _KEYS, "Key whose values are followed, -1 for none", "position"),
    VALUE_WEIGHT: ("weight", _RECEIVED, "Weight that a query gives to the key", "1"),
    VALUE_NORM: ("norm", _RECEIVED, "Size of the value that a query receives", "1"),
    VALUE_FIRST: ("first", _RECEIVED, "First direction in which the values differ", "1"),
    VALUE_SECOND: ("second", _RECEIVED, "Second direction in which the values differ", "1"),
    VALUE_EXPLAINED: ("explained", _KEYS, "Share of these two in all that values differ", "1"),
}
"""The same for the values of single keys."""


def with_edges(data: xr.Dataset, parts: Sequence[Part], shown: int) -> xr.Dataset:
    """Add the edges of the first sequences, at most as many as are shown, where any were kept."""
    depth = max(len(part.edges) for part in parts)
    layers = [_of_layer(parts, layer) for layer in range(depth)]
    held = [each for each in layers if each is not None]
    if not held or not shown:
        return data
    found, place = {}, key_type(int(data[axes.LENGTH].max()))
    for name, (field, dims, meaning, units) in VARIABLES.items():
        about = {"long_name": meaning, "units": units}
        counts = field in ("key", "visible")
        arrays = [None if each is None else getattr(each, field)[:shown] for each in layers]
        whole = _stacked(arrays, -1.0 if counts else np.nan)
        if axes.HEAD in dims:  # which stands before the sequence
            whole = whole.swapaxes(1, 2)
        found[name] = (dims, whole.astype(place if counts else np.float32), about)
    return data.assign(found | _key_values(layers, shown))


def _key_values(
    layers: Sequence[AttentionEdges | None], shown: int
) -> dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]]:
    """Return the values that queries receive from single keys, where any layer keeps them."""
    held = [None if each is None else each.values for each in layers]
    if not any(held):
        return {}
    found = {}
    for name, (field, dims, meaning, units) in KEY_VALUE_VARIABLES.items():
        arrays = [None if each is None else getattr(each, field)[:shown] for each in held]
        is_key = field == "key"
        whole = _stacked(arrays, -1.0 if is_key else np.nan).swapaxes(1, 2)
        about = {"long_name": meaning, "units": units}
        found[name] = (dims, whole.astype(np.int32 if is_key else np.float32), about)
    return found


def _of_layer(parts: Sequence[Part], layer: int) -> AttentionEdges | None:
    found = [part.edges[layer] for part in parts if part.edges]
    held = [each for each in found if each is not None]
    return padded_edges(held) if held else None


def _stacked(arrays: Sequence[np.ndarray | None], blank: float) -> np.ndarray:
    """Stack layers, with blanks where a layer has none, or fewer heads."""
    shape = np.max([each.shape for each in arrays if each is not None], axis=0)
    whole = np.full((len(arrays), *shape), blank, dtype=np.float64)
    for layer, each in enumerate(arrays):
        if each is not None:
            whole[(layer, *(slice(size) for size in each.shape))] = each
    return whole
