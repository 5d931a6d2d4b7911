"""What recording hands over: frozen numpy arrays, one record per batch of sequences.

Padding is on the right: positions at or beyond `lengths` hold NaN in every array of floats and -1
in every array of integers. Nothing here depends on torch, and nothing here interprets a number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from dva_lens.sites import (
    SITES,
    AttentionEdges,
    AttentionSummary,
    Found,
    Site,
    StreamNorms,
    ValueDynamics,
    ValueMix,
    ValueNorms,
    WrittenNorms,
)

Fact = str | int | float | bool
MAY_BE_NEGATIVE = "heads compose their weights, some of which may be negative"


@final
@dataclass(frozen=True)
class RowTile:
    """Some rows of the pattern of one sequence in one layer, there for a moment.

    Whoever needs whole rows reads one tile after another and keeps sums; no tile is stored.

    - `queries`: which queries the rows are.
    - `weights`: their weights on every key of the sequence, 0 where a key is not `seen`.
    - `values`: v_j as (kv_head, key, width), or v_ij as (head, row, key, width) where values
      depend on the query.
    - `gram`: W_O W_O^T of each head, so that <W_O a, W_O b> is a.gram.b without the width of W_O;
      None where W_O is not known.
    - `tokens`: the token of every key.
    - `one_text`: whether queries are positions of the text of the keys, so that places compare.
    - `memo`: what several readers of the tile need and one has computed, by a name of theirs.
    """

    queries: Int[np.ndarray, "row"]
    weights: Float[np.ndarray, "head row key"]
    seen: Bool[np.ndarray, "row key"]
    values: Float[np.ndarray, "kv_head key width"] | Float[np.ndarray, "head row key width"]
    gram: Float[np.ndarray, "head width width"] | None
    tokens: Int[np.ndarray, "key"]
    one_text: bool = True
    memo: dict[str, np.ndarray] = field(
        default_factory=dict[str, np.ndarray], compare=False, repr=False
    )


@runtime_checkable
class PassReader(Protocol):
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
    by the name of their statistic, that were gathered while the model ran. With `signed`, heads
    compose their weights, some of which may be negative.
    """

    summary: AttentionSummary | None = None
    values: ValueNorms | None = None
    written: WrittenNorms | None = None
    mix: ValueMix | None = None
    dynamics: ValueDynamics | None = None
    stream: StreamNorms | None = None
    tiles: Mapping[str, np.ndarray] | None = None
    edges: AttentionEdges | None = None
    geometry: Mapping[str, np.ndarray] | None = None
    why_not: Mapping[str, str] = field(default_factory=dict[str, str])
    signed: bool = False

    def at(self, site: Site[Found]) -> Found:
        """Return what was recorded at a site.

        Raises
        ------
        KeyError
            If nothing was; the message gives the reason and what the record holds.
        """
        found: Found | None = getattr(self, site.name, None)
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
class KeyText:
    """The text that queries of another text read: its tokens, -1 in padding, and its lengths."""

    tokens: Int[np.ndarray, "sequence key"]
    lengths: Int[np.ndarray, "sequence"]


@final
@dataclass(frozen=True)
class Record:
    """What one forward pass of a model over a batch of sequences left behind.

    `loss` is the next-token loss in nats at each position, NaN at the last token and in padding.
    `provenance` says what ran: backend, dtype, device, fidelity figures, treatment of special
    tokens.

    In cross-attention `tokens` and `lengths` are those of the queries, and `keys` holds the text
    whose keys they read; it is None where queries and keys are of one text.
    """

    tokens: Int[np.ndarray, "sequence position"]
    lengths: Int[np.ndarray, "sequence"]
    layers: tuple[LayerRecord, ...]
    loss: Float[np.ndarray, "sequence position"] | None = None
    provenance: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    keys: "KeyText | None" = None

    @property
    def key_tokens(self) -> Int[np.ndarray, "sequence key"]:
        """Return the token of every key."""
        return self.tokens if self.keys is None else self.keys.tokens
