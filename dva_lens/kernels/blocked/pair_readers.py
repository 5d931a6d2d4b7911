"""What a block of weights makes of values that depend on the pair: one look at each of them."""

from collections.abc import Iterator
from typing import Protocol, final, runtime_checkable

import torch

from dva_lens.kernels.blocked.forms import operands_of, pair_mixer_of
from dva_lens.kernels.blocked.pair_mixers import OfPair, Stripe
from dva_lens.kernels.blocked.pattern import BlockPattern
from dva_lens.kernels.blocked.readers import Read, ValueReader
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.values import Values


@runtime_checkable
class PairObserver(Protocol):
    """What gathers more from the values of a block than its reader does."""

    def weigh(self, part: BlockPattern) -> None:
        """Look at the weights of a block."""
        ...

    def add(self, part: BlockPattern, stripe: Stripe, value: OfPair, size: torch.Tensor) -> None:
        """Look at some of its values and their norms; the values may be overwritten."""
        ...


@final
class PairReader(ValueReader):
    """Reads the values of a pair form, formed a stripe at a time, for itself and an observer."""

    def __init__(
        self,
        values: Values,
        heads: int,
        dtype: torch.dtype,
        *,
        observer: PairObserver | None = None,
    ) -> None:
        self.observer = observer
        self.mixer = pair_mixer_of(values)
        self.operands = operands_of(values, heads, dtype)
        self.width = self.operands[-1].shape[-1]

    def formed(self, block: QueryBlock) -> Iterator[tuple[Stripe, OfPair]]:
        """Go through the values of the pairs of a block."""
        rows = self.operands[0][block.by_query]
        like = rows.new_empty(1).expand(*rows.shape[:3], self.width)
        return self.mixer.formed(self.operands, block, like)

    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return sum_j p_ij v_ij, if wanted, and sum_j p_ij |v_ij|."""
        mixed = part.weights.new_zeros(*part.weights.shape[:3], self.width) if mixing else None
        sizes = torch.zeros_like(part.weights[..., 0])
        if self.observer is not None:
            self.observer.weigh(part)
        for stripe, value in self.formed(part.block):
            p = part.weights[..., stripe.cut]
            if mixed is not None:
                mixed += torch.matmul(p[..., None, :], value)[..., 0, :]
            size = value.norm(dim=-1)
            sizes += (p * size).sum(dim=-1)
            if self.observer is not None:
                self.observer.add(part, stripe, value, size)
        return Read(mixed, sizes)
