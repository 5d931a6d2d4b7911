"""Which keys a query sees: closed forms, and a mask function that is asked tile by tile."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

MaskFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Says which queries see which keys: sequences, queries and keys as indices that broadcast."""


@dataclass(frozen=True, kw_only=True)
class Visibility:
    """Which keys a query sees; every condition that is given has to hold.

    A query sees the keys of its own segment (`segments`; 0 marks padding, which sees and is seen
    by nothing), not later than itself if `causal`, fewer than `window` positions away, and those
    that `mask(sequence, query, key)` allows. The mask is asked with index tensors that broadcast
    against each other, for one tile at a time, and answers in booleans; it may describe chunks,
    prefixes, images or packed texts. It is the same for all heads.

    Raises
    ------
    ValueError
        `window` is below 1.
    """

    causal: bool = True
    window: int | None = None
    segments: Int[Tensor, "batch position"] | None = None
    mask: MaskFunction | None = None

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}.")

    @property
    def closed(self) -> bool:
        """Whether positions alone decide, the same for all sequences: every query sees itself."""
        return self.segments is None and self.mask is None

    def visible(
        self,
        queries: Int[Tensor, "query"],
        keys: Int[Tensor, "key"],
        sequences: Int[Tensor, "batch"] | None = None,
    ) -> Bool[Tensor, "#batch 1 query key"]:
        """Say which of the chosen keys each of the chosen queries sees.

        Parameters
        ----------
        sequences
            Indices of the sequences of the batch to ask about; default: all. A mask function
            does not say how many there are and needs them.

        Raises
        ------
        ValueError
            There is a mask, and no sequences are given.
        TypeError
            The mask does not answer in booleans.
        """
        conditions: list[Tensor] = []
        if self.causal:
            conditions.append((keys <= queries[:, None])[None, None])
        if self.window is not None:
            near = (queries[:, None] - keys).abs() < self.window
            conditions.append(near[None, None])
        if self.segments is not None:
            segments = self.segments if sequences is None else self.segments[sequences]
            mine, theirs = segments[:, queries], segments[:, keys]
            same = (mine[:, :, None] == theirs[:, None, :]) & (mine[:, :, None] != 0)
            conditions.append(same[:, None])
        if self.mask is not None:
            conditions.append(self._allowed(queries, keys, sequences)[:, None])
        if not conditions:
            return torch.ones(1, 1, len(queries), len(keys), dtype=torch.bool, device=keys.device)
        return functools.reduce(torch.logical_and, conditions)

    def _allowed(
        self,
        queries: Int[Tensor, "query"],
        keys: Int[Tensor, "key"],
        sequences: Int[Tensor, "batch"] | None,
    ) -> Bool[Tensor, "batch query key"]:
        if self.mask is None or sequences is None:
            raise ValueError("A mask function has to be asked about sequences; pass `sequences`.")
        found = self.mask(sequences[:, None, None], queries[:, None], keys)
        if found.dtype != torch.bool:
            raise TypeError(
                f"A mask function must answer in booleans (True where a key is seen), got "
                f"{found.dtype}."
            )
        return found.expand(len(sequences), len(queries), len(keys))
