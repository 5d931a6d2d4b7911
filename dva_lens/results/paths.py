"""Where a token draws from through all layers: the links that carry much, followed downwards."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import WITHOUT, check_places, has_edges
from dva_lens.results.groups import read
from dva_lens.results.schema import (
    EDGE_KEY,
    EDGE_REST,
    EDGE_SHARE,
    EDGE_WEIGHT,
    TOKEN,
    ArchiveError,
)

CarriedBy = Literal["share", "weight"]
_VALUES: dict[CarriedBy, str] = {"share": EDGE_SHARE, "weight": EDGE_WEIGHT}


class Link(NamedTuple):
    """One head lets a query draw from a key; `carried` is how much of its output or weight."""

    layer: int
    head: int
    query: int
    key: int
    carried: float


@final
@dataclass(frozen=True)
class Paths:
    """What a token draws from: links from the last layer down, and the tokens of the text.

    `left_out` counts the links that were dropped where there are very many: the weakest, and
    those that only they lead to.
    """

    token: int
    layers: int
    links: tuple[Link, ...]
    tokens: tuple[str, ...]
    left_out: int = 0

    @property
    def reached(self) -> tuple[int, ...]:
        """The positions on any path, in the order of the text."""
        return tuple(sorted({self.token, *(link.key for link in self.links)}))


def paths(
    data: xr.Dataset,
    token: int | None = None,
    *,
    sequence: int = 0,
    least: float = 0.3,
    by: CarriedBy = "share",
    most: int = 400,
) -> Paths:
    """Follow what a token draws from, from the last layer down to the embeddings.

    A token carries what it holds up to the next layer by the residual stream, so whatever is
    reached in a layer is followed in all layers below. A link is followed where at least `least`
    of what its head writes at the query comes from the key: the signed projection share, or the
    attention weight with `by="weight"`. Links of a token to itself are part of its stream. Only
    listed edges are known, and shares of different heads do not total 1.

    Parameters
    ----------
    data : xarray.Dataset
        A measurement made with `keep="query"`, or one that an archive holds.
    token : int, optional
        The position to begin at; the last one whose edges are kept if left out.
    sequence : int, optional
        Which text.
    least : float, optional
        How much a link has to carry.
    by : {"share", "weight"}, optional
        What is meant by carrying.
    most : int, optional
        How many links are returned at most, the strongest.

    Raises
    ------
    ArchiveError
        The measurement keeps no edges, or they are damaged.
    ValueError
        The edges of the sequence or of the token were not kept, or `least` is not above 0.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> found = paths(data, token=8, least=0.1)
    >>> all(link.carried >= 0.1 for link in found.links)
    True
    """
    if not has_edges(data):
        raise ArchiveError(WITHOUT)
    if not least > 0:
        raise ValueError(f"least must be above 0, got {least}.")
    check_places(data, 0, 0, sequence)
    held = data[[EDGE_KEY, _VALUES[by], EDGE_REST]].isel({axes.LISTED: sequence}, drop=True)
    rest = read(held[[EDGE_REST]], _about(data))[EDGE_REST]
    count = int(rest.notnull().any((axes.LAYER, axes.HEAD)).sum())
    token = count - 1 if token is None else token
    if not 0 <= token < count:
        raise ValueError(
            f"token must be one of 0 to {count - 1}, whose edges are kept, got {token}."
        )
    layers = data.sizes[axes.LAYER]
    reached: set[int] = {token}
    links: list[Link] = []
    for layer in reversed(range(layers)):
        queries = [at for at in sorted(reached) if at < count]
        some = held[[EDGE_KEY, _VALUES[by]]].isel({axes.LISTED_QUERY: queries})
        found = list(_links(_of_layer(some, layer, data), layer, queries, least, by))
        reached |= {link.key for link in found}
        links += found
    links.sort(key=_strength, reverse=True)
    strongest = _connected(token, links[:most])
    length = int(data[axes.LENGTH].values[sequence])
    tokens = tuple(str(each) for each in data[TOKEN].values[sequence][:length])
    return Paths(token, layers, tuple(strongest), tokens, len(links) - len(strongest))


def _strength(link: Link) -> float:
    return link.carried


def _connected(token: int, links: list[Link]) -> list[Link]:
    """Return the links that others lead to from the token, in their order."""
    reached: set[int] = {token}
    kept: set[Link] = set()
    for layer in sorted({link.layer for link in links}, reverse=True):
        own = {link for link in links if link.layer == layer and link.query in reached}
        kept |= own
        reached |= {link.key for link in own}
    return [link for link in links if link in kept]


def _of_layer(held: xr.Dataset, layer: int, data: xr.Dataset) -> xr.Dataset:
    return read(held.isel({axes.LAYER: layer}, drop=True), _about(data))


def _about(data: xr.Dataset) -> str:
    return f"the edges of {data.attrs.get('model', 'a model')}"


def _links(
    held: xr.Dataset, layer: int, queries: list[int], least: float, by: CarriedBy
) -> list[Link]:
    order = (axes.HEAD, axes.LISTED_QUERY, axes.RANK)
    key = held[EDGE_KEY].transpose(*order).values
    carried = held[_VALUES[by]].transpose(*order).values
    itself = key == np.asarray(queries)[:, None]
    chosen = (key >= 0) & ~itself & (carried >= least)  # NaN is not
    return [
        Link(
            layer, int(head), queries[at], int(key[head, at, rank]), float(carried[head, at, rank])
        )
        for head, at, rank in np.argwhere(chosen)
    ]
