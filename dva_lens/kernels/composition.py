"""Maps over the heads of an attention: of their scores ahead of the normaliser, and of weights.

A head then weighs a key by what all heads think of the pair. Maps are kept per token, never per
pair: those of a query and of a key meet in the block that holds both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.text_blocks import Place

OfPairs = Float[Tensor, "some head row seen"]
Ranked = Float[Tensor, "batch position rank head"]


@final
@dataclass(frozen=True)
class TokenMaps:
    """What each token adds to the entries of its pairs: a map of low rank, and a gate per head.

    With a the entries of all heads for a pair, Σ_r (a·read_r) write_r + gate ∘ a is added.
    """

    read: Ranked
    write: Ranked
    gate: Float[Tensor, "batch position head"]

    def cut(self, batch: slice, positions: slice | Tensor = slice(None)) -> "TokenMaps":
        """Return the maps of some sequences and positions."""
        return TokenMaps(*(getattr(self, each.name)[batch, positions] for each in fields(self)))

    def to(self, dtype: torch.dtype) -> "TokenMaps":
        """Return the maps in another precision."""
        return TokenMaps(*(getattr(self, each.name).to(dtype) for each in fields(self)))

    def absolute(self) -> "TokenMaps":
        """Return the maps without signs."""
        return TokenMaps(*(getattr(self, each.name).abs() for each in fields(self)))


@final
@dataclass(frozen=True)
class HeadMaps:
    """A map over heads that all pairs share, and what queries and keys add to it.

    Where no map is shared, it is the identity.
    """

    shared: Float[Tensor, "head head"] | None = None
    of_query: TokenMaps | None = None
    of_key: TokenMaps | None = None

    def of(self, entries: OfPairs, place: Place) -> OfPairs:
        """Return what all heads make of the entries of some queries and keys."""
        dtype, found = entries.dtype, entries
        if self.shared is not None:
            found = torch.einsum("bhqk,hn->bnqk", entries, self.shared.to(dtype))
        if self.of_query is not None:
            maps = self.of_query.cut(place.batch, place.queries).to(dtype)
            hidden = torch.einsum("bhqk,bqrh->brqk", entries, maps.read)
            found = found + torch.einsum("brqk,bqrn->bnqk", hidden, maps.write)
            found = found + entries * maps.gate.mT[..., :, None]
        if self.of_key is not None:
            maps = self.of_key.cut(place.batch, place.keys).to(dtype)
            hidden = torch.einsum("bhqk,bkrh->brqk", entries, maps.read)
            found = found + torch.einsum("brqk,bkrn->bnqk", hidden, maps.write)
            found = found + entries * maps.gate.mT[..., None, :]
        return found

    def cut(self, batch: slice, positions: slice = slice(None)) -> "HeadMaps":
        """Return the maps of some sequences and positions."""
        of_query, of_key = (
            None if each is None else each.cut(batch, positions)
            for each in (self.of_query, self.of_key)
        )
        return replace(self, of_query=of_query, of_key=of_key)

    def absolute(self) -> "HeadMaps":
        """Return maps without signs, which bound what these make of entries."""
        shared, of_query, of_key = (getattr(self, each.name) for each in fields(self))
        return HeadMaps(
            None if shared is None else shared.abs(),
            None if of_query is None else of_query.absolute(),
            None if of_key is None else of_key.absolute(),
        )

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Go through all tensors, by name."""
        if self.shared is not None:
            yield "shared", self.shared
        for name in ("of_query", "of_key"):
            maps = getattr(self, name)
            if maps is not None:
                yield from (
                    (f"{name}.{each.name}", getattr(maps, each.name)) for each in fields(maps)
                )


@final
@dataclass(frozen=True)
class Composition:
    """Maps over heads ahead of the normaliser and behind it; None for none.

    What comes behind may be negative and sum to anything: these are the weights all the same,
    which multiply values.
    """

    before: HeadMaps | None = None
    after: HeadMaps | None = None

    def cut(self, batch: slice, positions: slice = slice(None)) -> "Composition":
        """Return the maps of some sequences and positions."""
        before, after = (
            None if each is None else each.cut(batch, positions)
            for each in (self.before, self.after)
        )
        return Composition(before, after)
