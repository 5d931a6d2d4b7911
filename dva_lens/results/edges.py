"""Where the tokens of a text look: the edges that a measurement keeps, of one head at a time."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from dva_lens import axes
from dva_lens.results.groups import read
from dva_lens.results.schema import (
    EDGE_KEY,
    EDGE_REST,
    EDGE_REST_BY_KEY,
    EDGE_SHARE,
    EDGE_VISIBLE,
    EDGE_WEIGHT,
    EDGES,
    TOKEN,
    ArchiveError,
)
from dva_lens.statistics.sinks import TIMES_UNIFORM

WITHOUT = (
    "This measurement keeps no edges, so where single tokens look is not known; measure again "
    "with edges (`--edges 64MiB`, or keep='query' in Python)."
)
NAMES = {
    EDGE_KEY: "key",
    EDGE_WEIGHT: "weight",
    EDGE_SHARE: "share",
    EDGE_REST: "rest",
    EDGE_REST_BY_KEY: "rest_by_key",
    EDGE_VISIBLE: "visible",
}
POSITION = "position"
PLACES = {axes.LISTED_QUERY: axes.QUERY, axes.LISTED_KEY: POSITION}


def has_edges(data: xr.Dataset) -> bool:
    """Say whether a measurement keeps the largest edges of any queries."""
    return all(name in data for name in EDGES)


def edged_sequences(data: xr.Dataset) -> int:
    """Return of how many sequences, the first ones, a measurement keeps edges."""
    return data.sizes[axes.LISTED] if has_edges(data) else 0


def edge_bytes(data: xr.Dataset) -> int:
    """Return the bytes that the edges of a measurement take before they are compressed."""
    return sum(data[name].nbytes for name in EDGES) if has_edges(data) else 0


def edges(data: xr.Dataset, layer: int, head: int, *, sequence: int = 0) -> xr.Dataset:
    """Return where the queries of one text look in one head, and what is not listed.

    `data` is a measurement made with `keep="query"`, or one that an archive holds; only the edges
    of the layer are read.

    Returns
    -------
    xarray.Dataset
        Over (query, rank), the largest first: `key`, `weight`, and `share`, the signed projection
        share <p W_O v, W_O o> / |W_O o|^2 of the edge in the output of its query. `key` is -1
        and the others 0 and NaN where a query gives nothing to any further key. `visible(query)`
        counts the keys that a query sees. `rest(query)` is
        the weight on keys that are not listed and `rest_by_key(position)` what a key receives
        from these queries without being listed: `weight` and `rest` total the row mass.
        `token(position)` is the text; where the budget cut it, queries are its first ones.

    Raises
    ------
    ArchiveError
        The measurement keeps no edges, or they are damaged.
    ValueError
        There is no such layer or head, or the edges of the sequence were not kept.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> found = edges(data, layer=1, head=0)
    >>> found["weight"].dims
    ('query', 'rank')
    >>> bool((found["key"] <= found["query"]).all())
    True
    """
    return edges_of_head(edges_of_layer(data, layer, sequence=sequence), head)


def edges_of_layer(data: xr.Dataset, layer: int, *, sequence: int = 0) -> xr.Dataset:
    """Read the edges of one text in all heads of a layer, which an archive keeps together.

    `edges_of_head` takes a head out of what this returns, so that going from head to head reads
    a layer once.

    Raises
    ------
    ArchiveError
        The measurement keeps no edges, or they are damaged.
    ValueError
        There is no such layer, or the edges of the sequence were not kept.
    """
    if not has_edges(data):
        raise ArchiveError(WITHOUT)
    check_places(data, layer, 0, sequence)
    chosen = data[list(EDGES)].drop_vars(axes.HEAD, errors="ignore")
    chosen = chosen.isel({axes.LAYER: layer, axes.LISTED: sequence}, drop=True)
    one = read(chosen, f"the edges of {data.attrs.get('model', 'a model')}")
    length = int(data[axes.LENGTH].values[sequence])
    about = {"model": data.attrs.get("model", ""), "layer": layer, "sequence": sequence}
    text = (POSITION, data[TOKEN].values[sequence][:length])
    return xr.Dataset(dict(one.variables), attrs=about).assign({TOKEN: text})


def edges_of_head(layer: xr.Dataset, head: int) -> xr.Dataset:
    """Return where queries look in one head of a layer that `edges_of_layer` read.

    Raises
    ------
    ValueError
        There is no such head.
    """
    if not 0 <= head < layer.sizes[axes.HEAD]:
        raise ValueError(f"head must be one of 0 to {layer.sizes[axes.HEAD] - 1}, got {head}.")
    found, length = {}, layer.sizes[POSITION]
    queries = int(np.isfinite(_in_head(layer.variables[EDGE_REST], head)).sum())
    for name, short in NAMES.items():
        held = layer.variables[name]
        dims = [PLACES.get(str(dim), str(dim)) for dim in held.dims if dim != axes.HEAD]
        size = length if dims[0] == POSITION else queries
        found[short] = (dims, _in_head(held, head)[:size], held.attrs)
    found[TOKEN] = layer.variables[TOKEN]
    places = {axes.QUERY: range(queries), POSITION: range(length)}
    at = {"layer": layer.attrs["layer"], "head": head, "sequence": layer.attrs["sequence"]}
    return xr.Dataset(found, places, {"model": layer.attrs["model"], **at})


def _in_head(held: xr.Variable, head: int) -> np.ndarray:
    """Return the values of one head; those that all heads share as they are."""
    if axes.HEAD not in held.dims:
        return held.values
    return np.take(held.values, head, axis=held.get_axis_num(axes.HEAD))


def check_places(data: xr.Dataset, layer: int, head: int, sequence: int) -> None:
    """Refuse a layer, head or sequence of which nothing is kept.

    Raises
    ------
    ValueError
        There is no such layer or head, or the edges of the sequence were not kept.
    """
    for dim, words, place in (
        (axes.LAYER, "layer must be one", layer),
        (axes.HEAD, "head must be one", head),
        (axes.LISTED, "sequence must be one whose edges are kept,", sequence),
    ):
        if not 0 <= place < data.sizes[dim]:
            raise ValueError(f"{words} of 0 to {data.sizes[dim] - 1}, got {place}.")


class PinnedKey(NamedTuple):
    """A key that much of a text looks at: its mean weight, and what uniform attention gives it."""

    position: int
    token: str
    mass: float
    uniform: float


def pinned_keys(found: xr.Dataset, *, most: int = 3) -> tuple[PinnedKey, ...]:
    """Return the keys of one head and text that stand out as a sink does, the strongest first.

    `found` is what `edges` returns. A key stands out where its mean weight, over queries from it
    on (all queries, if any looks ahead) that see at least `axes.MANY_KEYS` keys, exceeds
    `TIMES_UNIFORM` times what uniform attention gives it. Only listed edges count, so it receives
    at least so much. This is of one text; whether the head has a sink, findings say.
    """
    many = found["visible"].values >= axes.MANY_KEYS
    queries = _of_viewers(found, many.astype(int))
    enough = queries >= axes.MANY_KEYS
    with np.errstate(invalid="ignore", divide="ignore"):
        mass, uniform = _listed(found, many) / queries, _even(found, many) / queries
    stands_out = np.flatnonzero(enough & (mass > TIMES_UNIFORM * uniform))
    chosen = sorted(stands_out, key=lambda at: -mass[at])[:most]
    tokens = found[TOKEN].values
    return tuple(
        PinnedKey(int(at), str(tokens[at]), float(mass[at]), float(uniform[at])) for at in chosen
    )


def most_pinned(pinned: Mapping[tuple[int, int], Sequence[PinnedKey]]) -> tuple[int, int]:
    """Return the layer and head whose strongest pinned key has the most weight; else the first."""
    return max(pinned, key=lambda at: pinned[at][0].mass if pinned[at] else 0.0)


def times_uniform(found: xr.Dataset) -> Float[np.ndarray, "position"]:
    """Return what keys receive from all queries, in multiples of what uniform attention gives.

    `found` is what `edges` returns; what is not listed counts. A key that no kept query sees has
    NaN.
    """
    seen = found["visible"].values > 0
    received = _listed(found, seen) + found["rest_by_key"].values
    level = _even(found, seen)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(level > 0, received / level, np.nan)


def _listed(
    found: xr.Dataset, queries: Bool[np.ndarray, "query"]
) -> Float[np.ndarray, "position"]:
    """Return the listed weight that keys receive from some queries."""
    key, weight = found["key"].values, found["weight"].values
    listed = (key >= 0) & queries[:, None]
    return np.bincount(key[listed], weight[listed].astype(float), found.sizes[POSITION])


def _even(found: xr.Dataset, queries: Bool[np.ndarray, "query"]) -> Float[np.ndarray, "position"]:
    """Return what uniform attention of some queries gives to keys."""
    visible = found["visible"].values
    return _of_viewers(found, np.where(queries, 1.0 / np.maximum(visible, 1), 0.0))


def _of_viewers(found: xr.Dataset, numbers: np.ndarray) -> np.ndarray:
    """Sum numbers of queries over those from each key on, or over all, if any looks ahead."""
    length, place = found.sizes[POSITION], np.arange(found.sizes[axes.QUERY])
    if (found["key"].values > place[:, None]).any():
        return np.full(length, numbers.sum())
    return _from_each_on(numbers, length)


def _from_each_on(numbers: np.ndarray, length: int) -> np.ndarray:
    """Return the sum of the numbers from each place on, 0 beyond them."""
    whole = np.zeros(length, dtype=numbers.dtype)
    whole[: len(numbers)] = numbers[::-1].cumsum()[::-1]
    return whole
