"""The largest edges of a head on one text, handed to the browser as the archive kept them.

The browser draws them (`assets/looked_text.js`): a pointer that moves over the text asks the
server for nothing. Numbers travel as they are in the archive, so that what is shown is exact.
"""

import base64
import json
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import POSITION, PinnedKey

from .attributes import attributes
from .elements import html

_FLOATS = ("weight", "share", "rest", "rest_by_key")


def held_edges(found: xr.Dataset, pinned: tuple[PinnedKey, ...], *, most: int) -> html.Div:
    """Return an element that holds the edges of the first `most` tokens, unseen."""
    return html.Div(hidden=True, **attributes(data_edges=payload(found, pinned, most=most)))


def payload(found: xr.Dataset, pinned: tuple[PinnedKey, ...], *, most: int) -> str:
    """Return edges as the browser reads them: base64 of plain arrays."""
    few = found.isel({axes.QUERY: slice(0, most)})
    whole: dict[str, Any] = {
        "queries": few.sizes[axes.QUERY],
        "ranks": few.sizes[axes.RANK],
        "tokens": min(most, found.sizes[POSITION]),
        "pinned": [{"at": key.position, "mass": key.mass} for key in pinned],
    }
    for name in _FLOATS:
        whole[name] = _encoded(few[name].values.astype("<f4"))
    for name in ("key", "visible"):
        whole[name] = _encoded(few[name].values.astype("<i4"))
    return json.dumps(whole)


def _encoded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
