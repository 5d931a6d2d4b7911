"""Where a model can be observed: each site names a quantity, its place and what is found there.

Statistics name the sites they need, recording fills them, and nothing else connects the two. What
is found is frozen numpy arrays: padding is on the right, and positions at or beyond the length of
a sequence hold NaN in arrays of floats and -1 in arrays of integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, final

import numpy as np
from jaxtyping import Float, Int

PerQuery = Float[np.ndarray, "sequence head query"]
PerKey = Float[np.ndarray, "sequence head key"]
PerKeyValue = Float[np.ndarray, "sequence kv_head key"]
Numbers = Mapping[str, np.ndarray]
Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)


@final
@dataclass(frozen=True)
class AttentionSummary:
    """Numbers of one attention layer per query and per key, kept without its pattern.

    With p the weights of one query over its visible keys, not renormalised when they do not sum
    to one (`row_mass` says what they sum to; a learned sink holds the rest):

    - `log_sum_exp`: log of the normaliser, learned sink included; NaN where weights have none.
    - `entropy`: -sum p log p over real keys, in nats; `square_sum`: sum of p squared.
    - `largest`: the largest weight.
    - `first_mass`, `self_mass`, `previous_mass`: weight on key 0, on the query, on the one before.
    - `distance`: sum of p times (query - key), in tokens.
    - `rest_mass`, `rest_entropy`, `rest_distance`: row mass, entropy and distance summed over all
      keys but key 0, so that they keep their digits where key 0 takes nearly everything.
    - `value_norm`: sum of p times the norm of the value used; `output_norm`: the norm of sum p v.
    - `received`: weight a key receives, summed over its queries; `viewers`: queries that see it.
    - `late_received`: the part of it from queries that see at least `axes.MANY_KEYS` keys.
    - `visible`: keys that a query sees, itself included.
    - `absolute_mass`: sum of |p|, the row mass where no weight is negative.

    Heads may compose weights, some of which are then negative: their entropies are NaN.
    """

    log_sum_exp: PerQuery
    entropy: PerQuery
    square_sum: PerQuery
    largest: PerQuery
    first_mass: PerQuery
    self_mass: PerQuery
    previous_mass: PerQuery
    distance: PerQuery
    row_mass: PerQuery
    absolute_mass: PerQuery
    rest_mass: PerQuery
    rest_entropy: PerQuery
    rest_distance: PerQuery
    value_norm: PerQuery
    output_norm: PerQuery
    received: PerKey
    late_received: PerKey
    visible: Int[np.ndarray, "sequence query"]
    viewers: Int[np.ndarray, "sequence key"]


@final
@dataclass(frozen=True)
class ValueNorms:
    """Sizes of the values a layer used, before its output projection.

    `norm` is the norm of each value; for values that depend on the query, of the
    attention-weighted mean value of the key.
    """

    norm: PerKeyValue


@final
@dataclass(frozen=True)
class WrittenNorms:
    """Sizes of what values write through the output projection W_O, and what the first key wrote.

    `norm` is the root mean square, over the query heads of the group, of the norm of each value
    after W_O; for values that depend on the query, of the attention-weighted mean value of the
    key. `first` is the signed projection share <p_0 W_O v_0, W_O o> / |W_O o|^2 of the first key
    in each query's output.
    """

    norm: PerKeyValue
    first: PerQuery


@final
@dataclass(frozen=True)
class ValueMix:
    """Signed projection shares <v_m, v> / |v|^2 of each source m, averaged over positions.

    `sources` names them: `own`, `first`, `donor`, `table`. The shares of a layer total one.
    """

    sources: tuple[str, ...]
    share: Float[np.ndarray, "sequence source kv_head"]


@final
@dataclass(frozen=True)
class ValueDynamics:
    """How much values differ between queries: sums whose ratio is one minus the dynamism.

    `power` is sum over pairs of p |v_ij|^2 and `mean_power` is sum over keys of c_j |mean_j|^2,
    with mean_j the attention-weighted mean value of key j over queries and c_j its received mass.
    """

    power: Float[np.ndarray, "sequence head"]
    mean_power: Float[np.ndarray, "sequence head"]


@final
@dataclass(frozen=True)
class KeyValues:
    """The values that queries receive from keys of much weight, where queries differ in them.

    - `key`: the keys of each head that receive most, the strongest first; -1 for none.
    - `weight` and `norm`: what a query gives to the key, and the size of the value it receives.
    - `first` and `second`: where that value lies, from the mean over queries, in the two
      directions in which the values of this key differ most; `explained` is the share of these
      two in all that they differ.

    Queries that do not see the key hold NaN.
    """

    key: Int[np.ndarray, "sequence head kept"]
    weight: Float[np.ndarray, "sequence head kept query"]
    norm: Float[np.ndarray, "sequence head kept query"]
    first: Float[np.ndarray, "sequence head kept query"]
    second: Float[np.ndarray, "sequence head kept query"]
    explained: Float[np.ndarray, "sequence head kept"]


@final
@dataclass(frozen=True)
class AttentionEdges:
    """The largest weights of single queries, for the first sequences of a pass.

    - `key` and `weight`: where a query looks and how much it gives, the largest first; -1 and 0
      where it gives nothing to any further key.
    - `share`: the signed projection share <p W_O v, W_O o> / |W_O o|^2 of each in the output of
      its query; NaN where W_O is not known.
    - `visible`: how many keys a query sees.
    - `rest`: what a query gives to keys that are not listed; `rest_by_key`: what a key receives
      from these queries without being listed. Both are added up from the weights themselves.

    - `values`: what queries receive from single keys, where values differ between queries.

    Queries that keep no edges hold -1 and NaN.
    """

    key: Int[np.ndarray, "sequence head query rank"]
    weight: Float[np.ndarray, "sequence head query rank"]
    share: Float[np.ndarray, "sequence head query rank"]
    rest: PerQuery
    rest_by_key: PerKey
    visible: Int[np.ndarray, "sequence query"]
    values: KeyValues | None = None


@final
@dataclass(frozen=True)
class StreamNorms:
    """Sizes of the residual stream after a layer.

    `norm` is per position; `largest` and `median` are of absolute entries over all positions and
    channels of a sequence; `largest_position` is where the largest entry stands.
    """

    norm: Float[np.ndarray, "sequence position"]
    largest: Float[np.ndarray, "sequence"]
    median: Float[np.ndarray, "sequence"]
    largest_position: Int[np.ndarray, "sequence"]


@final
@dataclass(frozen=True)
class Site(Generic[Found_co]):
    """A place in a model, and the type of what `LayerRecord.at` returns there.

    `name` is the attribute of the record that holds it, `per` says whether it exists once per
    layer or once per model, and `meaning` is one sentence for menus and messages.
    """

    name: str
    per: Literal["layer", "model"]
    meaning: str


SUMMARY = Site[AttentionSummary](
    "summary", "layer", "numbers per query and per key of one attention, without its pattern"
)
VALUES = Site[ValueNorms]("values", "layer", "sizes of the values before the output projection")
WRITTEN = Site[WrittenNorms](
    "written", "layer", "sizes of what values write through the output projection"
)
MIX = Site[ValueMix]("mix", "layer", "which source layers the value came from")
DYNAMICS = Site[ValueDynamics](
    "dynamics", "layer", "how much the value of a key differs between queries"
)
STREAM = Site[StreamNorms]("stream", "layer", "sizes of the residual stream after the layer")
TILES = Site[Numbers](
    "tiles", "layer", "numbers that need whole rows of the pattern, gathered from tiles of rows"
)
EDGES = Site[AttentionEdges](
    "edges", "layer", "the largest weights of single queries, with their keys"
)
GEOMETRY = Site[Numbers](
    "geometry", "layer", "shape of the residual stream after the layer as a cloud"
)
LOSS = Site[Float[np.ndarray, "sequence position"]](
    "loss", "model", "next-token loss at every position"
)

SITES: dict[str, Site[object]] = {
    site.name: site
    for site in (SUMMARY, VALUES, WRITTEN, MIX, DYNAMICS, STREAM, TILES, EDGES, GEOMETRY, LOSS)
}
