"""Where a model can be observed: each site names a quantity, its place and its shape.

Statistics name the sites they need, recording fills them, and nothing else connects the two.
"""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Site:
    """A place in a model and the numbers found there.

    `name` is the attribute of the record that holds it, `per` says whether it exists once per
    layer or once per model, and `meaning` is one sentence for menus and messages.
    """

    name: str
    per: str
    meaning: str


SUMMARY = Site(
    "summary", "layer", "numbers per query and per key of one attention, without its pattern"
)
VALUES = Site("values", "layer", "sizes of the values before and after the output projection")
MIX = Site("mix", "layer", "which source layers the value came from")
DYNAMICS = Site("dynamics", "layer", "how much the value of a key differs between queries")
STREAM = Site("stream", "layer", "sizes of the residual stream after the layer")
TILES = Site(
    "tiles", "layer", "numbers that need whole rows of the pattern, gathered from tiles of rows"
)
GEOMETRY = Site("geometry", "layer", "shape of the residual stream after the layer as a cloud")
LOSS = Site("loss", "model", "next-token loss at every position")

SITES: dict[str, Site] = {
    site.name: site for site in (SUMMARY, VALUES, MIX, DYNAMICS, STREAM, TILES, GEOMETRY, LOSS)
}
