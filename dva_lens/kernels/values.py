"""What attention multiplies: one value per key, or one value per pair of query and key.

Every form can say v_ij for chosen pairs; that is its specification. The forms that collapse to a
static value before or after the attention say so with `static` and `finish`, and cost no more.
Values that are moved by the distance of the pair collapse as well, into masses by distance.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from dva_lens.kernels.nonlinearity import phi

Position = Int[Tensor, "_"]
PairValues = Float[Tensor, "batch head query key width"]


def per_query_head(
    grouped: Float[Tensor, "batch kv_head *rest"], heads: int
) -> Float[Tensor, "batch head *rest"]:
    """Repeat what belongs to a group for each of its query heads: head h uses group h*G//H."""
    return grouped.repeat_interleave(heads // grouped.shape[1], dim=1)


class Values(ABC):
    """The values of one attention: per key or per pair, for each key-value head.

    Operands begin with (batch, head, position), but for those named in `shared`, which belong to
    no position. Those named in `places` say where positions are, and are mixed into nothing.
    Positions of those named in `of_query` are queries, and keys otherwise.
    """

    shared: ClassVar[tuple[str, ...]] = ()
    places: ClassVar[tuple[str, ...]] = ()
    of_query: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return v_ij for the chosen queries and keys, per query head."""


class CollapsingValues(Values):
    """Values whose attention output needs one static value per key and a last touch per query."""

    @property
    @abstractmethod
    def static(self) -> Float[Tensor, "batch kv_head key width"]:
        """Return the value that attention mixes."""

    @abstractmethod
    def finish(
        self,
        mixed: Float[Tensor, "batch head query width"],
        row_mass: Float[Tensor, "batch head query"] | None,
    ) -> Float[Tensor, "batch head query width"]:
        """Turn the mixed static values into the output; a row mass of None means one."""


class PairValuesForm(Values):
    """Values that truly depend on the pair and have to be formed block by block."""


@final
@dataclass(frozen=True)
class Static(CollapsingValues):
    """v_ij = v_j: every query receives the same value."""

    value: Float[Tensor, "batch kv_head key width"]

    @property
    def static(self) -> Float[Tensor, "batch kv_head key width"]:
        """Return v_j."""
        return self.value

    def finish(
        self,
        mixed: Float[Tensor, "batch head query width"],
        row_mass: Float[Tensor, "batch head query"] | None,
    ) -> Float[Tensor, "batch head query width"]:
        """Return the mixed values as they are."""
        del row_mass
        return mixed

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return v_j for every query."""
        chosen = per_query_head(self.value, heads)[:, :, None, keys]
        return chosen.expand(-1, -1, len(queries), -1, -1)


@final
@dataclass(frozen=True)
class QueryGated(CollapsingValues):
    """v_ij = g_i * v_j: the same as a gate after the attention."""

    of_query: ClassVar[tuple[str, ...]] = ("gate",)

    gate: Float[Tensor, "batch head query width"]
    value: Float[Tensor, "batch kv_head key width"]

    @property
    def static(self) -> Float[Tensor, "batch kv_head key width"]:
        """Return v_j."""
        return self.value

    def finish(
        self,
        mixed: Float[Tensor, "batch head query width"],
        row_mass: Float[Tensor, "batch head query"] | None,
    ) -> Float[Tensor, "batch head query width"]:
        """Gate the mixed values."""
        del row_mass
        return self.gate * mixed

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return g_i * v_j."""
        value = per_query_head(self.value, heads)
        return self.gate[:, :, queries, None] * value[:, :, None, keys]


@final
@dataclass(frozen=True)
class ExpertGated(CollapsingValues):
    """v_ij = (g_i1 v_j, ..., g_iE v_j): a gate of the query for each map that may write v_j."""

    of_query: ClassVar[tuple[str, ...]] = ("gate",)

    value: Float[Tensor, "batch kv_head key width"]
    gate: Float[Tensor, "batch head query expert"]

    @property
    def static(self) -> Float[Tensor, "batch kv_head key width"]:
        """Return v_j."""
        return self.value

    def finish(
        self,
        mixed: Float[Tensor, "batch head query width"],
        row_mass: Float[Tensor, "batch head query"] | None,
    ) -> Float[Tensor, "batch head query channel"]:
        """Return one gated copy of the mixed values per expert."""
        del row_mass
        return _copies(self.gate, mixed)

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return (g_i1 v_j, ..., g_iE v_j)."""
        value = per_query_head(self.value, heads)
        return _copies(self.gate[:, :, queries, None], value[:, :, None, keys])


def _copies(
    gate: Float[Tensor, "*place expert"], value: Float[Tensor, "*other width"]
) -> Float[Tensor, "*both channel"]:
    return (gate[..., :, None] * value[..., None, :]).flatten(-2)


@final
@dataclass(frozen=True)
class Separable(CollapsingValues):
    """v_ij = a_i + b_j: the same as a branch beside the attention, weighted by the row mass."""

    of_query: ClassVar[tuple[str, ...]] = ("query_part",)

    query_part: Float[Tensor, "batch head query width"]
    key_part: Float[Tensor, "batch kv_head key width"]

    @property
    def static(self) -> Float[Tensor, "batch kv_head key width"]:
        """Return b_j."""
        return self.key_part

    def finish(
        self,
        mixed: Float[Tensor, "batch head query width"],
        row_mass: Float[Tensor, "batch head query"] | None,
    ) -> Float[Tensor, "batch head query width"]:
        """Add the query's part, once per unit of row mass."""
        if row_mass is None:
            return mixed + self.query_part
        return mixed + row_mass[..., None] * self.query_part

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return a_i + b_j."""
        key_part = per_query_head(self.key_part, heads)
        return self.query_part[:, :, queries, None] + key_part[:, :, None, keys]


@final
@dataclass(frozen=True)
class Relative(Values):
    """v_ij = v_j + a_c, c = i - j clipped to [-k, k]: a static value, moved by the distance.

    Row c + k of `moves` belongs to distance c. `place` says where a key and its query stand, so
    that positions taken out of a text keep their distances; kernels want places 0, 1, 2, ...
    """

    shared: ClassVar[tuple[str, ...]] = ("moves",)
    places: ClassVar[tuple[str, ...]] = ("place",)

    value: Float[Tensor, "batch kv_head key width"]
    place: Real[Tensor, "batch kv_head key"]
    moves: Float[Tensor, "1 head distance width"]

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return v_j + a_c."""
        reach = self.moves.shape[2] // 2
        place = self.place[:, 0].long()
        gap = place[:, queries, None] - place[:, None, keys]
        moves = self.moves[0][:, gap.clamp(-reach, reach) + reach].transpose(0, 1)
        return per_query_head(self.value, heads)[:, :, None, keys] + moves


@final
@dataclass(frozen=True)
class Pairwise(PairValuesForm):
    """v_ij = GELU(a_i + b_j), in the form of `phi`."""

    of_query: ClassVar[tuple[str, ...]] = ("query_part",)

    query_part: Float[Tensor, "batch head query width"]
    key_part: Float[Tensor, "batch kv_head key width"]

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return GELU(a_i + b_j)."""
        key_part = per_query_head(self.key_part, heads)
        return phi(self.query_part[:, :, queries, None] + key_part[:, :, None, keys])


@final
@dataclass(frozen=True)
class PairGated(PairValuesForm):
    """v_ij = 2 sigmoid(l_i * r_j) * v_j, channel by channel."""

    of_query: ClassVar[tuple[str, ...]] = ("left",)

    left: Float[Tensor, "batch head query width"]
    right: Float[Tensor, "batch kv_head key width"]
    value: Float[Tensor, "batch kv_head key width"]

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return 2 sigmoid(l_i * r_j) * v_j."""
        right = per_query_head(self.right, heads)[:, :, None, keys]
        value = per_query_head(self.value, heads)[:, :, None, keys]
        return 2 * torch.sigmoid(self.left[:, :, queries, None] * right) * value


@final
@dataclass(frozen=True)
class Experts(PairValuesForm):
    """v_ij = sum_r softmax_r(l_ir . r_jr / sqrt(m)) v_jr: each pair chooses among R values."""

    of_query: ClassVar[tuple[str, ...]] = ("left",)

    left: Float[Tensor, "batch head query expert inner"]
    right: Float[Tensor, "batch kv_head key expert inner"]
    value: Float[Tensor, "batch kv_head key expert width"]

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return the value that each pair chooses."""
        right = per_query_head(self.right, heads)[:, :, keys]
        value = per_query_head(self.value, heads)[:, :, keys]
        logits = torch.einsum("bhqrm,bhkrm->bhqkr", self.left[:, :, queries], right)
        choice = torch.softmax(logits / self.left.shape[-1] ** 0.5, dim=-1)
        return torch.einsum("bhqkr,bhkrd->bhqkd", choice, value)
