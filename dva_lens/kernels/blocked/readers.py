"""What a block of weights makes of the values: the mixed values, and the sizes it mixed.

One reader per value form, made once per attention; it keeps what it needs of the values in the
dtype to compute in.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.pattern import BlockPattern, OfBlock, Rows
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.values import (
    ExpertGated,
    QueryGated,
    Separable,
    Static,
    per_query_head,
)

Mixed = Float[Tensor, "batch head query width"]


@final
@dataclass(frozen=True)
class Read:
    """What the weights of a block make of the values.

    `mixed` are the mixed values before `finish`, if they were wanted; `sizes` is
    sum_j p_ij |v_ij|.
    """

    mixed: Mixed | None
    sizes: Rows


class ValueReader(ABC):
    """How one value form is read with the weights of a block."""

    width: int

    @abstractmethod
    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return the mixed values, if wanted, and the sizes they were mixed from."""


class CollapsingReader(ValueReader):
    """What the forms with one static value per key share."""

    def __init__(self, static: Float[Tensor, "batch kv_head key width"], heads: int) -> None:
        self.static = static
        self.group = heads // static.shape[1]
        self.width = static.shape[-1]

    def of_keys(self, block: QueryBlock, per_key: Tensor) -> Tensor:
        """Return what belongs to the keys of a block, per key-value head."""
        heads = slice(block.heads.start // self.group, block.heads.stop // self.group)
        return per_key[block.batch, heads, block.keys]

    def grouped(self, per_head: Tensor) -> Float[Tensor, "group row entry"]:
        """Fold the query heads of a group into rows."""
        return per_head.reshape(-1, self.group * per_head.shape[2], per_head.shape[-1])

    @abstractmethod
    def sizes(self, part: BlockPattern) -> Rows:
        """Return sum_j p_ij |v_ij|."""

    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return the mixed values, if wanted, and the sizes they were mixed from."""
        mixed = self.mix(part, self.static) if mixing else None
        return Read(mixed, self.sizes(part))

    def mix(self, part: BlockPattern, per_key: Tensor) -> Mixed:
        """Return sum_j p_ij x_j for what belongs to keys, with one product per group of heads."""
        mixed = torch.bmm(
            self.grouped(part.weights), self.of_keys(part.block, per_key).flatten(0, 1)
        )
        return mixed.view(*part.weights.shape[:3], -1)

    def total(self, part: BlockPattern, sizes: OfBlock) -> Rows:
        """Return sum_j p_ij times sizes that the pairs hold, which are overwritten."""
        return sizes.clamp_(min=0.0).sqrt_().mul_(part.weights).sum(dim=-1)

    def product(self, left: Mixed, right: Tensor, part: BlockPattern) -> OfBlock:
        """Return the products of queries and keys of a block, in the memory of its scores."""
        out = part.scores
        keys = self.of_keys(part.block, right).flatten(0, 1)
        torch.bmm(self.grouped(left), keys.mT, out=self.grouped(out))
        return out


@final
class StaticReader(CollapsingReader):
    """Reads v_j; where it mixes them, one product brings their sizes as well."""

    def __init__(self, values: Static, heads: int, dtype: torch.dtype) -> None:
        super().__init__(values.value.to(dtype), heads)
        self.norm = self.static.norm(dim=-1)

    @cached_property
    def _columns(self) -> Float[Tensor, "batch kv_head key column"]:
        return torch.cat([self.static, self.norm[..., None]], dim=-1)

    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return the mixed values, if wanted, and the sizes they were mixed from."""
        if not mixing:
            return Read(None, self.sizes(part))
        found = self.mix(part, self._columns)
        return Read(found[..., :-1], found[..., -1])

    def sizes(self, part: BlockPattern) -> Rows:
        """Return sum_j p_ij |v_j|."""
        return self.mix(part, self.norm[..., None])[..., 0]


@final
class GatedReader(CollapsingReader):
    """Reads g_i * v_j, whose squared norm is a product of squares."""

    def __init__(self, values: QueryGated, heads: int, dtype: torch.dtype) -> None:
        super().__init__(values.value.to(dtype), heads)
        self.square = self.static.square()
        self.gate = values.gate

    def sizes(self, part: BlockPattern) -> Rows:
        """Return sum_j p_ij |g_i * v_j|."""
        gate = self.gate[part.block.by_query].to(self.square.dtype).square()
        return self.total(part, self.product(gate, self.square, part))


@final
class ExpertGatedReader(ValueReader):
    """Reads copies of v_j as v_j, whose size the gates of the query scale."""

    def __init__(self, values: ExpertGated, heads: int, dtype: torch.dtype) -> None:
        self.static = StaticReader(Static(values.value), heads, dtype)
        self.size = values.gate.to(dtype).norm(dim=-1)
        self.width = self.static.width

    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return the mixed values ahead of their gates, if wanted, and the sizes behind them."""
        found = self.static.read(part, mixing=mixing)
        return replace(found, sizes=found.sizes * self.size[part.block.by_query])


@final
class SeparableReader(CollapsingReader):
    """Reads a_i + b_j, whose squared norm is |a_i|² + 2 a_i . b_j + |b_j|²."""

    def __init__(self, values: Separable, heads: int, dtype: torch.dtype) -> None:
        super().__init__(values.key_part.to(dtype), heads)
        self.square = self.static.square().sum(dim=-1)
        self.branch = values.query_part

    def sizes(self, part: BlockPattern) -> Rows:
        """Return sum_j p_ij |a_i + b_j|."""
        a = self.branch[part.block.by_query].to(self.square.dtype)
        out = self.product(2 * a, self.static, part)
        out += a.square().sum(dim=-1)[..., None]
        out += per_query_head(self.of_keys(part.block, self.square), out.shape[1])[:, :, None]
        return self.total(part, out)
