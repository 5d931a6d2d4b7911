"""Terms of scores that queries have for every block of a text but their own."""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

OfPairs = Float[Tensor, "some few row seen"]
OfQuery = Float[Tensor, "batch head query block"]
OfKey = Float[Tensor, "batch head key"]


@runtime_checkable
class Place(Protocol):
    """Which pairs are meant: some sequences, heads, queries and keys."""

    @property
    def batch(self) -> slice: ...  # noqa: D102
    @property
    def heads(self) -> slice: ...  # noqa: D102
    @property
    def queries(self) -> slice | Tensor: ...  # noqa: D102
    @property
    def keys(self) -> slice | Tensor: ...  # noqa: D102


@final
@dataclass(frozen=True)
class Pairs:
    """Some queries and keys of all sequences and heads."""

    queries: Int[Tensor, "row"]
    keys: Int[Tensor, "seen"]

    @property
    def batch(self) -> slice:
        """All sequences."""
        return slice(None)

    @property
    def heads(self) -> slice:
        """All query heads."""
        return slice(None)


@final
@dataclass(frozen=True)
class TextBlocks:
    """A text cut into blocks, with a term for every query and block, added to their scores.

    `number` says which block each position is in, and `terms` are added to the scores of a query
    with all keys of a block that is not its own. Where keys have terms of their own, `keys`, both
    stand in the place of the products, which then have no say between blocks.
    """

    number: Int[Tensor, "batch position"]
    terms: OfQuery
    keys: OfKey | None = None

    def scores(self, products: OfPairs, place: Place) -> OfPairs:
        """Return the scores of pairs, given what they are within one block."""
        own, added = self._own(place), self._added(place).to(products.dtype)
        if self.keys is None:
            return products + added.masked_fill(own, 0.0)
        return torch.where(own, products, added)

    def spread(
        self, grad: OfPairs, place: Place, d_terms: OfQuery, d_keys: OfKey | None
    ) -> OfPairs:
        """Add the gradient of scores to those of the terms, and return that of the products."""
        own = self._own(place)
        others = grad.masked_fill(own, 0.0)
        index = self.number[place.batch, place.keys][:, None, None].expand_as(grad)
        d_terms[place.batch, place.heads, place.queries].scatter_add_(-1, index, others)
        if d_keys is None:
            return grad
        d_keys[place.batch, place.heads, place.keys] += others.sum(dim=-2)
        return grad - others

    def of_pair(self, query: int, key: int) -> tuple[float, bool]:
        """Return what is added to a pair of the first head, and whether its product counts."""
        block = self.number[0, key]
        if self.number[0, query] == block:
            return 0.0, True
        term = float(self.terms[0, 0, query, block])
        return (term, True) if self.keys is None else (term + float(self.keys[0, 0, key]), False)

    def of_heads(self, chosen: Int[Tensor, "few"]) -> "TextBlocks":
        """Return the terms of some heads."""
        keys = None if self.keys is None else self.keys[:, chosen]
        return TextBlocks(self.number, self.terms[:, chosen], keys)

    def cut(self, batch: slice, positions: slice = slice(None)) -> "TextBlocks":
        """Return the terms of some sequences and positions."""
        keys = None if self.keys is None else self.keys[batch, :, positions]
        return TextBlocks(self.number[batch, positions], self.terms[batch, :, positions], keys)

    def largest(self) -> float:
        """Return the largest absolute value that is added to a score."""
        parts = [self.terms] if self.keys is None else [self.terms, self.keys]
        return sum((float(each.detach().abs().max()) for each in parts), 0.0)

    def _own(self, place: Place) -> Bool[Tensor, "some 1 row seen"]:
        number = self.number[place.batch]
        return (number[:, place.queries, None] == number[:, None, place.keys])[:, None]

    def _added(self, place: Place) -> OfPairs:
        terms = self.terms[place.batch, place.heads, place.queries]
        index = self.number[place.batch, place.keys][:, None, None]
        added = terms.gather(-1, index.expand(*terms.shape[:-1], -1))
        if self.keys is None:
            return added
        return added + self.keys[place.batch, place.heads, None, place.keys]
