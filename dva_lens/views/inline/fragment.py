"""One text as a piece of HTML that stands on its own: its words, its edges, one small script.

Numbers travel as the measurement keeps them, so that what is shown is exact; nothing is fetched.
"""

import base64
import html
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import PinnedKey, edges, most_pinned, pinned_keys
from dva_lens.results.groups import read
from dva_lens.results.schema import EDGE_REST, EDGES, TOKEN, ArchiveError
from dva_lens.views.characters import LINE_BREAK, visible
from dva_lens.views.words import number, shown

MOST_TOKENS = 2048
"""Tokens that are drawn; a longer text is cut, and says so."""
_FLOATS = ("weight", "share", "rest", "rest_by_key")


@final
@dataclass(frozen=True)
class Look:
    """The edges of one text in every head that keeps them, and the keys that stand out there."""

    tokens: tuple[str, ...]
    heads: dict[tuple[int, int], xr.Dataset]
    pinned: dict[tuple[int, int], tuple[PinnedKey, ...]]

    @property
    def most_pinned(self) -> tuple[int, int]:
        """The layer and head whose strongest pinned key has the most weight; else the first."""
        return most_pinned(self.pinned)


@final
@dataclass(frozen=True, repr=False)
class TokenView:
    """One text of one model, shown in a notebook; `print` says what is in it.

    `html` stands on its own: it asks for nothing from any network, and any number of them may
    stand on one page.
    """

    title: str
    summary: str
    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"{self.title}\n{self.summary}"


def token_view(
    data: xr.Dataset,
    *,
    sequence: int = 0,
    layer: int | None = None,
    head: int | None = None,
    name: str | None = None,
) -> TokenView:
    """Show one text of a measurement inline, token by token, in every head that keeps edges.

    `data` is a measurement made with `keep="query"`, or one that an archive holds. It opens on
    the layer and head that are asked for; default: the one that looks most at a single key. Keys
    that much of the text looks at are marked, with their mean weight. `name` is what to call the
    model in the title.

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
    >>> token_view(data, layer=1, head=0).html.count("<script>")
    1
    """
    look = _read(data, sequence, layer or 0, head or 0)
    first = look.most_pinned
    if layer is not None or head is not None:
        first = (layer or 0, head or 0)
    if first not in look.heads:
        raise ArchiveError(f"Layer {first[0]} keeps no edges of head {first[1]}; choose another.")
    return view_of(look, first, name or str(data.attrs.get("model", "A model")))


def view_of(look: Look, first: tuple[int, int], name: str) -> TokenView:
    """Show the edges of a text, in the layer and head that come first."""
    depth = len({at for at, _ in look.heads})
    title = f"{name}: {number(len(look.tokens), 'token')}, {number(depth, 'layer')}"
    return TokenView(title, _summary(look), _page(title, look, first))


def look_of_head(found: xr.Dataset) -> Look:
    """Return what there is to show of one head: what `dva_lens.results.edges.edges` returns."""
    at = (int(found.attrs["layer"]), int(found.attrs["head"]))
    tokens = tuple(str(token) for token in found[TOKEN].values)
    return Look(tokens, {at: found}, {at: pinned_keys(found)})


def _read(data: xr.Dataset, sequence: int, layer: int, head: int) -> Look:
    """Read the edges of a text; there must be any of the head that is shown first."""
    tokens = edges(data, layer, head, sequence=sequence)[TOKEN].values
    named = f"the edges of {data.attrs.get('model', 'a model')}"
    loaded = read(data[[*EDGES, TOKEN, axes.LENGTH]], named).assign_attrs(data.attrs)
    rest = loaded[EDGE_REST].isel({axes.LISTED: sequence})
    held = np.argwhere(rest.notnull().any(axes.LISTED_QUERY).values)
    heads = {
        (int(at), int(of)): edges(loaded, int(at), int(of), sequence=sequence) for at, of in held
    }
    pinned = {at: pinned_keys(found) for at, found in heads.items()}
    return Look(tuple(str(token) for token in tokens), heads, pinned)


def _summary(look: Look) -> str:
    at = look.most_pinned
    if not look.pinned[at]:
        return "No key stands out as a sink does, in any head."
    key = look.pinned[at][0]
    token = visible(key.token).replace(LINE_BREAK, "⏎")
    return (
        f"Most weight on one key: token {key.position} “{token}” in layer {at[0]}, head {at[1]}, "
        f"{shown(key.mass)} on average ({shown(key.uniform)} with uniform attention)."
    )


def _page(title: str, look: Look, first: tuple[int, int]) -> str:
    words = look.tokens[:MOST_TOKENS]
    spans = "".join(
        f'<span class="lens-token" data-at="{at}">{html.escape(visible(token))}</span>'
        for at, token in enumerate(words)
    )
    held = len(next(iter(look.heads.values()))[axes.QUERY])
    cut = min(held, len(words))
    notes = [
        f"The first {len(words):,} of {len(look.tokens):,} tokens."
        if len(words) < len(look.tokens)
        else "",
        f"Edges are kept of the first {cut:,} tokens." if cut < len(words) else "",
    ]
    blanks = {
        "TITLE": html.escape(title),
        "SUMMARY": html.escape(_summary(look)),
        "NOTE": " ".join(filter(None, notes)),
        "WORDS": spans,
        "EDGES": html.escape(json.dumps(_payload(look, first, len(words)))),
        "STYLE": _own("inline.css"),
        "SCRIPT": _own("inline.js"),
    }
    pieces = _own("inline.html").split("%%")
    return "".join(blanks[piece] if at % 2 else piece for at, piece in enumerate(pieces))


def _own(name: str) -> str:
    return (files("dva_lens.views.inline") / name).read_text(encoding="utf-8")


def _payload(look: Look, first: tuple[int, int], size: int) -> dict[str, Any]:
    """Return the edges of every head as the script reads them: base64 of plain arrays."""
    heads = [
        {
            "layer": layer,
            "head": head,
            "queries": min(found.sizes[axes.QUERY], size),
            "ranks": found.sizes[axes.RANK],
            "pinned": [[key.position, key.mass, key.uniform] for key in look.pinned[layer, head]],
            "key": _encoded(found["key"].values[:size].astype("<i4")),
            **{name: _encoded(found[name].values[:size].astype("<f4")) for name in _FLOATS},
        }
        for (layer, head), found in look.heads.items()
    ]
    return {"tokens": size, "first": list(first), "heads": heads}


def _encoded(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
