"""What recording hands over: frozen numpy arrays, one record per batch of sequences.

Padding is on the right: positions at or beyond `lengths` hold NaN in every array of floats and -1
in every array of integers. Nothing here depends on torch, and nothing here interprets a number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from dva_lens.sites import SITES, Site

Fact = str | int | float | bool
PerQuery = Float[np.ndarray, "sequence head query"]
PerKey = Float[np.ndarray, "sequence head key"]
PerKeyValue = Float[np.ndarray, "sequence kv_head key"]


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
    - `value_norm`: sum of p times the norm of the value used; `output_norm`: the norm of sum p v.
    - `received`: weight a key receives, summed over its queries; `viewers`: queries that see it.
    - `visible`: keys that a query sees, itself included.
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
    value_norm: PerQuery
    output_norm: PerQuery
    received: PerKey
    visible: Int[np.ndarray, "sequence query"]
    viewers: Int[np.ndarray, "sequence key"]


@final
@dataclass(frozen=True)
class ValueSizes:
    """Sizes of the values a layer used, and what the first key wrote.

    `norm` is the norm of each value before W_O and `written_norm` the root mean square, over the
    query heads of the group, of its norm after W_O. For values that depend on the query both are
    taken of the attention-weighted mean value of the key. `first_written` is the signed
    projection share <p_0 W_O v_0, W_O o> / |W_O o|^2 of the first key in each query's output.
    """

    norm: PerKeyValue
    written_norm: PerKeyValue
    first_written: PerQuery


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
class StreamSizes:
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
class RowTile:
    """Some rows of the pattern of one sequence in one layer, there for a moment.

    Whoever needs whole rows reads one tile after another and keeps sums; no tile is stored.

    - `queries`: which queries the rows are.
    - `weights`: their weights on every key of the sequence, 0 where a key is not `seen`.
    - `values`: v_j as (kv_head, key, width), or v_ij as (head, row, key, width) where values
      depend on the query.
    - `gram`: W_O W_O^T of each head, so that <W_O a, W_O b> is a.gram.b without the width of W_O.
    - `tokens`: the token of every key.
    - `memo`: what several readers of the tile need and one has computed, by a name of theirs.
    """

    queries: Int[np.ndarray, "row"]
    weights: Float[np.ndarray, "head row key"]
    seen: Bool[np.ndarray, "row key"]
    values: Float[np.ndarray, "kv_head key width"] | Float[np.ndarray, "head row key width"]
    gram: Float[np.ndarray, "head width width"]
    tokens: Int[np.ndarray, "key"]
    memo: dict[str, np.ndarray] = field(
        default_factory=dict[str, np.ndarray], compare=False, repr=False
    )


@runtime_checkable
class Reader(Protocol):
    """What turns tiles and states into numbers while a model runs, so that neither is kept.

    Recording hands them over and stores what comes back, by the name of its statistic and with
    the sequence first, without knowing what it means.
    """

    def tiles(
        self, sequences: Iterable[tuple[int, Iterable[RowTile]]]
    ) -> Mapping[str, np.ndarray]:
        """Read the tiles of every sequence of one layer, each with its length."""
        ...

    def geometry(
        self, clouds: Iterable[Float[np.ndarray, "_ channel"]]
    ) -> Mapping[str, np.ndarray]:
        """Read the states of every sequence after one layer."""
        ...


@final
@dataclass(frozen=True)
class LayerRecord:
    """What was recorded in one layer; sites that were not asked for, or do not apply, are None.

    `why_not` maps the name of such a site to the reason. `tiles` and `geometry` hold the numbers,
    by the name of their statistic, that were gathered while the model ran.
    """

    summary: AttentionSummary | None = None
    values: ValueSizes | None = None
    mix: ValueMix | None = None
    dynamics: ValueDynamics | None = None
    stream: StreamSizes | None = None
    tiles: Mapping[str, np.ndarray] | None = None
    geometry: Mapping[str, np.ndarray] | None = None
    why_not: Mapping[str, str] = field(default_factory=dict[str, str])

    def at(self, site: Site) -> object:
        """Return what was recorded at a site, or say what the record holds."""
        found = getattr(self, site.name, None)
        if found is None:
            held = ", ".join(name for name in SITES if getattr(self, name, None) is not None)
            reason = self.why_not.get(site.name, "pass it in `sites`")
            raise KeyError(
                f"Site {site.name!r} was not recorded ({reason}); this record holds: "
                f"{held or 'nothing'}."
            )
        return found


@final
@dataclass(frozen=True)
class Record:
    """What one forward pass of a model over a batch of sequences left behind.

    `loss` is the next-token loss in nats at each position, NaN at the last token and in padding.
    `provenance` says what ran: backend, dtype, device, fidelity figures, treatment of special
    tokens.
    """

    tokens: Int[np.ndarray, "sequence position"]
    lengths: Int[np.ndarray, "sequence"]
    layers: tuple[LayerRecord, ...]
    loss: Float[np.ndarray, "sequence position"] | None = None
    provenance: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
