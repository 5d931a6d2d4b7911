"""A value that is a key's own, with one of the pair of query and key beside it."""

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.values import PairValues, PairValuesForm, Pairwise, Position, per_query_head


@final
@dataclass(frozen=True)
class Interacting(PairValuesForm):
    """v_ij = v_j + GELU(a_i + b_j): a static value, and beside it one of the pair."""

    of_query: ClassVar[tuple[str, ...]] = ("query_part",)

    query_part: Float[Tensor, "batch head query width"]
    key_part: Float[Tensor, "batch kv_head key width"]
    value: Float[Tensor, "batch kv_head key width"]

    def pairs(self, queries: Position, keys: Position, heads: int) -> PairValues:
        """Return v_j + GELU(a_i + b_j)."""
        value = per_query_head(self.value, heads)[:, :, None, keys]
        return value + Pairwise(self.query_part, self.key_part).pairs(queries, keys, heads)
